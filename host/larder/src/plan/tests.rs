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
    assert_eq!(plan.stores["storage"].backend.to_string(), "file, in ./data/");
    assert_eq!(plan.stores["state"].backend.to_string(), "file, in larder-data/state");
    assert_eq!(plan.stores["state"].cleanup_interval, Duration::from_secs(86_400));
    assert!(matches!(plan.stores["cache"].backend, Backend::Memory));
    assert_eq!(plan.default_kv.as_deref(), Some("state"));
    assert_eq!(plan.default_blobs.as_deref(), Some("storage"));
    assert_eq!(plan.warnings().count(), 0);
}

#[test]
fn what_is_not_built_is_refused_by_its_name() {
    for (yaml, key, name) in [
        ("cache: { enabled: true, backend: redis }", "cache.backend", "`redis`"),
        ("cache: { enabled: true, backend: memory, max_size: 10 }", "cache.backend", "`memory`"),
        ("cache: { ttl: 60 }", "cache.enabled", "cache"),
        ("cache: 'redis://:hunter2@localhost'", "cache.backend", "`redis://"),
    ] {
        let error = refused(yaml);
        assert_eq!(error.context("key"), Some(key), "{error}");
        assert!(error.message().contains(name) && error.message().contains("not built yet"), "{error}");
        assert!(!error.chain().contains("hunter2"), "{error}");
    }
}

#[test]
fn the_founding_sections_find_their_servers() {
    let on = |yaml: &str, store: &str| plan(yaml).stores[store].backend.to_string();
    let seed = "
        storage: { backend: s3, s3: { bucket: my-fetcher-bucket, region: us-east-1, prefix: data/ }, file: { path: ./data/ } }
        cache: { enabled: false, backend: redis, ttl: 3600, max_size: 1000, redis: { host: localhost, port: 6379, db: 0 } }
        persistence: { state_backend: redis, cache_backend: memory, cleanup_interval: 86400 }
    ";
    assert_eq!(on(seed, "storage"), "s3://my-fetcher-bucket/data");
    assert_eq!(on(seed, "state"), "redis://localhost:6379/0?prefix=larder:state");
    assert_eq!(on(seed, "cache"), "memory (gone when the process ends)");
    assert_eq!(plan(seed).warnings().count(), 0);

    // The address: the table of `persistence`, else that of `cache`, else a fresh installation's.
    let bare = "persistence: { state_backend: redis, cache_backend: redis }";
    assert_eq!(on(bare, "state"), "redis://localhost:6379/0?prefix=larder:state");
    assert_eq!(on(bare, "cache"), "redis://localhost:6379/0?prefix=larder:cache", "they share nothing");
    let of_cache =
        "{ persistence: { state_backend: redis }, cache: { enabled: false, redis: { host: a, db: 3 } } }";
    assert_eq!(on(of_cache, "state"), "redis://a:6379/3?prefix=larder:state");
    let own = "{ persistence: { state_backend: redis, redis: { host: b, tls: true, prefix: x } }, cache: { enabled: false, redis: { host: a } } }";
    assert_eq!(on(own, "state"), "rediss://b:6379/0?prefix=x:state");
}

