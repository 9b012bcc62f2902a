//! What is particular to PostgreSQL: the server's clock, its settings, roles and collations, its stops and crashes.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command, sync::Arc, time::Duration};

use larder_backends::sql::{SqlKv, SqlOptions};
use larder_core::{Commit, ErrorKind, Expectation, Key, KeyRange, KvStore, Outcome, Scan, Timestamp};
use larder_tests::servers::postgres::{PASSWORD, Postgres};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, query};
use tokio::time::{sleep, timeout};

/// Between two looks at something that is about to happen.
const LOOK: Duration = Duration::from_millis(20);
/// Longest wait for it.
const PATIENCE: Duration = Duration::from_secs(30);

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn options(server: &Postgres) -> SqlOptions {
    SqlOptions::from_url(&server.url()).unwrap()
}

async fn connect(options: SqlOptions) -> SqlKv {
    SqlKv::connect(options).await.unwrap()
}

/// Looks until something is so.
async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let looked = timeout(PATIENCE, async {
        while !look().await {
            sleep(LOOK).await;
        }
    });
    looked.await.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"));
}

async fn server_now(connection: &mut PgConnection) -> Timestamp {
    let now = query("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint");
    Timestamp(u64::try_from(now.fetch_one(connection).await.unwrap().get::<i64, _>(0)).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_servers_clock_decides_over_expiry_for_all_hosts() {
    let server = Postgres::start().unwrap();
    let (one, other) = (connect(options(&server)).await, connect(options(&server)).await);
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    let ttl = Duration::from_millis(400);
    let before = server_now(&mut raw).await;
    // Each way to write: one statement, many puts, and with a counter.
    one.commit(&Commit::new().put_with_ttl(key("a"), "1", ttl)).await.unwrap();
    one.commit(&Commit::new().put_with_ttl(key("b"), "1", ttl).put(key("c"), "1")).await.unwrap();
    one.commit(&Commit::new().put_with_ttl(key("d"), "1", ttl).add(key("n"), 1)).await.unwrap();
    let after = server_now(&mut raw).await;
    for name in ["a", "b", "d"] {
        let Some(entry) = other.get(&key(name)).await.unwrap() else { continue };
        let expires_at = entry.expires_at.unwrap();
        assert!(expires_at >= before.after(ttl) && expires_at <= after.after(ttl), "{name}: {expires_at:?}");
    }
    until("they expire", async || {
        other.get_many(&["a", "b", "d"].map(key)).await.unwrap() == [None, None, None]
    })
    .await;
    assert!(server_now(&mut raw).await >= before.after(ttl));
    // Expired is absent for every way to look, before anything is swept.
    assert_eq!(one.scan(&Scan::new(KeyRange::all())).await.unwrap().entries.len(), 2);
    assert_eq!(one.commit(&Commit::new().delete(key("a"))).await.unwrap(), [Outcome::Deleted(false)]);
    let create = Commit::new().check(key("b"), Expectation::Absent).put(key("b"), "2");
    other.commit(&create).await.unwrap();
    assert_eq!(one.sweep().await.unwrap(), 1, "`d` is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_entries_are_removed_in_the_background_by_any_host() {
    let server = Postgres::start().unwrap();
    let often = |server| options(server).cleanup_interval(Duration::from_millis(20));
    let (one, _other) = (connect(often(&server)).await, connect(often(&server)).await);
    let mut commit = Commit::new().put(key("stays"), "1");
    for i in 0..500 {
        commit = commit.put_with_ttl(key(&format!("k{i}")), "1", Duration::from_millis(1));
    }
    one.commit(&commit).await.unwrap();
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    until("the rows are gone", async || {
        query("SELECT count(*) FROM larder").fetch_one(&mut raw).await.unwrap().get::<i64, _>(0) == 1
    })
    .await;
    one.close().await.unwrap();
    assert_eq!(one.get(&key("stays")).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_is_that_of_bytes_whatever_the_collation() {
    let server = Postgres::start().unwrap();
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    let create =
        "CREATE DATABASE german TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C.UTF-8'";
    raw.execute(create).await.unwrap();
    let url = server.url().replace("/postgres", "/german").replace("/german:", "/postgres:");
    let mut german = PgConnection::connect(&url).await.unwrap();
    let collated: bool = query("SELECT 'a' < 'B'").fetch_one(&mut german).await.unwrap().get(0);
    assert!(collated, "this database does not order by bytes, so the test means something");
    let store = connect(SqlOptions::from_url(&url).unwrap()).await;
    let names =
        ["B", "a", "Z", "ä", "z", "A", "a\0b", "a b", "\u{10FFFF}", "\u{E000}", "\u{D7FF}", "ss", "ß"];
    for name in names {
        store.commit(&Commit::new().put(key(name), name)).await.unwrap();
    }
    let page = store.scan(&Scan::new(KeyRange::all())).await.unwrap();
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(page.entries.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), sorted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_and_returns_needs_no_restart_of_the_host() {
    let mut server = Postgres::start().unwrap();
    let store = Arc::new(connect(options(&server)).await);
    for stop in [true, false] {
        // Several connections, so that the pool is full of dead ones.
        let commits = (0..8).map(|i| {
            let store = store.clone();
            async move { store.commit(&Commit::new().put(key(&format!("k{i}")), "1").add(key("n"), 1)).await }
        });
        futures::future::try_join_all(commits).await.unwrap();
        match stop {
            true => server.stop().unwrap(),
            false => server.kill(),
        }
        // Who first finds a connection dead warns the others: a write is not even tried on what lay idle with it. They
        // all wait for a new connection as long as they may, so at once.
        let (add, one) = (Commit::new().add(key("n"), 100), key("k1"));
        let first = store.get(&one).await.unwrap_err();
        let (many, commit, health) =
            futures::join!(store.get_many(std::slice::from_ref(&one)), store.commit(&add), store.health());
        for error in [first, many.unwrap_err(), commit.unwrap_err(), health.unwrap_err()] {
            let (kind, unknown) = (error.kind(), error.is_effect_unknown());
            assert_eq!((kind, unknown), (ErrorKind::Unavailable, false), "{}", error.chain());
            assert!(!error.chain().contains(PASSWORD));
        }
        server.restart().unwrap();
        timeout(Duration::from_secs(5), async {
            while store.health().await.is_err() {
                sleep(LOOK).await;
            }
        })
        .await
        .expect("the host recovers within 5 s of the server's return");
    }
    assert_eq!(store.get(&key("n")).await.unwrap().unwrap().value, "16");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_lost_on_the_way_is_of_unknown_effect() {
    let server = Postgres::start().unwrap();
    let store = Arc::new(connect(options(&server)).await);
    store.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    let mut observer = PgConnection::connect(&server.url()).await.unwrap();
    let single = Commit::new().put(key("a"), "2");
    let several = Commit::new().check(key("a"), Expectation::Present).put(key("b"), "2");
    for (commit, unknown) in [(single, true), (several, false)] {
        raw.execute("BEGIN; SELECT 1 FROM larder WHERE key = 'a' FOR UPDATE").await.unwrap();
        let writing = tokio::spawn({
            let (store, commit) = (store.clone(), commit.clone());
            async move { store.commit(&commit).await }
        });
        // It waits for the row; then its session is ended, as an administrator or a failing server does.
        until("the write waits", async || waiting(&mut observer).await > 0).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        observer.execute(end).await.unwrap();
        let error = writing.await.unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.is_effect_unknown()),
            (ErrorKind::Unavailable, unknown),
            "{}",
            error.chain()
        );
        raw.execute("ROLLBACK").await.unwrap();
        // The next one works, on a new connection.
        store.commit(&Commit::new().put(key("c"), "1")).await.unwrap();
    }
}

/// How many sessions wait for a lock. The observer is in no transaction: there the server shows what it saw first.
async fn waiting(raw: &mut PgConnection) -> i64 {
    let waiting = query("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    waiting.fetch_one(raw).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_given_up_and_changes_nothing() {
    let server = Postgres::start().unwrap();
    let store = connect(options(&server).statement_timeout(Duration::from_millis(200))).await;
    store.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    raw.execute("BEGIN; SELECT 1 FROM larder WHERE key = 'a' FOR UPDATE").await.unwrap();
    for commit in [Commit::new().put(key("a"), "2"), Commit::new().put(key("a"), "2").delete(key("b"))] {
        let error = store.commit(&commit).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.is_effect_unknown()),
            (ErrorKind::Timeout, false),
            "{}",
            error.chain()
        );
    }
    assert_eq!(store.get(&key("a")).await.unwrap().unwrap().value, "1", "readers never wait");
    raw.execute("ROLLBACK").await.unwrap();
    store.commit(&Commit::new().put(key("a"), "2")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_commit_leaves_no_session_in_a_transaction() {
    let server = Postgres::start().unwrap();
    let store = Arc::new(connect(options(&server).connections_max(2)).await);
    store.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    let mut observer = PgConnection::connect(&server.url()).await.unwrap();
    raw.execute("BEGIN; SELECT 1 FROM larder WHERE key = 'a' FOR UPDATE").await.unwrap();
    for _ in 0..4 {
        let commit = Commit::new().put(key("a"), "2").delete(key("b"));
        let writing = tokio::spawn({
            let store = store.clone();
            async move { store.commit(&commit).await }
        });
        until("the commit waits", async || waiting(&mut observer).await > 0).await;
        writing.abort();
        assert!(writing.await.unwrap_err().is_cancelled());
        // Its session may wait for the row still, but the pool has connections all the same.
        assert_eq!(store.get(&key("a")).await.unwrap().unwrap().value, "1");
    }
    raw.execute("ROLLBACK").await.unwrap();
    until("no session is in a transaction", async || {
        let open = "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() \
                    AND backend_type = 'client backend'";
        query(open).fetch_one(&mut raw).await.unwrap().get::<i64, _>(0) == 0
    })
    .await;
    assert_eq!(store.get(&key("a")).await.unwrap().unwrap().value, "1", "none of them was committed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_items_take_a_handful_of_statements() {
    let server = Postgres::start_with(&["log_statement=all"]).unwrap();
    let store = connect(options(&server)).await;
    let keys: Vec<Key> = (0..1_000).map(|i| key(&format!("k{i:04}"))).collect();
    let puts = keys.iter().fold(Commit::new(), |commit, key| commit.put(key.clone(), "1"));
    let counted = async |commit: &Commit| {
        let before = statements(&server);
        store.commit(commit).await.unwrap();
        statements(&server) - before
    };
    assert_eq!(counted(&puts).await, 1);
    let mixed = keys.iter().enumerate().fold(Commit::new(), |commit, (i, key)| {
        let commit = commit.check(key.clone(), Expectation::Present);
        match i % 3 {
            0 => commit.add(key.clone(), 1),
            1 => commit.delete(key.clone()),
            _ => commit.put(key.clone(), "2"),
        }
    });
    assert_eq!(counted(&mixed).await, 6, "begin, take, look, put, delete, commit");
    let swap = Commit::new().put(key("a"), "1").check(key("a"), Expectation::Absent);
    assert_eq!(counted(&swap).await, 1);
    assert_eq!(counted(&Commit::new().add(key("n"), 1)).await, 1);
    let before = statements(&server);
    assert_eq!(store.get_many(&keys).await.unwrap().len(), 1_000);
    assert_eq!(statements(&server) - before, 1);
}

/// How many statements the server has run.
fn statements(server: &Postgres) -> usize {
    let log = fs::read_to_string(server.data().with_file_name("server.log")).unwrap();
    log.lines().filter(|line| line.contains("LOG:  execute")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_are_refused_what_they_may_not_do_and_need_no_more() {
    let server = Postgres::start().unwrap();
    connect(options(&server)).await.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    raw.execute(
        "CREATE ROLE writer LOGIN PASSWORD 'w'; CREATE ROLE stranger LOGIN PASSWORD 's'; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON larder TO writer; GRANT SELECT ON larder_migrations TO writer",
    )
    .await
    .unwrap();
    let as_role = |user: &str, password: &str| {
        let url = format!("postgres://{user}:{password}@127.0.0.1:{}/postgres", server.port());
        SqlOptions::from_url(&url).unwrap()
    };
    let writer = connect(as_role("writer", "w")).await;
    writer.commit(&Commit::new().put(key("b"), "1").delete(key("a"))).await.unwrap();
    writer.commit(&Commit::new().put(key("b"), "2")).await.unwrap();
    let denied = async |options: SqlOptions| {
        let error = SqlKv::connect(options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{}", error.chain());
        error.chain()
    };
    denied(as_role("stranger", "s")).await;
    denied(as_role("writer", "w").table("mine")).await;
    let wrong = denied(as_role("writer", "hunter2-secret")).await;
    assert!(!wrong.contains("hunter2"), "{wrong}");
    let nowhere = SqlOptions::from_url(&server.url().replace("/postgres", "/nowhere").replacen(
        "/nowhere:",
        "/postgres:",
        1,
    ));
    let error = SqlKv::connect(nowhere.unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_a_connection_to_spare_is_unavailable() {
    let server = Postgres::start_with(&["max_connections=4", "superuser_reserved_connections=0"]).unwrap();
    let store =
        connect(options(&server).connect_timeout(Duration::from_millis(300)).connections_max(1)).await;
    let mut others = Vec::new();
    while let Ok(other) = PgConnection::connect(&server.url()).await {
        others.push(other);
    }
    // Its own connection still serves; a second store gets none.
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
    let options = options(&server).connect_timeout(Duration::from_millis(300));
    let error = SqlKv::connect(options.clone()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_effect_unknown()),
        (ErrorKind::Unavailable, false),
        "{}",
        error.chain()
    );
    drop(others);
    until("there is one again", async || SqlKv::connect(options.clone()).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_database_do_not_weaken_the_contract() {
    let server = Postgres::start().unwrap();
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    raw.execute(
        "ALTER DATABASE postgres SET default_transaction_isolation = 'serializable'; \
         ALTER DATABASE postgres SET synchronous_commit = 'off'; ALTER DATABASE postgres SET bytea_output = 'escape'; \
         ALTER DATABASE postgres SET search_path = 'elsewhere', 'public'; \
         ALTER DATABASE postgres SET timezone = 'Asia/Kathmandu'; CREATE SCHEMA elsewhere",
    )
    .await
    .unwrap();
    let store = Arc::new(connect(options(&server)).await);
    let adds = (0..40).map(|i| {
        let store = store.clone();
        async move {
            let commit = Commit::new().add(key("n"), 1);
            store.commit(&if i % 2 == 0 { commit } else { commit.put(key("b"), "1") }).await
        }
    });
    futures::future::try_join_all(adds).await.unwrap();
    assert_eq!(store.get(&key("n")).await.unwrap().unwrap().value, "40");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_verified_as_the_url_asks() {
    let mut server = Postgres::start().unwrap();
    let url = server.url();
    // Without a certificate the server speaks no TLS; who asks for it gets no other connection.
    let error =
        SqlKv::connect(SqlOptions::from_url(&format!("{url}?sslmode=require")).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{}", error.chain());

    let certificate = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (own, strange) = (certificate("127.0.0.1"), certificate("127.0.0.1"));
    let (crt, key_file) = (server.data().join("server.crt"), server.data().join("server.key"));
    fs::write(&crt, own.cert.pem()).unwrap();
    fs::write(&key_file, own.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    own_like(&server, &[&crt, &key_file]);
    let config = server.data().join("postgresql.conf");
    let settings = fs::read_to_string(&config).unwrap() + "\nssl = on\n";
    fs::write(&config, settings).unwrap();
    server.stop().unwrap();
    server.restart().unwrap();

    let folder = tempfile::tempdir().unwrap();
    let (trusted, wrong) = (folder.path().join("trusted.pem"), folder.path().join("wrong.pem"));
    fs::write(&trusted, own.cert.pem()).unwrap();
    fs::write(&wrong, strange.cert.pem()).unwrap();
    let with_root = |root: &std::path::Path| {
        SqlOptions::from_url(&format!("{url}?sslmode=verify-full&sslrootcert={}", root.display())).unwrap()
    };
    let store = connect(with_root(&trusted)).await;
    store.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE query LIKE '%larder%' AND pid <> pg_backend_pid()";
    assert!(query(encrypted).fetch_one(&mut raw).await.unwrap().get::<bool, _>(0));
    let error = SqlKv::connect(with_root(&wrong)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{}", error.chain());
    assert!(!error.chain().contains(PASSWORD));
}

/// Gives files to whom the server's data belongs.
fn own_like(server: &Postgres, files: &[&std::path::Path]) {
    let data = server.data().join("PG_VERSION");
    let status = Command::new("chown").arg("--reference").arg(data).args(files).status().unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_not_larders_is_left_alone() {
    let server = Postgres::start().unwrap();
    let mut raw = PgConnection::connect(&server.url()).await.unwrap();
    raw.execute("CREATE TABLE users (id int); INSERT INTO users VALUES (1)").await.unwrap();
    let error = SqlKv::connect(options(&server).table("users")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{}", error.chain());
    assert_eq!(query("SELECT count(*) FROM users").fetch_one(&mut raw).await.unwrap().get::<i64, _>(0), 1);
}
