//! Bad input: always a clear error, of the right kind, with the right exit code.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use larder_backends::file::{FileKv, FileOptions};

use crate::command::Larder;

#[test]
fn a_typo_is_named_with_the_nearest_key() {
    let larder = Larder::with_config("storage: { s3: { buckt: pages } }");
    let says = ["config", "larder.yaml", "storage.s3.buckt", "`bucket`"];
    larder.refused(&["config", "check"], 11, &says);
    larder.refused(&["kv", "get", "a"], 11, &says);
}

#[test]
fn a_wrong_type_is_named_with_what_would_be_right() {
    let larder = Larder::with_config("cache: { enabled: false, ttl: soon }");
    larder.refused(&["config", "check"], 11, &["larder.yaml", "cache.ttl", "a duration", "soon"]);
}

#[test]
fn a_missing_file_is_named() {
    let larder = Larder::new();
    larder.refused(&["config", "check"], 11, &["larder.yaml", "--config", "--url"]);
    larder.refused(&["config", "check", "--config", "no-such.yaml"], 11, &["no-such.yaml"]);
    larder.refused(&["config", "check", "--config", "larder.ini"], 11, &[".yaml", ".toml"]);
}

#[test]
fn a_missing_variable_is_named() {
    let larder =
        Larder::with_config("plugins: { p: { path: p.wasm, grants: { secrets: { key: '${NO_SUCH}' } } } }");
    larder.refused(&["config", "check"], 11, &["NO_SUCH", "plugins.p.grants.secrets.key", "larder.yaml"]);
    let larder = Larder::with_config("").with_variable("LARDER_CAHCE__TTL", "60");
    larder.refused(&["config", "check"], 11, &["LARDER_CAHCE__TTL", "`cache`"]);
}

#[test]
fn what_is_not_built_yet_is_refused_by_its_name() {
    Larder::with_config("cache: { enabled: true, backend: redis }").refused(
        &["config", "check"],
        11,
        &["`redis`", "not built yet"],
    );
}

#[test]
fn what_is_no_backend_is_told_with_those_that_there_are() {
    let larder = Larder::new();
    let error = larder.refused(
        &["kv", "get", "a", "--url", "rebis://:hunter2@h"],
        11,
        &["rebis://", "redis", "sqlite"],
    );
    assert!(!error.contains("hunter2"), "{error}");
    larder.refused(&["blob", "ls", "--url", "gopher://h/x"], 11, &["gopher", "s3", "compiled in"]);
    larder.refused(&["blob", "ls", "--url", "redis://h"], 11, &["`redis` keeps entries", "s3"]);
    larder.refused(&["kv", "get", "a", "--url", "redis://h?prefxi=p"], 11, &["`prefix`"]);
}

#[test]
fn a_server_that_is_away_is_told_so() {
    let port = larder_tests::servers::free_port().unwrap();
    let larder = Larder::new();
    for url in [
        format!("redis://ada:hunter2@127.0.0.1:{port}"),
        format!("postgres://ada:hunter2@127.0.0.1:{port}/db"),
    ] {
        let error =
            larder.refused(&["kv", "get", "a", "--url", &url], 6, &["unavailable", &port.to_string()]);
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn keys_that_are_none_are_refused() {
    let larder = Larder::with_config("stores: { a: { backend: file, path: state } }");
    let not_utf8 = OsStr::from_bytes(b"caf\xe9");
    let too_long = "x".repeat(2_049);
    let [kv, get, set, del, incr, value] = ["kv", "get", "set", "del", "incr", "v"].map(OsStr::new);
    for (key, says) in [
        (OsStr::new(""), "the key is empty"),
        (OsStr::new(&too_long), "2049 bytes, more than 2048"),
        (not_utf8, "not UTF-8"),
    ] {
        for arguments in [&[kv, get, key][..], &[kv, set, key, value], &[kv, del, key], &[kv, incr, key]] {
            larder.refused(arguments, 3, &["invalid", says]);
        }
    }
    assert_eq!(larder.done(&["kv", "scan"]), "");
}

#[test]
fn a_value_over_the_limit_is_refused() {
    let larder = Larder::with_config("stores: { a: { backend: file, path: state, value_max: 1KiB } }");
    larder.refused(&["kv", "set", "a", &"x".repeat(1_025)], 3, &["1025 bytes", "1024", "blobs"]);
    larder.done(&["kv", "set", "a", &"x".repeat(1_024)]);
}

#[test]
fn a_second_process_on_the_folder_is_told_so() {
    let larder = Larder::with_config("stores: { a: { backend: file, path: state } }");
    let held = FileKv::open(larder.path().join("state"), FileOptions::default()).unwrap();
    larder.refused(&["kv", "get", "x"], 6, &["unavailable", "state"]);
    held.close().unwrap();
    larder.refused(&["kv", "get", "x"], 1, &["not found"]);
}

#[test]
fn wrong_usage_is_code_2() {
    let larder = Larder::new();
    for arguments in [&["kv"][..], &["kv", "gte", "a"], &["kv", "get"], &["--nope"]] {
        assert_eq!(larder.run(arguments).code, 2, "{arguments:?}");
    }
    assert!(larder.done(&["--help"]).contains("Exit codes"));
}
