//! Reading: the seed's examples as they stand, and what is refused, with its place.

use std::time::Duration;

use larder_core::ErrorKind;

use super::*;

const STORAGE: &str = "\
storage:
  backend: s3
  s3:
    bucket: my-fetcher-bucket
    region: us-east-1
    prefix: data/
  file:
    path: ./data/
";
const CACHE: &str = "\
cache:
  enabled: true
  backend: redis
  ttl: 3600
  max_size: 1000
  redis:
    host: localhost
    port: 6379
    db: 0
";
const PERSISTENCE: &str = "\
persistence:
  state_backend: redis
  cache_backend: memory
  cleanup_interval: 86400  # 24 hours
";

fn refused(yaml: &str) -> Error {
    let error = Config::from_yaml(yaml).expect_err(yaml);
    assert_eq!(error.kind(), ErrorKind::Config);
    error
}

fn variables<const N: usize>(variables: [(&str, &str); N]) -> Environment {
    Environment::from_iter(variables)
}

#[test]
fn the_founding_sections_are_read_as_they_stand() {
    let config = Config::from_yaml(&format!("{STORAGE}{CACHE}{PERSISTENCE}")).unwrap();
    assert_eq!(config.storage.backend.as_deref(), Some("s3"));
    let s3 = config.storage.s3.unwrap();
    assert_eq!(s3.bucket.as_deref(), Some("my-fetcher-bucket"));
    assert_eq!(s3.region.as_deref(), Some("us-east-1"));
    assert_eq!(s3.prefix.as_deref(), Some("data/"));
    assert_eq!(config.storage.file.unwrap().path.as_deref(), Some("./data/"));
    assert!(config.cache.enabled);
    assert_eq!(config.cache.backend.as_deref(), Some("redis"));
    assert_eq!(config.cache.ttl, Some(Duration::from_secs(3600)));
    assert_eq!(config.cache.max_size, Some(1000));
    assert_eq!(config.cache.redis, Some(RedisSection::default()));
    assert_eq!(config.persistence.state_backend.as_deref(), Some("redis"));
    assert_eq!(config.persistence.cache_backend.as_deref(), Some("memory"));
    assert_eq!(config.persistence.cleanup_interval, Some(Duration::from_secs(86_400)));
}

#[test]
fn toml_has_the_same_keys() {
    let toml = "
        [storage]
        backend = 'file'
        file.path = './data/'
        [persistence]
        state_backend = 'file'
        cleanup_interval = '1d'
        [stores.frontier]
        backend = 'kv-log'
        layers = ['kv-encrypt']
        [plugins.kv-log]
        path = 'kv-log.wasm'
        [[plugins.kv-log.grants.folders]]
        path = './state'
        as = '/data'
        access = 'read-write'
        [plugins.kv-encrypt]
        path = 'kv-encrypt.wasm'
    ";
    let config = Config::from_toml(toml).unwrap();
    assert_eq!(config.persistence.cleanup_interval, Some(Duration::from_secs(86_400)));
    assert_eq!(config.stores["frontier"].layers, ["kv-encrypt"]);
    assert_eq!(config.plugins["kv-log"].grants.folders[0].access, AccessSection::ReadWrite);
}

#[test]
fn an_unknown_key_is_refused_with_its_path_and_the_nearest_known_one() {
    for (yaml, key, nearest) in [
        ("storge: {}", "storge", "storage"),
        ("storage: { backnd: file }", "storage.backnd", "backend"),
        ("storage: { s3: { buckt: x } }", "storage.s3.buckt", "bucket"),
        ("storage: { file: { pth: x } }", "storage.file.pth", "path"),
        ("cache: { enabld: true }", "cache.enabld", "enabled"),
        ("cache: { redis: { prt: 1 } }", "cache.redis.prt", "port"),
        ("persistence: { state_backnd: file }", "persistence.state_backnd", "state_backend"),
        ("stores: { a: { backnd: file } }", "stores.a.backnd", "backend"),
        ("plugins: { p: { pth: x } }", "plugins.p.pth", "path"),
        ("plugins: { p: { path: x, grants: { foldrs: [] } } }", "plugins.p.grants.foldrs", "folders"),
        (
            "plugins: { p: { path: x, grants: { folders: [{ path: a, as: /a, acces: read }] } } }",
            "plugins.p.grants.folders[0].acces",
            "access",
        ),
        ("plugins: { p: { path: x, limits: { memry: 1 } } }", "plugins.p.limits.memry", "memory"),
    ] {
        let error = refused(yaml);
        assert_eq!(error.context("key"), Some(key));
        assert!(error.message().contains(&format!("`{nearest}`")), "{error}");
    }
}

