//! `larder migrate` over real servers: entries through SQLite, Redis and PostgreSQL and back into files, blobs into a
//! bucket and back, each leg killed twice on its way.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the machinery of the tests fails the test"
)]

use larder_tests::{
    crash::Random,
    migration::migrate,
    servers::{
        postgres::Postgres,
        redis::{RedisServer, RedisSettings},
        s3::{ACCESS_KEY, S3Server, SECRET_KEY},
    },
};
use serde_json::Value;

use crate::{
    command::Larder,
    migrate::{fill, put_blobs, seed},
};

/// Runs a migration that is killed twice after some steps, and then must end equal.
fn killed_twice(
    larder: &Larder,
    variables: &[(&str, &str)],
    arguments: &[&str],
    random: &mut Random,
) -> Value {
    let arguments = [arguments, &["--verify", "--json"]].concat();
    for _ in 0..2 {
        let killed = migrate(larder.path(), variables, &arguments, Some(1 + random.below(7)));
        assert_eq!(killed.code, None, "{}", killed.err);
    }
    let done = migrate(larder.path(), variables, &arguments, None);
    assert_eq!(done.code, Some(0), "{}\n{}", done.err, done.out);
    let report: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(
        (&report["resumed"], &report["verification"]["different"]),
        (&true.into(), &0.into()),
        "{report}"
    );
    report
}

#[test]
fn entries_go_through_every_server_and_come_back_as_they_were() {
    let (redis, postgres) = (RedisServer::start(&RedisSettings::new()).unwrap(), Postgres::start().unwrap());
    let mut random = Random::new(seed(), 1, 0);
    let (redis_url, postgres_url) = (redis.url(), format!("{}?table=moved", postgres.url()));
    let larder = Larder::with_config(
        "
        stores:
          old: { backend: file, path: old }
          lite: { backend: sqlite, path: lite.db }
          new: { backend: file, path: new }
        ",
    )
    // That this server keeps no log of writes is no news here.
    .with_variable("LARDER_LOG", "error");
    fill(&larder, "old", 8_000, &mut random);
    let variables = [("REDIS_URL", redis_url.as_str()), ("POSTGRES_URL", postgres_url.as_str())];
    for leg in [
        ["--from-store", "old", "--to-store", "lite"],
        ["--from-store", "lite", "--to", "${REDIS_URL}"],
        ["--from", "${REDIS_URL}", "--to", "${POSTGRES_URL}"],
        ["--from", "${POSTGRES_URL}", "--to-store", "new"],
    ] {
        let report = killed_twice(&larder, &variables, &leg, &mut random);
        assert_eq!((&report["copied"], &report["expiring"]), (&8_000.into(), &800.into()), "{leg:?}");
        assert!(!report.to_string().contains("correct-horse"), "{report}");
    }
    let scanned = |store: &str| larder.done(&["kv", "scan", "--store", store]);
    assert_eq!(scanned("old"), scanned("new"), "and no checkpoint is left");
    // Nor one in the server: the counter counts on there, too.
    let sum = larder.done(&["--url", &redis_url, "kv", "incr", "0a/10"]);
    assert_eq!(sum, "11\n");
    larder.refused(&["--url", &redis_url, "kv", "get", ".larder-migration"], 1, &["not found"]);
}

#[test]
fn blobs_go_to_a_bucket_and_come_back_with_their_metadata() {
    let s3 = S3Server::start().unwrap();
    s3.make_bucket("moved");
    let mut random = Random::new(seed(), 1, 1);
    let endpoint = s3.endpoint();
    let larder = Larder::with_config(&format!(
        "
        stores:
          pages: {{ kind: blob, backend: file, path: pages }}
          bucket:
            s3:
              bucket: moved
              prefix: here
              region: us-east-1
              endpoint: {endpoint}
              access_key_id: '${{KEY}}'
              secret_access_key: '${{SECRET}}'
          copies: {{ kind: blob, backend: file, path: copies }}
        "
    ));
    put_blobs(&larder, "pages", 40, &mut random);
    let variables = [("KEY", ACCESS_KEY), ("SECRET", SECRET_KEY)];
    for (from, to) in [("pages", "bucket"), ("bucket", "copies")] {
        let report =
            killed_twice(&larder, &variables, &["--from-store", from, "--to-store", to], &mut random);
        assert_eq!(report["verification"]["compared"], 40, "{report}");
        assert!(!report.to_string().contains(SECRET_KEY), "{report}");
    }
    let larder = larder.with_variable("KEY", ACCESS_KEY).with_variable("SECRET", SECRET_KEY);
    let stat = |store: &str| -> Value {
        let stat = larder.done(&["blob", "stat", "a/1/7", "--json", "--store", store]);
        serde_json::from_str(&stat).unwrap()
    };
    for field in ["size_bytes", "content_type", "meta"] {
        assert_eq!(stat("pages")[field], stat("copies")[field], "{field}");
        assert_eq!(stat("pages")[field], stat("bucket")[field], "{field}");
    }
    let listed = |store: &str| larder.done(&["blob", "ls", "--recursive", "--store", store]);
    assert_eq!(listed("pages"), listed("copies"), "and no checkpoint is left");
    assert_eq!(listed("pages"), listed("bucket"));
}

#[test]
fn each_store_is_tried_where_it_is_asked_for() {
    let redis = RedisServer::start(&RedisSettings::new()).unwrap();
    let port = larder_tests::servers::free_port().unwrap();
    let larder = Larder::with_config(&format!(
        "
        stores:
          right: '{}'
          away: 'redis://ada:hunter2@127.0.0.1:{port}'
          here: {{ backend: file, path: here }}
          strict: {{ backend: memory, requires: [scan, transactions] }}
          files: {{ kind: blob, backend: file, path: files, requires: [user-metadata, if-absent] }}
        ",
        redis.url()
    ));
    larder.done(&["config", "check"]);
    let run = larder.run(&["config", "check", "--connect"]);
    assert_eq!(run.code, 6, "{}", run.err);
    for part in ["right", "here", "strict", "files"] {
        assert!(run.text().contains(&format!("{part}: ")), "no `{part}` in: {}", run.text());
    }
    assert!(run.err.contains("away") && run.err.contains(&port.to_string()), "{}", run.err);
    assert!(!run.err.contains("hunter2") && !run.text().contains("hunter2"), "{}", run.err);
    let lacking =
        Larder::with_config("stores: { a: { kind: blob, backend: memory, requires: [user-metadata] } }");
    lacking.refused(&["blob", "ls"], 11, &["store: a", "requires user-metadata", "content-type"]);
}
