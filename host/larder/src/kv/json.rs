//! JSON, the default form of values.

use bytes::Bytes;
use larder_core::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};

pub(super) fn encode<T: Serialize + ?Sized>(value: &T, key: &str) -> Result<Bytes> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|e| Error::invalid("the value can't be written as JSON").with("key", key).caused_by(e))
}

pub(super) fn decode<T: DeserializeOwned>(value: &[u8], key: &str) -> Result<T> {
    serde_json::from_slice(value).map_err(|e| {
        // serde_json's own message may quote the value, which may be a secret; kind and place say enough.
        let what = match e.classify() {
            serde_json::error::Category::Data => "is JSON, but not of the type that was asked for",
            _ => "is not JSON; read it with `get_bytes`",
        };
        let place = format!("line {}, column {}", e.line(), e.column());
        Error::invalid(format!("the stored value {what}")).operation("get").with("key", key).with("at", place)
    })
}
