//! `larder plugin`, and plugins in a configuration.

use larder_tests::{plugin, servers::memcached::MemcachedServer};
use serde_json::Value;

use crate::command::Larder;

#[test]
fn what_a_component_is_and_wants_is_printed() {
    let larder = Larder::new();
    let file = plugin("kv-memory");
    let shown = larder.done(&["plugin".as_ref(), "inspect".as_ref(), file.as_os_str()]);
    for part in ["kv-backend", "0.1.0", "sha256", "imports", "larder:store/kv@0.1.0"] {
        assert!(shown.contains(part), "no `{part}` in:\n{shown}");
    }
    let json = larder.done(&["plugin".as_ref(), "inspect".as_ref(), file.as_os_str(), "--json".as_ref()]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["world"], "kv-backend");
    assert_eq!(json["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn wants_are_set_against_grants() {
    let file = plugin("kv-memcached");
    let inspect = |grants: &str, name: &str| {
        let larder = Larder::with_config(&format!(
            "plugins: {{ m: {{ path: {}, settings: {{ address: 'h.example:11211' }}, grants: {{ {grants} }} }} }}",
            file.display()
        ))
        .with_variable("ZONE", "a");
        larder.run(&["plugin", "inspect", file.to_str().unwrap(), "--config", "larder.yaml", "--name", name])
    };
    let run = inspect("tcp: ['h.example:1-65535']", "m");
    assert!(
        run.text().contains("tcp setting:address the memcached server (granted)"),
        "{}{}",
        run.text(),
        run.err
    );
    let run = inspect("tcp: ['h.example:80', '10.0.0.0/8:*'], env: [ZONE]", "m");
    for part in
        ["(not granted)", "asked for: tcp h.example:80", "asked for: tcp 10.0.0.0/8:*", "asked for: env ZONE"]
    {
        assert!(run.text().contains(part), "no `{part}` in:\n{}{}", run.text(), run.err);
    }
    let run = inspect("tcp: []", "n");
    assert!(run.code != 0 && run.err.contains("did you mean `m`"), "{}", run.err);
}

#[test]
fn wants_of_http_are_set_against_the_grants() {
    let file = larder_tests::plugin("kv-http");
    let inspect = |grants: &str| {
        let larder = Larder::with_config(&format!(
            "plugins: {{ h: {{ path: {}, settings: {{ given: 'https://h.example/v1/x' }}, grants: {{ {grants} }} }} }}",
            file.display()
        ));
        larder.run(&["plugin", "inspect", file.to_str().unwrap(), "--config", "larder.yaml", "--name", "h"])
    };
    let run = inspect("http: ['https://h.example/v1', 'https://other.example']");
    for part in [
        "http http://127.0.0.1:1 to see what it may (not granted)",
        "http setting:given to see more (granted)",
        "asked for: http https://other.example",
    ] {
        assert!(run.text().contains(part), "no `{part}` in:\n{}{}", run.text(), run.err);
    }
}

/// A check of a plugin that reaches nothing ends where it starts, and says what would let it go on.
#[test]
fn a_check_lends_the_network_that_it_is_told_to() {
    let file = larder_tests::plugin("kv-memcached");
    let larder = Larder::new();
    let address = "127.0.0.1:1";
    let check = |more: &[&str]| {
        let setting = format!("address={address}");
        let mut arguments = vec!["plugin", "check", file.to_str().unwrap(), "--setting", &setting];
        arguments.extend(more);
        larder.run(&arguments)
    };
    let run = check(&[]);
    assert!(run.code != 0 && run.err.contains("grants.tcp"), "{}", run.err);
    let run = check(&["--grant-http", "https://h"]);
    assert!(run.code != 0 && run.err.contains("grants.tcp"), "{}", run.err);
    // It may connect, and nobody is there.
    let run = check(&["--grant-tcp", address]);
    assert!(run.code != 0 && !run.err.contains("grants.tcp"), "{}", run.err);
    let run = check(&["--grant-http", "h"]);
    assert!(run.code == 2 && run.err.contains("https://api.example.org"), "{}", run.err);
}

#[test]
fn a_grant_that_is_none_is_refused_with_its_place() {
    for grant in ["h", "::1:80", "10.0.0.1/8:80", "${HOST}:80"] {
        let larder = Larder::with_config(&format!(
            "plugins: {{ m: {{ path: x, grants: {{ tcp: ['a:1', '{grant}'] }} }} }}"
        ));
        let run = larder.run(&["config", "check"]);
        assert!(run.code != 0 && run.err.contains("plugins.m.grants.tcp[1]"), "{grant}: {}", run.err);
    }
}

#[test]
fn the_whole_suite_runs_over_a_component() {
    let larder = Larder::new();
    for (name, setting) in [("kv-memory", None), ("blob-folder", Some("folder=/data"))] {
        let file = plugin(name);
        let file = file.to_str().unwrap();
        let mut arguments = vec!["plugin", "check", file, "--json", "--quick"];
        if let Some(setting) = setting {
            arguments.extend(["--setting", setting]);
        }
        let run = larder.run(&arguments);
        assert_eq!(run.code, 0, "{}{}", run.text(), run.err);
        let report: Value = serde_json::from_str(&run.text()).unwrap();
        assert!(report["cases"].as_array().unwrap().len() > 20, "{report}");
        let sections: Vec<_> = report["sections"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
        assert_eq!(sections, ["hostile inputs", "limits", "leak"], "{report}");
    }
}

/// A call in three is a `get`, so a thousand calls lose 6 MB.
#[test]
fn a_component_that_keeps_a_little_of_each_call_does_not_hold() {
    let file = plugin("kv-hostile");
    let run = Larder::new().run(&[
        "plugin",
        "check",
        file.to_str().unwrap(),
        "--quick",
        "--setting",
        "get=leak",
        "--setting",
        "amount=16",
    ]);
    assert_eq!(run.code, 1, "{}{}", run.text(), run.err);
    for part in ["peak of an instance's memory", "FAILED an instance's memory", "are no leak", "1 do not"] {
        assert!(run.text().contains(part), "no `{part}` in:\n{}", run.text());
    }
}

#[test]
fn a_store_is_kept_by_a_plugin_and_survives_from_one_run_to_the_next() {
    let larder = Larder::with_config(&format!(
        "
        plugins:
          kv-log:
            path: {}
            grants: {{ folders: [{{ path: ./state, as: /data, access: read-write }}] }}
        stores: {{ frontier: {{ backend: kv-log }} }}
        ",
        plugin("kv-log").display()
    ));
    // Not pinned: a warning, and no more.
    let run = larder.run(&["kv", "set", "a", "1"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("not pinned"), "{}", run.err);
    assert_eq!(larder.run(&["kv", "get", "a"]).text(), "1");
}

#[test]
fn what_is_no_plugin_is_refused_with_its_name_and_what_it_is() {
    let larder = Larder::new();
    larder.write("text.wasm", "not wasm at all");
    larder.write("module.wasm", wat::parse_str("(module)").unwrap());
    larder.write("empty.wasm", wat::parse_str("(component)").unwrap());
    let newer = r#"(component (instance $i) (export "larder:store/kv@9.9.9" (instance $i))
        (export "larder:store/lifecycle@9.9.9" (instance $i)))"#;
    larder.write("newer.wasm", wat::parse_str(newer).unwrap());
    std::fs::create_dir(larder.path().join("folder.wasm")).unwrap();
    for (file, says) in [
        ("no-such.wasm", &["no-such.wasm"][..]),
        ("folder.wasm", &["no file"]),
        ("text.wasm", &["text.wasm"]),
        ("module.wasm", &["core module"]),
        ("empty.wasm", &["world"]),
        ("newer.wasm", &["9.9.9", "0.1.0"]),
    ] {
        larder.refused(&["plugin", "check", file], 11, says);
        let config = format!("{{ plugins: {{ p: {{ path: {file} }} }}, stores: {{ a: {{ backend: p }} }} }}");
        larder.write("larder.yaml", config);
        let run = larder.run(&["kv", "get", "x"]);
        assert_eq!(run.code, 11, "{}", run.err);
        assert!(run.err.contains("plugin: p") && run.err.contains("store: a"), "{}", run.err);
    }
}

#[test]
fn a_digest_that_is_another_is_refused() {
    let larder = Larder::with_config(&format!(
        "{{ plugins: {{ p: {{ path: {}, sha256: {} }} }}, stores: {{ a: {{ backend: p }} }} }}",
        plugin("kv-memory").display(),
        "ab".repeat(32)
    ));
    larder.refused(&["kv", "get", "x"], 8, &["denied", "digest", "abab"]);
}

#[test]
fn an_import_that_is_not_granted_is_named() {
    let larder = Larder::new();
    let file = plugin("kv-ungranted");
    larder.refused(&["plugin".as_ref(), "check".as_ref(), file.as_os_str()], 8, &["denied", "wasi:"]);
}

#[test]
fn a_store_is_on_a_server_that_a_grant_names_and_on_no_other() {
    let server = MemcachedServer::start().unwrap();
    let config = |grant: &str| {
        Larder::with_config(&format!(
            "
            plugins:
              m:
                path: {}
                settings: {{ address: '{address}' }}
                grants: {{ tcp: ['{grant}'] }}
            stores: {{ shared: {{ backend: m }} }}
            ",
            plugin("kv-memcached").display(),
            address = server.address(),
        ))
    };
    let larder = config(&server.address());
    assert_eq!(larder.run(&["kv", "set", "a", "1"]).code, 0);
    assert_eq!(larder.run(&["kv", "get", "a"]).text(), "1");
    let explained = larder.run(&["config", "explain"]).text();
    assert!(explained.contains(&format!("tcp to {}", server.address())), "{explained}");
    let run = config("127.0.0.1:1").run(&["kv", "get", "a"]);
    assert!(run.code != 0 && run.err.contains("denied"), "{}", run.err);
    assert!(run.err.contains(&format!("grants.tcp: [\"{}\"]", server.address())), "{}", run.err);
}

#[test]
fn the_plugins_of_a_configuration_are_listed_with_how_they_do() {
    let file = plugin("kv-memory");
    let larder = Larder::with_config(&format!(
        "plugins: {{ m: {{ path: {}, supervision: {{ strikes: 3 }}, limits: {{ queue: 5 }} }} }}\n\
         stores: {{ a: {{ backend: m }}, b: {{ backend: m }} }}",
        file.display()
    ));
    // That the plugin is not pinned is told on stderr.
    let list = |arguments: &[&str]| {
        let run = larder.run(arguments);
        assert_eq!(run.code, 0, "{}", run.err);
        run.text()
    };
    let shown = list(&["plugin", "list"]);
    for part in ["m\n", "stores      a, b", "state       serving", "0 of 3", "0 of 5 wait"] {
        assert!(shown.contains(part), "no `{part}` in:\n{shown}");
    }
    let json: Value = serde_json::from_str(&list(&["plugin", "list", "--json"])).unwrap();
    assert_eq!(json["reports"][0]["state"], "serving");
    assert_eq!(json["stores"][1], "b");
}
