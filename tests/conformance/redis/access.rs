//! Users, permissions, passwords and encryption.

use larder_backends::redis::{Durability, RedisKv, RedisOptions};
use larder_core::{Commit, ErrorKind, KvStore};
use larder_tests::servers::redis::{RedisServer, RedisSettings, TlsFiles};
use redis::cmd;

use super::{get, key, names, open, put};

/// What a store needs, and nothing else: the line of `FORMAT.md`.
const PERMISSIONS: &str = "+get +getrange +exists +pttl +set +del +incrby +time +zadd +zrem +zscore +zrangebylex \
     +zrangebyscore +scan +evalsha +script|load +ping +hello +select";

async fn refused(options: RedisOptions) -> larder_core::Error {
    let error = RedisKv::connect(options).await.unwrap_err();
    assert!(!error.chain().contains("hunter2"), "{}", error.chain());
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_the_least_permissions_can_do_everything_and_one_with_less_is_refused_at_once() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let set_user = |permissions: &str| {
        let rules = format!("reset on >hunter2 ~{{larder}}* {permissions}");
        let rules: Vec<&str> = rules.split_ascii_whitespace().collect();
        server.tell(cmd("ACL").arg("SETUSER").arg("fetcher").arg(rules)).unwrap();
    };
    let options =
        || RedisOptions::standalone("127.0.0.1", server.port(), 0).user("fetcher").password("hunter2");
    set_user(PERMISSIONS);
    let store = RedisKv::connect(options()).await.unwrap();
    let commit = Commit::new()
        .put(key("a"), "1")
        .put_with_ttl(key("b"), "2", std::time::Duration::from_secs(60))
        .add(key("n"), i64::MAX)
        .delete(key("c"));
    store.commit(&commit).await.unwrap();
    assert_eq!(names(&store, 10).await, ["a", "b", "n"]);
    store.sweep().await.unwrap();
    store.health().await.unwrap();
    server.tell(cmd("SET").arg("{larder}:plain").arg("1")).unwrap();
    assert_eq!(get(&store, "plain").await.unwrap().value, "1");
    for missing in
        ["get", "getrange", "exists", "pttl", "set", "del", "incrby", "time", "zadd", "zrem", "zscore"]
    {
        set_user(&format!("{PERMISSIONS} -{missing}"));
        let error = refused(options()).await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{missing}: {error}");
        assert_eq!(error.context("command"), Some(missing.to_uppercase().as_str()));
    }
    // Keys of others are none of its business.
    set_user(PERMISSIONS);
    assert_eq!(refused(options().key_prefix("other")).await.kind(), ErrorKind::Denied);
    // What it could do at first it may lose later, while something is under way: that is as open as it is denied.
    set_user(&format!("{PERMISSIONS} -set"));
    let error = store.commit(&Commit::new().put(key("x"), "1").put(key("y"), "1")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Denied, true), "{error}");
    assert_eq!(names(&store, 10).await, ["a", "b", "n", "plain"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_and_missing_passwords_are_denied_and_never_repeated() {
    let server = RedisServer::start(&RedisSettings::new().password("hunter2")).unwrap();
    let options = || RedisOptions::standalone("127.0.0.1", server.port(), 0);
    put(&RedisKv::connect(options().password("hunter2")).await.unwrap(), "a", "1").await;
    for options in [options(), options().password("wrong"), options().user("nobody").password("hunter2")] {
        let error = refused(options).await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    }
    let url = format!("redis://:hunter2@127.0.0.1:{}/0", server.port());
    let store = open(&url).await;
    assert_eq!(get(&store, "a").await.unwrap().value, "1");
    assert!(!format!("{store} {store:?}").contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_encrypted_and_both_sides_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles::create(folder.path()).unwrap();
    let server = RedisServer::start(&RedisSettings::new().tls(&files)).unwrap();
    let options = || RedisOptions::from_url(&server.url()).unwrap();
    let ours = || options().tls_ca_file(&files.ca).tls_client_files(&files.certificate, &files.key);
    let store = RedisKv::connect(ours()).await.unwrap();
    put(&store, "a", "1").await;
    assert_eq!(get(&store, "a").await.unwrap().value, "1");
    // The server asks for a certificate of the authority's.
    assert_eq!(refused(options().tls_ca_file(&files.ca)).await.kind(), ErrorKind::Unavailable);
    // An authority that is not the one who gave the server its certificate.
    let other = tempfile::tempdir().unwrap();
    let others = TlsFiles::create(other.path()).unwrap();
    let stranger = options().tls_ca_file(&others.ca).tls_client_files(&files.certificate, &files.key);
    assert_eq!(refused(stranger).await.kind(), ErrorKind::Unavailable);
    // A file that is not there, or is no PEM.
    let error = refused(ours().tls_ca_file(folder.path().join("missing.pem"))).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.context("file").unwrap().ends_with("missing.pem"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_promises_less_durability_than_is_asked_for_is_refused() {
    let weak = RedisServer::start(&RedisSettings::new()).unwrap();
    let second = RedisServer::start(&RedisSettings::new().line("appendonly yes")).unwrap();
    let strong = RedisServer::start(&RedisSettings::new().durable()).unwrap();
    let evicting =
        RedisSettings::new().durable().line("maxmemory 100mb").line("maxmemory-policy volatile-lru");
    let evicting = RedisServer::start(&evicting).unwrap();
    for (server, best) in [
        (&weak, Durability::Any),
        (&second, Durability::EverySecond),
        (&strong, Durability::Always),
        (&evicting, Durability::Any),
    ] {
        for wanted in [Durability::Any, Durability::EverySecond, Durability::Always] {
            let opened =
                RedisKv::connect(RedisOptions::from_url(&server.url()).unwrap().durability(wanted)).await;
            match opened {
                Ok(_) => assert!(wanted <= best, "{wanted:?} on a server of {best:?}"),
                Err(error) => {
                    assert!(wanted > best, "{wanted:?} on a server of {best:?}: {error}");
                    assert_eq!(error.kind(), ErrorKind::Config);
                }
            }
        }
    }
}
