//! `larder kv` over files.

use serde_json::Value;

use crate::command::Larder;

fn larder() -> Larder {
    Larder::with_config("stores: { frontier: { backend: file, path: state } }")
}

#[test]
fn a_value_survives_from_one_run_to_the_next() {
    let larder = larder();
    larder.done(&["kv", "set", "https://example.org/", "new"]);
    assert_eq!(larder.done(&["kv", "get", "https://example.org/"]), "new");
    larder.done(&["kv", "del", "https://example.org/"]);
    larder.refused(&["kv", "get", "https://example.org/"], 1, &["not found", "https://example.org/"]);
    larder.refused(&["kv", "del", "https://example.org/"], 1, &["not found"]);
}

#[test]
fn values_are_bytes_from_standard_input_to_standard_output() {
    let larder = larder();
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(larder.run_with(&["kv", "set", "bytes", "-"], &bytes).code, 0);
    assert_eq!(larder.run(&["kv", "get", "bytes"]).out, bytes);
    larder.done(&["kv", "set", "dashes", "--", "--ttl"]);
    assert_eq!(larder.done(&["kv", "get", "dashes"]), "--ttl");
}

#[test]
fn conditions_hold_or_conflict() {
    let larder = larder();
    larder.done(&["kv", "set", "--if-absent", "a", "1"]);
    larder.refused(&["kv", "set", "--if-absent", "a", "2"], 5, &["conflict", "key: a", "read again"]);
    let entry: Value = serde_json::from_str(&larder.done(&["kv", "get", "--json", "a"])).unwrap();
    assert_eq!(entry["value"], "1");
    let version = entry["version"].as_str().unwrap();
    larder.done(&["kv", "set", "--if-version", version, "a", "2"]);
    larder.refused(&["kv", "set", "--if-version", version, "a", "3"], 5, &["conflict"]);
    assert_eq!(larder.done(&["kv", "get", "a"]), "2");
}

#[test]
fn a_time_to_live_is_kept() {
    let larder = larder();
    larder.done(&["kv", "set", "--ttl", "2h", "a", "1"]);
    let entry: Value = serde_json::from_str(&larder.done(&["kv", "get", "--json", "a"])).unwrap();
    assert!(entry["expires_at_ms"].is_u64(), "{entry}");
    larder.refused(&["kv", "set", "--ttl", "0", "a", "1"], 3, &["time to live"]);
    assert_eq!(larder.run(&["kv", "set", "--ttl", "soon", "a", "1"]).code, 2);
}

#[test]
fn counters_add_and_print_the_sum() {
    let larder = larder();
    assert_eq!(larder.done(&["kv", "incr", "n"]), "1\n");
    assert_eq!(larder.done(&["kv", "incr", "n", "-5"]), "-4\n");
    larder.done(&["kv", "set", "text", "x"]);
    larder.refused(&["kv", "incr", "text"], 3, &["no counter", "key: text"]);
}

#[test]
fn a_scan_prints_lines_in_the_order_of_the_keys() {
    let larder = larder();
    for (key, value) in [("b:1", "x\ty"), ("a:2", "line\nbreak"), ("a:1", "1")] {
        larder.done(&["kv", "set", key, value]);
    }
    assert_eq!(larder.done(&["kv", "scan"]), "a:1\t1\na:2\tline\\nbreak\nb:1\tx\\ty\n");
    assert_eq!(larder.done(&["kv", "scan", "a:", "--keys-only"]), "a:1\na:2\n");
    assert_eq!(larder.done(&["kv", "scan", "--limit", "1", "--keys-only"]), "a:1\n");
    let json = larder.done(&["kv", "scan", "b:", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["value"], "x\ty");
}

#[test]
fn a_url_does_without_a_configuration() {
    let larder = Larder::new();
    let url = format!("file://{}", larder.path().join("state").display());
    larder.done(&["--url", &url, "kv", "set", "a", "1"]);
    assert_eq!(larder.done(&["kv", "get", "a", "--url", &url]), "1");
    larder.done(&["--url", "memory://", "kv", "set", "a", "1"]);
}

#[test]
fn stores_are_chosen_by_name_and_missing_ones_named() {
    let larder = Larder::with_config("stores: { one: memory://, two: memory:// }");
    larder.refused(&["kv", "get", "a"], 11, &["several", "one", "two"]);
    larder.refused(&["kv", "get", "a", "--store", "tow"], 11, &["`tow`", "`two`"]);
    larder.refused(&["kv", "get", "a", "--store", "two"], 1, &["not found"]);
    larder.refused(&["blob", "ls"], 11, &["no blob store"]);
}
