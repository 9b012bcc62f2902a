//! Hosts as a fetcher would have them: from a configuration that names a URL, with the guards that it brings.

use std::sync::Arc;

use larder::{Config, Host};
use larder_core::KvStore;

/// Hosts on one server: what one of them writes, the other reads.
const HOSTS: usize = 2;

/// Opens hosts on the store at a URL, as they are by default.
pub(crate) async fn open(url: &str) -> Vec<Arc<dyn KvStore>> {
    open_with(url, "").await
}

/// The same with more keys of a store's section: `, timeout: 1s`.
pub(crate) async fn open_with(url: &str, more: &str) -> Vec<Arc<dyn KvStore>> {
    let mut stores = Vec::new();
    for _ in 0..HOSTS {
        let yaml = format!("stores: {{ state: {{ kind: kv, url: '{url}'{more} }} }}");
        let host = Host::open(Config::from_yaml(&yaml).unwrap().plan().unwrap()).await.unwrap();
        // The store lives on in its handle.
        stores.push(host.kv("state").unwrap().store());
    }
    stores
}
