//! A host for tests: the real one, in memory, whose stores the test can swap while it runs.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use larder_core::{Error, KvStore, Result};
use larder_wasm::{BlobPlugin, Engine, EngineOptions, KvPlugin, Source, Swapped};
use opendal::Operator;

use super::{
    builder::TestHostBuilder,
    life::Life,
    plugin::TestPlugin,
    seams::{Disk, Made, Place, TestSeams},
    time::TestTime,
    tool::Tool,
};
use crate::{
    config::{Config, StoreKind, nearest},
    host::Host,
};

/// A [`Host`] in memory, with a switch at each of its stores. It can be used wherever a `&Host` can; where an `Arc<Host>`
/// is wanted, [`shared`](Self::shared) is one.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use larder::{Host, testing::TestHost};
///
/// /// What is tested takes the real thing.
/// async fn remember(host: &Host, url: &str) -> larder::Result<()> {
///     host.kv("state")?.set(url, &"seen").await.map(drop)
/// }
///
/// let host = TestHost::memory();
/// remember(&host, "https://example.org/").await?;
/// assert!(host.kv("state")?.exists("https://example.org/").await?);
/// # larder::Result::<()>::Ok(()) }).unwrap();
/// ```
pub struct TestHost {
    host: Arc<Host>,
    recipe: TestHostBuilder,
    time: TestTime,
    life: Arc<Life>,
    disk: Disk,
    places: BTreeMap<String, Place>,
    /// For the plugins that the test loads by itself; none before the first.
    engine: Mutex<Option<Arc<Engine>>>,
}