#[test]
fn a_wrong_type_is_refused_with_what_would_be_right() {
    for (yaml, key, expected) in [
        ("cache: { enabled: maybe }", "cache.enabled", "true or false"),
        ("cache: { enabled: 1 }", "cache.enabled", "true or false"),
        ("cache: { ttl: soon }", "cache.ttl", "a duration"),
        ("cache: { ttl: -5 }", "cache.ttl", "a duration"),
        ("cache: { max_size: many }", "cache.max_size", "a whole number"),
        ("cache: { redis: { port: 70000 } }", "cache.redis.port", "up to 65535"),
        ("cache: { redis: [] }", "cache.redis", "a table"),
        ("storage: { backend: [file] }", "storage.backend", "text"),
        ("storage: 5", "storage", "a table"),
        ("stores: { a: { layers: 5 } }", "stores.a.layers", "a list of texts"),
        ("stores: { a: { kind: table } }", "stores.a.kind", "`kv` or `blob`"),
        ("stores: { a: { value_max: big } }", "stores.a.value_max", "a size"),
        ("stores: { 'a b': memory:// }", "stores.a b", "a name"),
        ("plugins: { p: { settings: { a: [] } } }", "plugins.p.settings.a", "text, a number"),
        ("plugins: { p: {} }", "plugins.p.path", "missing"),
        ("plugins: { p: { path: x, grants: { http: 5 } } }", "plugins.p.grants.http", "a list of texts"),
        ("plugins: { p: { path: x, grants: { http: [5] } } }", "plugins.p.grants.http[0]", "text or a table"),
        ("plugins: { p: { path: x, grants: { http: [{}] } } }", "plugins.p.grants.http[0].url", "missing"),
    ] {
        let error = refused(yaml);
        assert_eq!(error.context("key"), Some(key), "{error}");
        assert!(error.message().contains(expected), "{error}");
    }
}

#[test]
fn what_is_no_yaml_or_toml_is_refused_with_its_line_and_without_quoting_it() {
    let error = refused("storage:\n  backend: file\n secret: hunter2\n");
    assert!(!error.chain().contains("hunter2"), "{error}");
    let error = Config::from_toml("[plugins]\nsecret = hunter2\n").unwrap_err();
    assert_eq!(error.context("line"), Some("2"));
    assert!(!error.chain().contains("hunter2"), "{error}");
    assert_eq!(Config::from_yaml("a: 1\na: 2").unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn an_empty_file_is_the_defaults() {
    for yaml in ["", "# nothing\n\n", "storage:\n", "{}"] {
        assert!(Config::from_yaml(yaml).unwrap().stores.is_empty());
    }
}

#[test]
fn a_file_is_named_in_its_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("larder.yaml");
    let error = Config::load_in(&file, Environment::default()).unwrap_err();
    assert_eq!(error.context("file"), Some(file.to_str().unwrap()));
    std::fs::write(&file, "storage: { s3: { buckt: x } }").unwrap();
    let error = Config::load_in(&file, Environment::default()).unwrap_err();
    assert_eq!(error.context("file"), Some(file.to_str().unwrap()));
    assert_eq!(error.context("key"), Some("storage.s3.buckt"));
    std::fs::write(&file, [0xff, 0xfe]).unwrap();
    assert!(Config::load_in(&file, Environment::default()).unwrap_err().message().contains("UTF-8"));
    let error = Config::load_in(folder.path().join("larder.ini"), Environment::default()).unwrap_err();
    assert!(error.message().contains(".yaml"));
}

#[test]
fn variables_override_keys_and_are_named_in_errors() {
    let environment = variables([
        ("LARDER_CACHE__TTL", "60"),
        ("LARDER_CACHE__ENABLED", "false"),
        ("LARDER_CACHE__REDIS__PORT", "7000"),
        ("LARDER_STORES__FRONTIER__LAYERS", "a, b"),
        ("LARDER_PLUGINS__KV_LOG__PATH", "other.wasm"),
        ("LARDER_STORAGE", "file:///data"),
        ("LARDER_CONFIG", "not an override"),
        ("PATH", "/bin"),
    ]);
    let yaml =
        format!("{CACHE}stores: {{ frontier: {{ backend: memory }} }}\nplugins: {{ kv-log: {{ path: x }} }}");
    let config = Config::from_yaml_in(&yaml, environment).unwrap();
    assert_eq!(config.cache.ttl, Some(Duration::from_secs(60)));
    assert!(!config.cache.enabled);
    assert_eq!(config.cache.redis.unwrap().port, 7000);
    assert_eq!(config.stores["frontier"].layers, ["a", "b"]);
    assert_eq!(config.plugins["kv-log"].path, "other.wasm");
    assert_eq!(config.storage.backend.as_deref(), Some("file:///data"));

    for (name, value) in [
        ("LARDER_CACHE__TTL", "soon"),
        ("LARDER_CAHCE__TTL", "60"),
        ("LARDER_CACHE__TTTL", "60"),
        ("LARDER_CACHE____TTL", "60"),
    ] {
        let error = Config::from_environment(variables([(name, value)])).unwrap_err();
        assert_eq!(error.context("variable"), Some(name), "{error}");
    }
    let error = Config::from_yaml_in("storage: memory://", variables([("LARDER_STORAGE__BACKEND", "s3")]));
    assert_eq!(error.unwrap_err().context("variable"), Some("LARDER_STORAGE__BACKEND"));
}

#[test]
fn references_stand_for_numbers_too() {
    let environment = variables([("TTL", "5m"), ("ON", "false")]);
    let config = Config::from_yaml_in("cache: { ttl: '${TTL}', enabled: '${ON}' }", environment).unwrap();
    assert_eq!(config.cache.ttl, Some(Duration::from_secs(300)));
    assert!(!config.cache.enabled);
    let error = refused("cache: { ttl: '${NO_SUCH}' }");
    assert_eq!(error.context("key"), Some("cache.ttl"));
    assert!(error.message().contains("NO_SUCH"));
}

#[test]
fn debug_shows_no_literal_setting() {
    let yaml = "plugins: { p: { path: x, settings: { password: hunter2, token: '${TOKEN}' } } }";
    let shown = format!("{:?}", Config::from_yaml_in(yaml, variables([("TOKEN", "hunter3")])).unwrap());
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(shown.contains("${TOKEN}"), "{shown}");
}
