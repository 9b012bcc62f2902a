//! The contract over Redis: one server, a cluster of three, a Sentinel's master; and what the contract does not say,
//! on the server's own time.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use larder_backends::redis::{RedisKv, RedisOptions};
use larder_core::{Commit, Entry, Key, KeyRange, KvStore, Scan};
use larder_tests::servers::redis::{RedisCluster, RedisSentinel, RedisServer, RedisSettings};

use crate::kv_holds;

mod access;
mod layout;
mod repair;
mod servers;

/// The contract, each case under a prefix of its own.
async fn holds(name: &'static str, url: String) {
    let cases = AtomicU32::new(0);
    kv_holds(name, |place| {
        let prefix = format!("case-{}", cases.fetch_add(1, Ordering::Relaxed));
        let options = RedisOptions::from_url(&url);
        Box::pin(async move {
            let options = options?.key_prefix(prefix).clock(Some(place.clock));
            Ok(Arc::new(RedisKv::connect(options).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_the_contract() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    holds("redis", server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_cluster_keeps_the_contract() {
    let cluster = RedisCluster::start(&RedisSettings::new()).unwrap();
    holds("redis-cluster", cluster.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_of_a_sentinel_keeps_the_contract() {
    let sentinel = RedisSentinel::start(&RedisSettings::new()).unwrap();
    holds("redis-sentinel", sentinel.url()).await;
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

async fn open(url: &str) -> RedisKv {
    RedisKv::connect(RedisOptions::from_url(url).unwrap()).await.unwrap()
}

async fn put(store: &RedisKv, name: &str, value: &str) {
    store.commit(&Commit::new().put(key(name), value.to_owned())).await.unwrap();
}

async fn get(store: &RedisKv, name: &str) -> Option<Entry> {
    store.get(&key(name)).await.unwrap()
}

/// All keys, in pages of a size.
async fn names(store: &RedisKv, limit: u32) -> Vec<String> {
    let (mut scan, mut names) = (Scan::new(KeyRange::all()).limit(limit), Vec::new());
    loop {
        let page = store.scan(&scan).await.unwrap();
        names.extend(page.entries.iter().map(|(name, _)| name.to_string()));
        match page.next {
            Some(next) => scan.range = scan.range.resume(&next),
            None => return names,
        }
    }
}
