//! Redis, alone, in a cluster and behind a Sentinel: killed, cut off, full, read-only, loading, failed over.
//!
//! The servers sync their log before they answer, so that what was acknowledged survives their end. A failover loses
//! what had not reached the replica, by Redis's own design; so where one is made, writes are held back until the
//! replica has all of them.

mod failover;
mod killed;
mod network;
mod refusals;

use larder_tests::servers::redis::{RedisServer, RedisSettings};
use redis::{Cmd, Value, cmd};

/// Servers whose acknowledged writes survive.
fn durable() -> RedisSettings {
    RedisSettings::new().durable()
}

/// Tells a server something that it has to take.
fn tell(server: &RedisServer, command: &Cmd) -> Value {
    server.tell(command).unwrap()
}

/// Changes a setting of a running server.
fn set(server: &RedisServer, name: &str, value: impl ToString) {
    tell(server, cmd("CONFIG").arg("SET").arg(name).arg(value.to_string()));
}

/// A field of `INFO`; empty where there is none.
fn info(server: &RedisServer, field: &str) -> String {
    let text = match tell(server, &cmd("INFO")) {
        Value::BulkString(bytes) => String::from_utf8(bytes).unwrap(),
        Value::VerbatimString { text, .. } => text,
        other => panic!("INFO answered {other:?}"),
    };
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::trim));
    value.unwrap_or_default().to_owned()
}
