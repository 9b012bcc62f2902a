//! A component of an older version, through the whole of the host: the contract as far as its version went, errors that
//! keep their meaning, and a swap to a component of this version.
//!
//! The guest is `kv-first-version`; it must be built.

use std::{path::Path, sync::Arc};

use larder_conformance::kv::{self, Options, Subject};
use larder_core::{
    BoxFuture, Capabilities, Commit, ErrorKind, Expectation, Key, KvStore, ManualClock, Result,
};

use crate::{Engine, EngineOptions, KvPlugin, Mode, PluginOptions, Source, World, inspect};

fn guest(name: &str) -> Source {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let path = folder.join(format!("{name}.wasm"));
    assert!(path.is_file(), "{name} is not built; type: cargo xtask plugins");
    Source::file(path)
}

struct First {
    engine: Arc<Engine>,
    clock: Arc<ManualClock>,
    mode: Mode,
}

impl First {
    fn new(mode: Mode) -> Self {
        Self { engine: Engine::new(EngineOptions::default()).unwrap(), clock: Arc::default(), mode }
    }

    async fn load(&self) -> Result<KvPlugin> {
        let options = PluginOptions::new("first").with_clock(self.clock.clone()).with_mode(self.mode);
        KvPlugin::load(&self.engine, &guest("kv-first-version"), options).await
    }
}

impl Subject for First {
    fn name(&self) -> String {
        "kv-first-version".to_owned()
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Arc<dyn KvStore>>> {
        Box::pin(async { Ok(Arc::new(self.load().await?) as Arc<dyn KvStore>) })
    }

    fn clock(&self) -> Arc<ManualClock> {
        self.clock.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_of_an_older_version_keeps_the_contract_as_far_as_that_went() {
    for mode in [Mode::Inline, Mode::Fiber] {
        let subject = First::new(mode);
        let report = kv::run(&subject, &Options { model_runs: 2, ..Options::default() }).await;
        assert!(report.holds(), "{mode:?}: {report}");
        let expected = ["scan", "versions", "counters"].map(str::to_owned);
        assert_eq!(report.declared, expected, "what 0.0.9 lacks is not declared");
    }
}

#[tokio::test]
async fn what_an_older_version_lacks_is_refused_and_never_left_out() {
    let store = First::new(Mode::Auto).load().await.unwrap();
    assert!(!store.describe().capabilities.intersects(Capabilities::TTL | Capabilities::TRANSACTIONS));
    let key = Key::new("a").unwrap();
    let for_a_second = Commit::new().put_with_ttl(key.clone(), "x", std::time::Duration::from_secs(1));
    assert_eq!(store.commit(&for_a_second).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(store.get(&key).await.unwrap(), None);
}

#[tokio::test]
async fn errors_of_an_older_version_keep_their_meaning() {
    let subject = First::new(Mode::Auto);
    let store = subject.load().await.unwrap();
    let key = Key::new("a").unwrap();
    let conflict = Commit::new().check(key.clone(), Expectation::Present).put(key.clone(), "x");
    let error = store.commit(&conflict).await.unwrap_err();
    assert_eq!((error.kind(), error.context("key")), (ErrorKind::Conflict, Some("a")));
    let options = PluginOptions::new("first").with_setting("colour", "blue");
    let loaded = KvPlugin::load(&subject.engine, &guest("kv-first-version"), options).await;
    let error = loaded.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.chain().contains("colour"), "{}", error.chain());
}

#[tokio::test]
async fn a_component_of_an_older_version_is_swapped_for_one_of_this_version() {
    let subject = First::new(Mode::Auto);
    let store = subject.load().await.unwrap();
    store.commit(&Commit::new().put(Key::new("a").unwrap(), "x")).await.unwrap();
    store.swap(&guest("kv-memory")).await.unwrap();
    assert!(store.describe().capabilities.contains(Capabilities::TTL));
    // And not back: the older one can do less.
    let error = store.swap(&guest("kv-first-version")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{}", error.chain());
}

#[test]
fn an_older_version_is_shown_as_what_it_is() {
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let found = inspect(&engine, &guest("kv-first-version")).unwrap();
    assert_eq!((found.world, found.version.as_deref()), (Some(World::KvBackend), Some("0.0.9")));
}
