//! S3: killed, cut off, slowed down, failing by its own error codes, and a part that is dropped half-way.
//!
//! Each blob is written once, under a condition. So what was acknowledged is there byte by byte, what was not is there
//! whole or not at all, and who is told `conflict` has been lied to: nobody else writes there.

mod killed;
mod storm;
mod wire;

use larder::{Blobs, Config, Host};
use larder_tests::servers::s3::{ACCESS_KEY, SECRET_KEY};

/// The bucket of these tests.
const BUCKET: &str = "faults";

/// Opens the store of a host as a fetcher would have it.
async fn open(port: u16) -> Blobs {
    open_with(port, "").await
}

/// The same with more keys of the store's section.
async fn open_with(port: u16, more: &str) -> Blobs {
    let yaml = format!(
        "stores: {{ pages: {{ kind: blob, backend: s3, s3: {{ bucket: {BUCKET}, region: us-east-1, \
         endpoint: 'http://127.0.0.1:{port}', access_key_id: {ACCESS_KEY}, secret_access_key: {SECRET_KEY} }}{more} }} }}"
    );
    let host = Host::open(Config::from_yaml(&yaml).unwrap().plan().unwrap()).await.unwrap();
    host.blobs("pages").unwrap()
}
