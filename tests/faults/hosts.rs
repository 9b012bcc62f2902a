//! Hosts as a fetcher would have them: from a configuration that names a URL, with the guards that it brings.

use std::sync::Arc;

use larder_backends::{
    redis::{RedisKv, RedisOptions},
    sql::{SqlKv, SqlOptions},
};
use larder_core::KvStore;

/// Hosts on one server: what one of them writes, the other reads.
const HOSTS: usize = 2;

/// Opens hosts on the store at a URL.
pub(crate) async fn open(url: &str) -> Vec<Arc<dyn KvStore>> {
    let mut stores: Vec<Arc<dyn KvStore>> = Vec::new();
    for _ in 0..HOSTS {
        if url.starts_with("redis") {
            stores.push(Arc::new(RedisKv::connect(RedisOptions::from_url(url).unwrap()).await.unwrap()));
        } else {
            stores.push(Arc::new(SqlKv::connect(SqlOptions::from_url(url).unwrap()).await.unwrap()));
        }
    }
    stores
}