#[test]
fn a_url_or_a_table_chooses_the_backend() {
    for (store, kind, shown) in [
        ("memory://", StoreKind::Kv, "memory (gone when the process ends)"),
        ("file:///data", StoreKind::Kv, "file, in /data"),
        ("redis://:hunter2@h:1/2?prefix=p", StoreKind::Kv, "redis://h:1/2?prefix=p"),
        ("rediss://h", StoreKind::Kv, "rediss://h:6379/0?prefix=larder"),
        ("redis-sentinel://a:1,b:2/m/3", StoreKind::Kv, "redis-sentinel://a:1,b:2/m/3?prefix=larder"),
        ("redis+cluster://a:1,b:2", StoreKind::Kv, "redis+cluster://a:1,b:2?prefix=larder"),
        ("postgres://u:hunter2@h:1/db?table=t", StoreKind::Kv, "postgres(h:1/db, t)"),
        ("postgresql://u:hunter2@h:1/db", StoreKind::Kv, "postgres(h:1/db, larder)"),
        ("sqlite:///a/b.db", StoreKind::Kv, "sqlite(/a/b.db, larder)"),
        ("s3://b/p?secret_access_key=hunter2&access_key_id=i", StoreKind::Blob, "s3://b/p"),
        ("{ redis: { host: h, password: hunter2, prefix: p } }", StoreKind::Kv, "redis://h:6379/0?prefix=p"),
        ("{ backend: redis }", StoreKind::Kv, "redis://localhost:6379/0?prefix=larder"),
        ("{ sql: { url: 'postgres://h:1/db', table: t } }", StoreKind::Kv, "postgres(h:1/db, t)"),
        ("{ url: 'postgres://h:1/db', sql: { table: t } }", StoreKind::Kv, "postgres(h:1/db, t)"),
        (
            "{ backend: postgres, sql: { url: 'postgres://h:1/db' } }",
            StoreKind::Kv,
            "postgres(h:1/db, larder)",
        ),
        ("{ backend: sqlite, path: '/a/50%?.db' }", StoreKind::Kv, "sqlite(/a/50%?.db, larder)"),
        ("{ s3: { bucket: b, endpoint: 'http://h:9000' } }", StoreKind::Blob, "s3://b at http://h:9000"),
        (
            "{ backend: opendal, scheme: s3, options: { bucket: b, root: /p, secret_access_key: hunter2 } }",
            StoreKind::Blob,
            "s3://b/p",
        ),
    ] {
        let quoted = if store.starts_with('{') { store.to_owned() } else { format!("'{store}'") };
        let config = Config::from_yaml(&format!("stores: {{ a: {quoted} }}")).unwrap();
        let plan = config.plan().unwrap_or_else(|error| panic!("{store}: {error}"));
        assert_eq!(
            (plan.stores["a"].backend.to_string().as_str(), plan.stores["a"].kind),
            (shown, kind),
            "{store}"
        );
        for printed in [plan.to_string(), format!("{plan:?}"), format!("{config:?}")] {
            assert!(!printed.contains("hunter2"), "{store}: {printed}");
        }
    }
}

#[test]
fn secrets_of_stores_come_from_references_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "hunter3\n").unwrap();
    std::fs::write(folder.path().join("url"), "redis://:hunter4@h/1\n").unwrap();
    let yaml = "
        stores:
          a: { redis: { password: '${PASSWORD}' } }
          b: { s3: { bucket: b, access_key_id: '${PASSWORD}', secret_access_key: 'file:./key' } }
          c: { url: 'postgres://u:${PASSWORD}@h:1/db' }
          d: { url: '${URL}' }
          e: { url: 'file:./url' }
          f: { backend: opendal, scheme: s3, options: { bucket: b, secret_access_key: '${PASSWORD}' } }
    ";
    let environment =
        Environment::from_iter([("PASSWORD", "hunter2"), ("URL", "redis://u:hunter2@other/5?prefix=d")]);
    let config = Config::from_yaml_in(yaml, environment).unwrap().relative_to(folder.path());
    let plan = config.plan().unwrap();
    assert_eq!(plan.stores["d"].backend.to_string(), "redis://other:6379/5?prefix=d");
    assert_eq!(plan.stores["e"].backend.to_string(), "redis://h:6379/1?prefix=larder");
    for printed in [plan.to_string(), format!("{plan:?}"), format!("{config:?}")] {
        assert!(!printed.contains("hunter"), "{printed}");
    }
}

#[test]
fn a_backend_that_keeps_something_else_is_refused_with_what_would_do() {
    for (yaml, key, says) in [
        ("stores: { a: { kind: blob, url: 'redis://:hunter2@h' } }", "stores.a.url", ["`redis`", "s3"]),
        ("stores: { a: { kind: blob, backend: sqlite, path: x } }", "stores.a.backend", ["`sqlite`", "s3"]),
        (
            "stores: { a: { kind: kv, url: 's3://b?secret_access_key=hunter2' } }",
            "stores.a.url",
            ["`s3`", "redis"],
        ),
        ("storage: 'postgres://u:hunter2@h/db'", "storage.backend", ["`postgres`", "s3"]),
        ("persistence: { state_backend: s3 }", "persistence.state_backend", ["`s3`", "sqlite"]),
    ] {
        let error = refused(yaml);
        assert_eq!(error.context("key"), Some(key), "{error}");
        assert!(says.iter().all(|part| error.message().contains(part)), "{error}");
        assert!(!error.chain().contains("hunter2"), "{error}");
    }
}