impl TestHost {
    /// A host with the key-value store `state` and the blob store `storage`, both in memory and empty.
    #[expect(
        clippy::missing_panics_doc,
        reason = "two stores in memory are opened without waiting, and can't fail"
    )]
    pub fn memory() -> Self {
        let mut config = Config::default();
        config.storage.backend = Some("memory".to_owned());
        let opening = TestHostBuilder::default().config(config).open();
        #[expect(clippy::expect_used, reason = "memory is opened without waiting, and can't fail")]
        opening.now_or_never().expect("memory waits for nothing").expect("memory can be opened")
    }

    /// A host with the stores that are added.
    pub fn builder() -> TestHostBuilder {
        TestHostBuilder::default()
    }

    /// A host from a configuration in YAML, such as that of production: as [`TestHostBuilder::config`].
    ///
    /// # Errors
    /// As [`TestHostBuilder::open`].
    pub async fn from_yaml(text: &str) -> Result<Self> {
        Self::builder().config(Config::from_yaml(text)?).open().await
    }

    pub(super) async fn open(recipe: TestHostBuilder, time: TestTime) -> Result<Self> {
        Self::open_on(recipe, time, Disk::default()).await
    }

    async fn open_on(recipe: TestHostBuilder, time: TestTime, disk: Disk) -> Result<Self> {
        let life = Arc::new(Life::new());
        let seams = TestSeams::new(time.clone(), Arc::clone(&life), disk);
        let host = Arc::new(Host::open_with(recipe.plan()?, &seams).await?);
        let Made { disk, places } = seams.into_made();
        Ok(Self { host, recipe, time, life, disk, places, engine: Mutex::new(None) })
    }

    /// The host, for what wants to own a share of it.
    pub fn shared(&self) -> Arc<Host> {
        Arc::clone(&self.host)
    }

    /// The time that its stores and plugins go by.
    pub fn time(&self) -> &TestTime {
        &self.time
    }

    /// Lets time pass: [`TestTime::advance`].
    pub async fn advance(&self, by: Duration) {
        self.time.advance(by).await;
    }

    /// Puts another store in the place of a key-value store's backend, under the host's own layers and guards, and
    /// answers the one that was there. The next call goes to the new one; calls under way end where they began.
    ///
    /// # Errors
    /// `config` where there is no such store, naming the nearest.
    pub fn swap_kv(&self, name: &str, store: Arc<dyn KvStore>) -> Result<Arc<dyn KvStore>> {
        match self.place(name)? {
            Place::Kv { switch, .. } => Ok(switch.swap(|_| store)),
            Place::Blobs { .. } => Err(keeps(name, StoreKind::Blob)),
        }
    }

    /// Puts another operator in the place of a blob store's backend, as [`swap_kv`](Self::swap_kv). What is being read,
    /// written or listed stays with the one that began it.
    ///
    /// # Errors
    /// `config` where there is no such store, naming the nearest.
    pub fn swap_blobs(&self, name: &str, blobs: Operator) -> Result<Operator> {
        match self.place(name)? {
            Place::Blobs { switch, .. } => Ok(switch.swap(|_| blobs)),
            Place::Kv { .. } => Err(keeps(name, StoreKind::Kv)),
        }
    }

    /// Puts a component in the place of a store's backend. It sees the test's time.
    ///
    /// # Errors
    /// `config` where there is no such store, or the component is not of the world that the store needs; else as
    /// loading it fails. The store stays as it is then.
    pub async fn swap_for_plugin(&self, name: &str, plugin: impl Into<TestPlugin>) -> Result<()> {
        let plugin = plugin.into();
        match self.place(name)? {
            Place::Kv { switch, .. } => {
                let store = self.plugin_kv(name, plugin).await?;
                switch.swap(|_| store);
            }
            Place::Blobs { switch, .. } => {
                let blobs = self.plugin_blobs(name, plugin).await?;
                switch.swap(|_| blobs);
            }
        }
        Ok(())
    }

    /// Puts a tool in front of what a store stands on now, of either kind. Put in front last, it sees a call first.
    ///
    /// # Errors
    /// `config` where there is no such store, naming the nearest.
    pub fn put_in_front(&self, name: &str, tool: &impl Tool) -> Result<()> {
        match self.place(name)? {
            Place::Kv { switch, .. } => drop(switch.swap(|store| tool.over_kv(store))),
            Place::Blobs { switch, .. } => drop(switch.swap(|blobs| tool.over_blobs(blobs))),
        }
        Ok(())
    }

    /// Loads a component of world `kv-layer` or `blob-layer`, and puts it in front of what a store stands on now. What is
    /// swapped while it is being loaded is not seen by it: one thing after the other.
    ///
    /// # Errors
    /// As [`swap_for_plugin`](Self::swap_for_plugin). The store stays as it is then.
    pub async fn put_plugin_in_front(&self, name: &str, plugin: impl Into<TestPlugin>) -> Result<()> {
        let plugin = plugin.into();
        let options = plugin.options(name, self.time.clock());
        let engine = self.engine()?;
        match self.place(name)? {
            Place::Kv { switch, .. } => {
                let next = switch.current();
                let layer = KvPlugin::load_layer(&engine, &plugin.source, options, next).await?;
                switch.swap(|_| Arc::new(layer));
            }
            Place::Blobs { switch, .. } => {
                let next = switch.current();
                let layer = BlobPlugin::load_layer(&engine, &plugin.source, options, next).await?;
                switch.swap(|_| layer.operator());
            }
        }
        Ok(())
    }

    /// Puts a store back on what it was opened with, and with the data that it had there.
    ///
    /// # Errors
    /// `config` where there is no such store, naming the nearest.
    pub fn put_back(&self, name: &str) -> Result<()> {
        match self.place(name)? {
            Place::Kv { switch, opened } => drop(switch.swap(|_| Arc::clone(opened))),
            Place::Blobs { switch, opened } => drop(switch.swap(|_| opened.clone())),
        }
        Ok(())
    }

    /// Loads a component of world `kv-backend` as a store, to put tools in front of it. `name` is what its errors and
    /// its log call it.
    ///
    /// # Errors
    /// As loading it fails: `config`, `denied`, `plugin`.
    pub async fn plugin_kv(&self, name: &str, plugin: impl Into<TestPlugin>) -> Result<Arc<dyn KvStore>> {
        let plugin = plugin.into();
        let options = plugin.options(name, self.time.clock());
        Ok(Arc::new(KvPlugin::load(&self.engine()?, &plugin.source, options).await?))
    }

    /// Loads a component of world `blob-backend` as an operator, as [`plugin_kv`](Self::plugin_kv).
    ///
    /// # Errors
    /// As loading it fails: `config`, `denied`, `plugin`.
    pub async fn plugin_blobs(&self, name: &str, plugin: impl Into<TestPlugin>) -> Result<Operator> {
        let plugin = plugin.into();
        let options = plugin.options(name, self.time.clock());
        Ok(BlobPlugin::load(&self.engine()?, &plugin.source, options).await?.operator())
    }

    /// Puts another component in the place of a plugin of the configuration, as the host does it in production:
    /// [`Plugins::swap`](crate::Plugins::swap).
    ///
    /// # Errors
    /// As there.
    pub async fn swap_plugin(&self, name: &str, source: Source) -> Result<Swapped> {
        self.host.plugins().swap(name, source).await
    }

    /// Ends the process of this host, as a crash does, and opens the next one.
    ///
    /// # Behavior
    /// * What a store in memory has acknowledged is there afterwards: it stands for a durable backend, which promises that.
    /// * What was under way is not done any more: a call that is late, a blob that is not finished.
    /// * Handles of the old host answer `unavailable` for ever, also those that tasks still hold. A stream that is being
    ///   read may still come to its end.
    /// * Tools and stores that the test has put somewhere are gone, and so is what a plugin kept in its memory.
    /// * Time goes on.
    ///
    /// # Errors
    /// As [`TestHostBuilder::open`].
    pub async fn crash(self) -> Result<Self> {
        let Self { host, recipe, time, life, disk, places, engine } = self;
        life.crash().await;
        drop((host, places, engine));
        Self::open_on(recipe, time, disk).await
    }

    fn place(&self, name: &str) -> Result<&Place> {
        self.places.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.places.keys().map(String::as_str).collect();
            let near = nearest(name, known.iter().copied()).unwrap_or_default();
            let known = known.join(", ");
            Error::config(format!("there is no store `{name}`; did you mean `{near}`? (stores: {known})"))
        })
    }

    fn engine(&self) -> Result<Arc<Engine>> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        match &*engine {
            Some(engine) => Ok(Arc::clone(engine)),
            None => Ok(Arc::clone(engine.insert(Engine::new(EngineOptions::default())?))),
        }
    }
}

fn keeps(name: &str, kind: StoreKind) -> Error {
    let swap = match kind {
        StoreKind::Kv => "swap_kv",
        StoreKind::Blob => "swap_blobs",
    };
    Error::config(format!("the store `{name}` keeps {}: `{swap}` is for it", kind.plural()))
}

impl Deref for TestHost {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl fmt::Debug for TestHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestHost")
            .field("places", &self.places)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}
