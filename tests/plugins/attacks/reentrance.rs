//! A layer over a store that calls the same layer, for ever.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use larder_core::{
    BoxFuture, Commit, Description, Entry, ErrorKind, Key, KvStore, MemoryKv, Outcome, Page, Result, Scan,
};
use larder_tests::attacks::Attack;
use larder_wasm::{KvPlugin, PluginOptions};

use crate::{component, engine, is_alive, key};

/// Hands each read back to the layer in front of it.
#[derive(Debug, Default)]
struct Mirror {
    memory: MemoryKv,
    front: OnceLock<KvPlugin>,
}

impl std::fmt::Display for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("mirror")
    }
}

impl KvStore for Mirror {
    fn describe(&self) -> Description {
        self.memory.describe()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        match self.front.get() {
            Some(front) => front.get(key),
            None => self.memory.get(key),
        }
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        self.memory.get_many(keys)
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        self.memory.scan(scan)
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        self.memory.commit(commit)
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        self.memory.health()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_go_in_a_circle_end_where_the_instances_do() {
    let attack = Attack::begin("re-entrance");
    let engine = engine();
    let mirror = Arc::new(Mirror::default());
    let mut options = PluginOptions::new("circle").with_supervision(crate::patient());
    options.limits.deadline = Duration::from_secs(1);
    let next = Arc::<Mirror>::clone(&mirror);
    let layer = KvPlugin::load_layer(&engine, &component("kv-pass"), options, next).await.unwrap();
    assert!(mirror.front.set(layer.clone()).is_ok());
    let error = layer.get(&key("a")).await.expect_err("a circle has no end");
    assert!(
        matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Plugin),
        "{}",
        error.chain()
    );
    // What does not go in a circle is answered afterwards.
    layer.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
    assert_eq!(layer.get_many(&[key("a")]).await.unwrap().len(), 1);
    is_alive(&engine).await;
    attack.held_with(&error);
}
