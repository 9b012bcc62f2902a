//! Hosts as a fetcher would have them: from a configuration that names a URL, with the guards that it brings.

use std::sync::Arc;

use larder::{Config, Host};
use larder_core::KvStore;

/// Opens two hosts on the store at a URL: what one of them writes, the other reads.
pub(crate) async fn open(url: &str) -> Vec<Arc<dyn KvStore>> {
    vec![one(url, "").await, one(url, "").await]
}

/// The same, one of them with less patience than the network's worst: what it gives up may happen later.
pub(crate) async fn open_with_one_in_haste(url: &str) -> Vec<Arc<dyn KvStore>> {
    vec![one(url, "").await, one(url, ", timeout: 1s").await]
}

async fn one(url: &str, more: &str) -> Arc<dyn KvStore> {
    let yaml = format!("stores: {{ state: {{ kind: kv, url: '{url}'{more} }} }}");
    let host = Host::open(Config::from_yaml(&yaml).unwrap().plan().unwrap()).await.unwrap();
    // The store lives on in its handle.
    host.kv("state").unwrap().store()
}
