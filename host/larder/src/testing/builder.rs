//! Which stores a host under test has.

use std::collections::BTreeSet;

use larder_core::{Error, Result};

use super::{host::TestHost, time::TestTime};
use crate::{
    config::{Config, StoreKind, StoreSection, nearest},
    plan::{Backend, Plan},
};

/// What a [`TestHost`] is opened from.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use larder::testing::TestHost;
///
/// let host = TestHost::builder().kv("frontier").blobs("pages").open().await?;
/// host.kv("frontier")?.set("https://example.org/", &"new").await?;
/// host.blobs("pages")?.put("1.html", "<p>hello").await?;
/// # larder::Result::<()>::Ok(()) }).unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct TestHostBuilder {
    config: Config,
    /// Stores that are kept in memory although a plugin keeps them in the configuration.
    in_memory: BTreeSet<String>,
    time: Option<TestTime>,
}

impl TestHostBuilder {
    /// Begins with a configuration, such as that of production. What its stores have around them stays: namespaces,
    /// layers, retries, timeouts, limits. Native backends become memory, so that nothing is reached. A plugin that keeps
    /// a store stays too, with what it is granted, unless [`in_memory`](Self::in_memory) says otherwise.
    ///
    /// Replaces what was said of stores before.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Adds a key-value store in memory.
    #[must_use]
    pub fn kv(self, name: impl Into<String>) -> Self {
        self.store(name, StoreKind::Kv)
    }

    /// Adds a blob store in memory.
    #[must_use]
    pub fn blobs(self, name: impl Into<String>) -> Self {
        self.store(name, StoreKind::Blob)
    }

    /// Keeps this store of the configuration in memory, although a plugin keeps it there.
    #[must_use]
    pub fn in_memory(mut self, name: impl Into<String>) -> Self {
        self.in_memory.insert(name.into());
        self
    }

    /// Goes by this time, which may be that of another host.
    #[must_use]
    pub fn time(mut self, time: TestTime) -> Self {
        self.time = Some(time);
        self
    }

    /// Opens the host.
    ///
    /// # Errors
    /// `config` where the configuration is not right, or asks (`requires`) for what memory can't do; those of loading
    /// its plugins.
    pub async fn open(mut self) -> Result<TestHost> {
        let time = self.time.take().unwrap_or_default();
        TestHost::open(self, time).await
    }

    /// The plan, with memory in the place of native backends.
    pub(super) fn plan(&self) -> Result<Plan> {
        let mut plan = self.config.plan()?;
        // A test leaves nothing in the folders of the user who runs it.
        plan.compiled = None;
        for name in &self.in_memory {
            if !plan.stores.contains_key(name) {
                let known = plan.stores.keys().map(String::as_str);
                let hint = nearest(name, known).map(|near| format!("; did you mean `{near}`?"));
                return Err(Error::config(format!("there is no store `{name}`{}", hint.unwrap_or_default())));
            }
        }
        for (name, store) in &mut plan.stores {
            let stays = matches!(store.backend, Backend::Plugin(_)) && !self.in_memory.contains(name);
            if !stays {
                store.backend = Backend::Memory;
            }
        }
        Ok(plan)
    }

    fn store(mut self, name: impl Into<String>, kind: StoreKind) -> Self {
        let section = StoreSection { kind, url: Some("memory://".to_owned()), ..StoreSection::default() };
        self.config.stores.insert(name.into(), section);
        self
    }
}