#[test]
fn guards_suit_the_backend() {
    let guards = |store: &str| plan(&format!("stores: {{ a: {store} }}")).stores["a"].guards;
    let all =
        |guards: Guards| guards.retries.is_some() && guards.timeout.is_some() && guards.concurrency.is_some();
    for networked in ["'redis://h'", "'postgres://h/db'", "'s3://b'", "{ backend: file, path: x }"] {
        assert!(all(guards(networked)), "{networked}");
    }
    for free in ["'memory://'", "{ kind: blob, backend: file, path: x }"] {
        let Guards { retries, timeout, concurrency } = guards(free);
        assert!(retries.is_none() && timeout.is_none() && concurrency.is_none(), "{free}");
    }
    assert!(
        guards("'redis://h'").timeout > Some(Duration::from_secs(7)),
        "the driver's own limits come first"
    );
    assert_eq!(guards("{ url: 'redis://h', retries: 0, timeout: 3s }").retries, None);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_key() {
    for (yaml, key, message) in [
        ("storage: { file: { path: x } }", "storage.backend", "missing"),
        ("persistence: { state_backend: fiel }", "persistence.state_backend", "`file`"),
        ("stores: { a: {} }", "stores.a.backend", "missing"),
        ("stores: { a: { backend: file } }", "stores.a.path", "missing"),
        ("stores: { a: { backend: memory, path: x } }", "stores.a.path", "only the backends `file`"),
        ("stores: { a: { url: 'redis://h', redis: { db: 1 } } }", "stores.a.redis", "a URL says it itself"),
        ("stores: { a: { backend: memory, s3: { bucket: b } } }", "stores.a.s3", "only the backend `s3`"),
        (
            "stores: { a: { backend: memory, options: { x: 1 } } }",
            "stores.a.options",
            "only the backend `opendal`",
        ),
        ("stores: { a: { backend: postgres } }", "stores.a.backend", "sql.url"),
        ("stores: { a: { backend: sqlite } }", "stores.a.backend", "`path`"),
        (
            "stores: { a: { backend: postgres, sql: { url: 'sqlite:///x' } } }",
            "stores.a.sql.url",
            "`postgres`",
        ),
        ("stores: { a: { backend: s3 } }", "stores.a.s3.bucket", "missing"),
        (
            "stores: { a: { s3: { bucket: b, access_key_id: x } } }",
            "stores.a.s3.secret_access_key",
            "missing",
        ),
        (
            "stores: { a: { s3: { bucket: b, anonymous: true, session_token: x } } }",
            "stores.a.s3.anonymous",
            "one of",
        ),
        ("stores: { a: { backend: opendal } }", "stores.a.scheme", "missing"),
        (
            "stores: { a: { backend: opendal, scheme: s3, options: { bukket: b } } }",
            "stores.a.backend",
            "`bucket`",
        ),
        ("stores: { a: 'redis://h/x' }", "stores.a.url", "number"),
        ("stores: { a: 'postgres://h/db?tabel=t' }", "stores.a.url", "`table`"),
        ("stores: { a: { backend: redis, requires: [scann] } }", "stores.a.requires", "`scan`"),
        ("stores: { a: { s3: { bucket: b }, requires: [ttl] } }", "stores.a.requires", "if-absent"),
        ("stores: { a: { backend: memory, url: 'memory://' } }", "stores.a.url", "one of them"),
        ("stores: { a: { url: data } }", "stores.a.url", "expected a URL"),
        ("stores: { a: 'file://data' }", "stores.a.url", "file:///"),
        ("stores: { a: 'file:///data?x=1' }", "stores.a.url", "no `?`"),
        ("stores: { a: 'ftp://h' }", "stores.a.url", "unknown kind of URL"),
        ("stores: { a: 'memory://x' }", "stores.a.url", "memory://"),
        ("stores: { a: { backend: memory, layers: [p] } }", "stores.a.layers", "no plugin `p`"),
        ("stores: { a: { kind: blob, backend: memory, value_max: 1 } }", "stores.a.value_max", "key-value"),
        ("stores: { a: { backend: memory, cleanup_interval: 5 } }", "stores.a.cleanup_interval", "`redis`"),
        (
            "stores: { a: { kind: blob, backend: file, path: x, cleanup_interval: 5 } }",
            "stores.a.cleanup_interval",
            "`file`",
        ),
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
fn an_origin_has_headers_that_are_references_and_are_never_shown() {
    let http = |grants: &str| format!("plugins: {{ p: {{ path: x, grants: {{ http: [{grants}] }} }} }}");
    for (grants, key, message) in [
        ("a.example", "plugins.p.grants.http[0]", "https://api.example.org"),
        ("'https://a', 'https://u:hunter1@b'", "plugins.p.grants.http[1]", "user or password"),
        ("'https://${HOST}'", "plugins.p.grants.http[0]", "expected an origin"),
        ("{ url: 'https://a', header: {} }", "plugins.p.grants.http[0].header", "did you mean `headers`"),
        (
            "{ url: 'https://a', headers: { Authorization: hunter1 } }",
            "plugins.p.grants.http[0].headers.Authorization",
            "reference",
        ),
        (
            "{ url: 'https://a', headers: { Host: '${TOKEN}' } }",
            "plugins.p.grants.http[0].headers.Host",
            "frames",
        ),
        (
            "{ url: 'https://a', headers: { A: '${LINES}' } }",
            "plugins.p.grants.http[0].headers.A",
            "line's end",
        ),
        ("{ url: 'https://a', ca: ./no-such-file }", "plugins.p.grants.http[0].ca", "can't be read"),
    ] {
        let environment = Environment::from_iter([("TOKEN", "hunter2"), ("LINES", "hunter2\nx: y")]);
        let error = Config::from_yaml_in(&http(grants), environment).and_then(|config| config.plan());
        let error = error.expect_err(grants);
        assert_eq!(error.context("key"), Some(key), "{error}");
        assert!(error.message().contains(message), "{error}");
        assert!(!error.chain().contains("hunter"), "{error}");
    }
    let yaml = http(
        "'http://127.0.0.1:2379/v3', { url: 'https://API.example.org', headers: { Authorization: 'Bearer ${TOKEN}' } }",
    );
    let config = Config::from_yaml_in(&yaml, Environment::from_iter([("TOKEN", "hunter2")])).unwrap();
    let plan = config.plan().unwrap();
    for shown in [plan.to_string(), format!("{plan:?}"), format!("{config:?}")] {
        assert!(!shown.contains("hunter"), "{shown}");
    }
    let shown = plan.to_string();
    assert!(shown.contains("http to http://127.0.0.1:2379/v3\n"), "{shown}");
    assert!(shown.contains("http to https://api.example.org, with authorization added (secret)"), "{shown}");
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
fn no_two_stores_are_the_same_keys_of_a_server() {
    for (yaml, remedy) in [
        ("stores: { a: 'redis://h', b: 'redis://u:x@h:6379/0' }", "a `prefix`"),
        ("stores: { a: 'postgres://h:1/db', b: { sql: { url: 'postgres://h:1/db' } } }", "a `table`"),
    ] {
        let error = refused(yaml);
        assert!(error.message().contains("same data") && error.message().contains(remedy), "{error}");
    }
    plan("stores: { a: 'redis://h', b: 'redis://h/1', c: 'redis://h?prefix=c' }");
    plan("stores: { a: 'postgres://h:1/db', b: 'postgres://h:1/db?table=b' }");
}

#[test]
fn a_migration_needs_two_stores_of_one_kind_that_are_not_one() {
    let plan = plan(
        "
        stores:
          a: memory://
          b: 'redis://h'
          c: { kind: blob, backend: file, path: c }
          d: { kind: blob, backend: file, path: c/d }
          e: 's3://x/p'
          f: 's3://x/p/q'
          g: 's3://x/p?endpoint=http://h'
        ",
    );
    assert_eq!(plan.check_migration("a", "b").unwrap(), StoreKind::Kv);
    assert_eq!(plan.check_migration("e", "g").unwrap(), StoreKind::Blob, "one name at two services");
    for (from, to, says) in [
        ("a", "c", "one kind"),
        ("b", "b", "same data"),
        ("c", "d", "same data"),
        ("f", "e", "same data"),
        ("a", "x", "no store `x`"),
    ] {
        let error = plan.check_migration(from, to).unwrap_err();
        assert!(error.message().contains(says), "{error}");
    }
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
