//! Judging: what is built, what is refused by its name, what is shown.

use larder_core::ErrorKind;

use super::*;
use crate::config::Environment;

fn plan(yaml: &str) -> Plan {
    Config::from_yaml(yaml).unwrap().plan().unwrap()
}

fn refused(yaml: &str) -> Error {
    let error = Config::from_yaml(yaml).unwrap().plan().expect_err(yaml);
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error
}

#[test]
fn without_anything_there_is_a_state_in_memory() {
    let plan = Config::default().plan().unwrap();
    assert_eq!(plan.default_kv.as_deref(), Some("state"));
    assert_eq!(plan.default_blobs, None);
    assert!(plan.to_string().contains("memory (gone when the process ends)"));
}

#[test]
fn the_founding_sections_work_on_what_is_built() {
    let plan = plan(
        "
        storage: { backend: file, file: { path: ./data/ } }
        cache: { enabled: false, backend: redis, ttl: 3600, max_size: 1000 }
        persistence: { state_backend: file, cache_backend: memory, cleanup_interval: 86400 }
        ",
    );
    assert_eq!(plan.stores["storage"].backend, Backend::File("./data/".into()));
    assert_eq!(plan.stores["state"].backend, Backend::File("larder-data/state".into()));
    assert_eq!(plan.stores["state"].cleanup_interval, Duration::from_secs(86_400));
    assert_eq!(plan.stores["cache"].backend, Backend::Memory);
    assert_eq!(plan.default_kv.as_deref(), Some("state"));
    assert_eq!(plan.default_blobs.as_deref(), Some("storage"));
    assert_eq!(plan.warnings().count(), 0);
}

