//! What is said to etcd's gateway and what it says, in JSON: keys and values in base64, 64-bit numbers as text, and whatever
//! is 0, false or empty left out.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use larder_sdk::{Error, Result};
use serde_json::{Value, json};

/// Most operations of a transaction, and most of its conditions: etcd's `--max-txn-ops` unless it was started with another.
/// Transactions inside of it may have as many as the outer one leaves.
pub(crate) const TXN_OPS_MAX: usize = 128;

/// Operations of a transaction inside of one that would be too long.
const INNER_OPS: usize = TXN_OPS_MAX / 2;

/// What is stored under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// The revision of the last write, which no other write of the key has.
    pub(crate) revision: u64,
    /// The lease that it holds; 0: none.
    pub(crate) lease: i64,
}

/// Bytes as the gateway has them.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn read(name: &str) -> Value {
    json!({"request_range": {"key": name}})
}

/// Reads all of it but the value.
pub(crate) fn look(name: &str) -> Value {
    json!({"request_range": {"key": name, "keys_only": true}})
}

pub(crate) fn put(name: &str, value: &[u8], lease: i64) -> Value {
    json!({"request_put": {"key": name, "value": encode(value), "lease": lease.to_string()}})
}

pub(crate) fn delete(name: &str) -> Value {
    json!({"request_delete_range": {"key": name}})
}

/// Holds where the last write of the key has this revision; 0: where there is nothing.
pub(crate) fn unchanged(name: &str, revision: u64) -> Value {
    json!({"key": name, "target": "MOD", "result": "EQUAL", "mod_revision": revision.to_string()})
}

/// A transaction of any length that etcd takes: a long one is made of transactions inside of one, which are applied with it or
/// not at all.
///
/// # Errors
/// `unsupported`, where there are more conditions than etcd takes.
pub(crate) fn txn(compares: Vec<Value>, mut ops: Vec<Value>) -> Result<Value> {
    let is_long = ops.len() > TXN_OPS_MAX;
    let most = if is_long { TXN_OPS_MAX - INNER_OPS } else { TXN_OPS_MAX };
    if compares.len() > most || ops.len() > INNER_OPS * (TXN_OPS_MAX - INNER_OPS) {
        return Err(Error::unsupported(format!(
            "a commit that depends on {} keys and has {} operations: etcd takes {TXN_OPS_MAX} of both in a transaction \
             (`--max-txn-ops`), and {most} keys to depend on in one of this length; split it",
            compares.len(),
            ops.len(),
        )));
    }
    if is_long {
        let mut outer = Vec::with_capacity(ops.len().div_ceil(INNER_OPS));
        while !ops.is_empty() {
            let rest = ops.split_off(ops.len().min(INNER_OPS));
            outer.push(json!({"request_txn": {"success": std::mem::replace(&mut ops, rest)}}));
        }
        ops = outer;
    }
    Ok(json!({"compare": compares, "success": ops}))
}

/// A range of keys, ascending.
pub(crate) fn range(start: &[u8], end: &[u8], limit: usize, what: &What) -> Value {
    json!({
        "key": encode(start),
        "range_end": encode(end),
        "limit": limit.to_string(),
        "sort_order": "ASCEND",
        "sort_target": "KEY",
        "keys_only": matches!(what, What::Keys),
    })
}

/// What a range answers of each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Keys,
    Values,
}

/// A number, which is text in JSON; 0 where it is left out.
pub(crate) fn number(value: &Value, name: &str) -> Result<i64> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(0),
        Some(Value::String(text)) => text.parse().map_err(|_| unexpected(name)),
        Some(other) => other.as_i64().ok_or_else(|| unexpected(name)),
    }
}

/// The revision of the whole store when it answered, which is that of a transaction's writes.
pub(crate) fn revision(answer: &Value) -> Result<u64> {
    let revision = number(answer.get("header").unwrap_or(&Value::Null), "revision")?;
    u64::try_from(revision).ok().filter(|revision| *revision > 0).ok_or_else(|| unexpected("revision"))
}

pub(crate) fn is_true(answer: &Value, name: &str) -> bool {
    answer.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// The entries of a range.
pub(crate) fn entries(answer: &Value) -> Result<Vec<Stored>> {
    list(answer, "kvs").iter().map(stored).collect()
}

/// The answers to the operations of a transaction, those of the ones inside in their places.
pub(crate) fn responses(answer: &Value) -> Vec<&Value> {
    let mut all = Vec::new();
    for response in list(answer, "responses") {
        match response.get("response_txn") {
            Some(inner) => all.extend(responses(inner)),
            None => all.push(response),
        }
    }
    all
}

/// What a transaction's operation found that read one key.
pub(crate) fn found(response: &Value) -> Result<Option<Stored>> {
    let range = response.get("response_range").ok_or_else(|| unexpected("response_range"))?;
    Ok(entries(range)?.into_iter().next())
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], |list| &**list)
}

fn stored(kv: &Value) -> Result<Stored> {
    let bytes = |name: &str| match kv.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(text) => {
            text.as_str().and_then(|text| STANDARD.decode(text).ok()).ok_or_else(|| unexpected(name))
        }
    };
    let revision = number(kv, "mod_revision")?;
    Ok(Stored {
        key: bytes("key")?,
        value: bytes("value")?,
        revision: u64::try_from(revision).map_err(|_| unexpected("mod_revision"))?,
        lease: number(kv, "lease")?,
    })
}

/// Of what was read; after a write its caller says more.
pub(crate) fn unexpected(name: &str) -> Error {
    Error::other(format!("etcd: the gateway's answer has no `{name}` that makes sense"))
}
