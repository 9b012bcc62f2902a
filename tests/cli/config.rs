//! `larder config`: the founding examples, and what is printed.

use crate::command::Larder;

#[test]
fn a_right_configuration_is_said_to_be_right() {
    let larder = Larder::with_config(
        "
        storage: { backend: file, file: { path: ./data/ } }
        cache: { enabled: false, backend: redis, ttl: 3600, max_size: 1000, redis: { host: localhost, port: 6379, db: 0 } }
        persistence: { state_backend: file, cache_backend: memory, cleanup_interval: 86400 }
        ",
    );
    assert!(larder.done(&["config", "check"]).contains("2 key-value and 1 blob stores"));
    let shown = larder.done(&["config", "explain"]);
    for part in
        ["store state (kv, default)", "larder-data/state", "swept every 1 d", "store storage (blob, default)"]
    {
        assert!(shown.contains(part), "no `{part}` in:\n{shown}");
    }
    assert!(!larder.path().join("data").exists(), "nothing is opened");
}

#[test]
fn toml_is_found_too_and_two_files_are_one_too_many() {
    let larder = Larder::new();
    larder.write("larder.toml", "[stores.a]\nurl = 'memory://'\n");
    assert!(larder.done(&["config", "check"]).contains("1 key-value"));
    larder.write("larder.yaml", "");
    larder.refused(&["config", "check"], 11, &["larder.toml", "larder.yaml", "--config"]);
    larder.done(&["config", "check", "--config", "larder.toml"]);
}

#[test]
fn variables_choose_the_file_and_override_keys() {
    let larder = Larder::new()
        .with_variable("LARDER_CONFIG", "other.yaml")
        .with_variable("LARDER_STORES__A__TIMEOUT", "7s");
    larder.write("other.yaml", "stores: { a: { backend: memory } }");
    let shown = larder.done(&["config", "explain"]);
    assert!(shown.contains("7 s for each attempt") && shown.contains("LARDER_STORES__A__TIMEOUT"), "{shown}");
}

#[test]
fn secrets_are_not_printed() {
    let larder = Larder::with_config(
        "
        plugins:
          seal:
            path: seal.wasm
            settings: { password: hunter1 }
            grants: { secrets: { key: '${KEY}', other: 'file:./other' } }
        stores: { a: { backend: memory, layers: [seal] } }
        ",
    )
    .with_variable("KEY", "hunter2");
    larder.write("other", "hunter3");
    let shown = larder.done(&["config", "explain"]);
    assert!(!shown.contains("hunter") && shown.contains("${KEY}"), "{shown}");
}
