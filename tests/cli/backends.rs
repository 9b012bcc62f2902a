//! `larder backends`: what it says is what the stores declare once they are open.

use larder::{Config, Host, StoreKind, backends};
use larder_tests::servers::{
    postgres::Postgres,
    redis::{RedisServer, RedisSettings},
    s3::{ACCESS_KEY, S3Server, SECRET_KEY},
};
use serde_json::Value;

use crate::command::Larder;

#[test]
fn the_list_is_for_people_and_for_programs() {
    let larder = Larder::new();
    let shown = larder.done(&["backends"]);
    for part in ["file, fs", "redis-sentinel://", "scan, ttl, versions, transactions, counters", "s3: "] {
        assert!(shown.contains(part), "no `{part}` in:\n{shown}");
    }
    let lines: Vec<Value> = larder
        .done(&["backends", "--json"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<&str> = lines.iter().map(|line| line["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["memory", "file", "redis", "postgres", "sqlite", "s3", "opendal"]);
    assert_eq!(lines[5]["kinds"], serde_json::json!(["blob"]));
}

#[test]
fn what_is_listed_is_what_open_stores_declare() {
    let (redis, postgres) = (RedisServer::start(&RedisSettings::new()).unwrap(), Postgres::start().unwrap());
    let s3 = S3Server::start().unwrap();
    s3.make_bucket("listed");
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!(
        "
        stores:
          memory: memory://
          file: {{ backend: file, path: kv }}
          redis: '{}'
          postgres: '{}'
          sqlite: {{ backend: sqlite, path: a.db }}
          memory-blob: {{ kind: blob, backend: memory }}
          file-blob: {{ kind: blob, backend: file, path: blobs }}
          s3-blob:
            s3:
              {{ bucket: listed, region: us-east-1, endpoint: '{}', access_key_id: {ACCESS_KEY}, secret_access_key: {SECRET_KEY} }}
        ",
        redis.url(),
        postgres.url(),
        s3.endpoint()
    );
    let config = Config::from_yaml(&yaml).unwrap().relative_to(folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let host = Host::open(config.plan().unwrap()).await.unwrap();
        for backend in backends::all().iter().filter(|backend| backend.keeps(StoreKind::Kv)) {
            let declared = host.kv(backend.name).unwrap().describe().capabilities;
            assert_eq!(declared, backend.capabilities, "{}", backend.name);
        }
        for backend in backends::all().iter().filter(|backend| !backend.blob_features.is_empty()) {
            let blobs = host.blobs(&format!("{}-blob", backend.name)).unwrap();
            let can = blobs.operator().info().capability();
            let declared = [
                ("list", can.list && can.list_with_recursive),
                ("content-type", can.write_with_content_type),
                ("user-metadata", can.write_with_user_metadata),
                ("if-absent", can.write_with_if_not_exists),
                ("if-match", can.write_with_if_match),
                ("copy", can.copy),
            ];
            let declared: Vec<&str> =
                declared.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
            assert_eq!(declared, backend.blob_features, "{}", backend.name);
        }
        host.close().await.unwrap();
    });
}