#[test]
fn what_is_not_built_is_refused_by_its_name() {
    for (yaml, key, name) in [
        ("storage: { backend: s3, s3: { bucket: b } }", "storage.backend", "`s3`"),
        ("storage: s3://bucket/prefix", "storage.backend", "`s3`"),
        ("cache: { enabled: true, backend: redis }", "cache.backend", "`redis`"),
        ("cache: { enabled: true, backend: memory, max_size: 10 }", "cache.backend", "`memory`"),
        ("cache: { ttl: 60 }", "cache.enabled", "cache"),
        ("cache: 'redis://:hunter2@localhost'", "cache.backend", "`redis://`"),
        ("persistence: { state_backend: redis }", "persistence.state_backend", "`redis`"),
        ("persistence: { cache_backend: 'redis://:hunter2@h' }", "persistence.cache_backend", "`redis`"),
        ("stores: { a: 'sqlite:///a.db' }", "stores.a.url", "`sqlite`"),
        ("stores: { a: 'postgres://u:hunter2@h/db' }", "stores.a.url", "`postgres`"),
    ] {
        let error = refused(yaml);
        assert_eq!(error.context("key"), Some(key), "{error}");
        assert!(error.message().contains(name) && error.message().contains("not built yet"), "{error}");
        assert!(!error.chain().contains("hunter2"), "{error}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_key() {
    for (yaml, key, message) in [
        ("storage: { file: { path: x } }", "storage.backend", "missing"),
        ("persistence: { state_backend: fiel }", "persistence.state_backend", "`file`"),
        ("stores: { a: {} }", "stores.a.backend", "missing"),
        ("stores: { a: { backend: file } }", "stores.a.path", "missing"),
        ("stores: { a: { backend: memory, path: x } }", "stores.a.path", "only the backend `file`"),
        ("stores: { a: { backend: memory, url: 'memory://' } }", "stores.a.url", "one of them"),
        ("stores: { a: { url: data } }", "stores.a.url", "expected a URL"),
        ("stores: { a: 'file://data' }", "stores.a.url", "file:///"),
        ("stores: { a: 'file:///data?x=1' }", "stores.a.url", "no `?`"),
        ("stores: { a: 'ftp://h' }", "stores.a.url", "unknown kind of URL"),
        ("stores: { a: 'memory://x' }", "stores.a.url", "memory://"),
        ("stores: { a: { backend: memory, layers: [p] } }", "stores.a.layers", "no plugin `p`"),
        ("stores: { a: { kind: blob, backend: memory, value_max: 1 } }", "stores.a.value_max", "key-value"),
        ("stores: { a: { backend: memory, cleanup_interval: 5 } }", "stores.a.cleanup_interval", "`file`"),
        ("stores: { a: { backend: memory, timeout: 0 } }", "stores.a.timeout", "more than 0"),
        ("stores: { a: { backend: memory, concurrency: 0 } }", "stores.a.concurrency", "1 or more"),
        ("stores: { a: { backend: memory, retries: 1000 } }", "stores.a.retries", "up to 100"),
        ("stores: { a: { backend: memory, value_max: 1GiB } }", "stores.a.value_max", "256 MiB"),
        (
            "{ stores: { state: memory:// }, persistence: { state_backend: memory } }",
            "stores.state",
            "already there",
        ),
        ("plugins: { redis: { path: x } }", "plugins.redis", "a backend is"),
        ("plugins: { p: { path: x, sha256: abc } }", "plugins.p.sha256", "64 hexadecimal"),
        ("plugins: { p: { path: x, mode: fast } }", "plugins.p.mode", "`inline`"),
        ("plugins: { p: { path: x, limits: { memory: 1 } } }", "plugins.p.limits.memory", "64 KiB"),
        ("plugins: { p: { path: x, grants: { env: [NO_SUCH] } } }", "plugins.p.grants.env[0]", "NO_SUCH"),
        ("plugins: { p: { path: x, settings: { a: '${NO_SUCH}' } } }", "plugins.p.settings.a", "NO_SUCH"),
        ("plugins: { p: { path: x, settings: { a: 'file:no-such' } } }", "plugins.p.settings.a", "no-such"),
        (
            "plugins: { p: { path: x, grants: { folders: [{ path: a, as: data }] } } }",
            "plugins.p.grants.folders[0].as",
            "begins with `/`",
        ),
    ] {
        let error = refused(yaml);
        assert_eq!(error.context("key"), Some(key), "{error}");
        assert!(error.message().contains(message), "{error}");
    }
}

#[test]
fn a_secret_is_a_reference_and_is_never_shown() {
    let error = refused("plugins: { p: { path: x, grants: { secrets: { key: hunter2 } } } }");
    assert_eq!(error.context("key"), Some("plugins.p.grants.secrets.key"));
    assert!(!error.chain().contains("hunter2"));

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "hunter3\n").unwrap();
    let yaml = "
        plugins:
          p:
            path: x
            settings: { password: hunter1, size: 5 }
            grants: { secrets: { key: 'file:./key', token: '${TOKEN}' }, env: [TOKEN] }
        stores: { a: p }
    "
    .replace("a: p", "a: { backend: p }");
    let environment = Environment::from_iter([("TOKEN", "hunter2")]);
    let config = Config::from_yaml_in(&yaml, environment).unwrap().relative_to(folder.path());
    let plan = config.plan().unwrap();
    let settings: Vec<_> =
        plan.plugins["p"].settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(settings, ["password=hunter1", "size=5", "key=hunter3", "token=hunter2"]);
    for shown in [plan.to_string(), format!("{plan:?}"), format!("{config:?}")] {
        assert!(!shown.contains("hunter"), "{shown}");
    }
    assert!(plan.to_string().contains("key = file:./key, secret"), "{plan}");
}

#[test]
fn no_store_has_its_files_among_those_of_another() {
    for yaml in [
        "stores: { a: { backend: file, path: x }, b: { backend: file, path: ./x } }",
        "stores: { a: { backend: file, path: x/y }, b: { kind: blob, backend: file, path: x } }",
        "{ storage: { backend: file, file: { path: . } }, persistence: { state_backend: file } }",
        "{ stores: { a: { backend: file, path: d/../x } }, plugins: { p: { path: p, grants: { folders: [{ path: x, as: /x, access: read-write }] } } } }",
    ] {
        assert!(refused(yaml).message().contains("same folder"), "{yaml}");
    }
    plan("stores: { a: { backend: file, path: x }, b: { backend: file, path: xy } }");
}

#[test]
fn a_plan_prints_the_stack_from_the_outside_in() {
    let config = Config::from_yaml_in(
        "
        stores: { frontier: { backend: file, path: /f, layers: [seal], value_max: 1MiB } }
        plugins: { seal: { path: seal.wasm } }
        ",
        Environment::from_iter([("LARDER_STORES__FRONTIER__TIMEOUT", "5s")]),
    );
    let shown = config.unwrap().plan().unwrap().to_string();
    let order = ["metrics", "errors", "checks", "layer", "retry", "timeout", "concurrency", "backend"];
    let places: Vec<_> = order.iter().map(|word| shown.find(&format!("\n  {word} ")).expect(word)).collect();
    assert!(places.is_sorted(), "{shown}");
    assert!(shown.contains("5 s for each attempt"), "{shown}");
    assert!(
        shown.contains("stores.frontier.timeout overridden by LARDER_STORES__FRONTIER__TIMEOUT"),
        "{shown}"
    );
    assert!(shown.contains("the plugin `seal` is not pinned"), "{shown}");
}
