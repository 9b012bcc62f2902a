//! The plugins of a host: loaded for the stores that use them, listed, swapped.
//!
//! A plugin that several stores name as their backend is loaded once, and those stores share its
//! data. A layer is loaded once for each store that it stands in front of.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use larder_core::{Clock, Error, KvStore, Result};
use larder_wasm::{
    Access, BlobPlugin, Engine, EngineOptions, FolderGrant, KvPlugin, Mode, PluginOptions, PluginReport,
    Source, Swapped,
};
use opendal::Operator;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::{
    config::{AccessSection, nearest},
    plan::{CallMode, PluginPlan},
};

/// The plugins of a [`Host`](crate::Host).
pub struct Plugins {
    plans: BTreeMap<String, PluginPlan>,
    /// Where compiled plugins are kept.
    compiled: Option<PathBuf>,
    /// One for all plugins; none before the first.
    engine: Option<Arc<Engine>>,
    /// The wall clock of all plugins.
    clock: Arc<dyn Clock>,
    loaded: BTreeMap<String, Loaded>,
}

/// What is known of a loaded plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Where the component that serves came from.
    pub source: String,
    /// The SHA-256 of that component, in hexadecimal.
    pub digest: String,
    /// How many components served so far, this one included.
    pub generation: u64,
    /// The stores that it serves.
    pub stores: Vec<String>,
    /// How it does: one report for each place where it was loaded. A backend has one, whatever the stores; a layer has one for
    /// each store that it stands in front of, in the order of `stores`.
    pub reports: Vec<PluginReport>,
}

/// A plugin and all places where it stands.
struct Loaded {
    serving: Vec<Serving>,
    /// What serves now. Held for the whole of a swap, so that there is one at a time.
    source: Mutex<Source>,
}

struct Serving {
    stores: Vec<String>,
    component: Component,
}

#[derive(Clone)]
enum Component {
    KvBackend(KvPlugin),
    KvLayer(KvPlugin),
    BlobBackend(BlobPlugin),
    BlobLayer(BlobPlugin),
}

impl Component {
    async fn swap(&self, source: &Source) -> Result<Swapped> {
        match self {
            Self::KvBackend(plugin) | Self::KvLayer(plugin) => plugin.swap(source).await,
            Self::BlobBackend(plugin) | Self::BlobLayer(plugin) => plugin.swap(source).await,
        }
    }

    fn report(&self) -> PluginReport {
        match self {
            Self::KvBackend(plugin) | Self::KvLayer(plugin) => plugin.report(),
            Self::BlobBackend(plugin) | Self::BlobLayer(plugin) => plugin.report(),
        }
    }

    fn release(&self) {
        match self {
            Self::KvBackend(plugin) | Self::KvLayer(plugin) => plugin.release(),
            Self::BlobBackend(plugin) | Self::BlobLayer(plugin) => plugin.release(),
        }
    }

    /// Generation, digest and source of what serves.
    fn status(&self) -> (u64, String, String) {
        match self {
            Self::KvBackend(plugin) | Self::KvLayer(plugin) => {
                (plugin.generation(), plugin.digest(), plugin.source())
            }
            Self::BlobBackend(plugin) | Self::BlobLayer(plugin) => {
                (plugin.generation(), plugin.digest(), plugin.source())
            }
        }
    }
}

impl Plugins {
    pub(crate) fn new(
        plans: BTreeMap<String, PluginPlan>,
        compiled: Option<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { plans, compiled, engine: None, clock, loaded: BTreeMap::new() }
    }

    /// The loaded plugins, in alphabetical order.
    pub fn list(&self) -> Vec<PluginStatus> {
        let status = |(name, loaded): (&String, &Loaded)| {
            let (generation, digest, source) = loaded.serving.first()?.component.status();
            let stores = loaded.serving.iter().flat_map(|serving| serving.stores.iter().cloned()).collect();
            let reports = loaded.serving.iter().map(|serving| serving.component.report()).collect();
            Some(PluginStatus { name: name.clone(), source, digest, generation, stores, reports })
        };
        self.loaded.iter().filter_map(status).collect()
    }

    /// Puts another component in the place of a plugin, on the same settings, grants and data, while
    /// calls go on: none is lost. If a step fails, what served before serves on.
    ///
    /// # Errors
    /// `config` where there is no plugin of that name, or the component is not of its world and
    /// version; `denied` where it imports what is not granted, or is not the pinned one; `plugin` where
    /// it traps. Dropping the future leaves either the old or the new component in place.
    pub async fn swap(&self, name: &str, source: Source) -> Result<Swapped> {
        let loaded = self.loaded(name)?;
        let mut current = loaded.source.lock().await;
        let mut last = None;
        for (i, serving) in loaded.serving.iter().enumerate() {
            match serving.component.swap(&source).await {
                Ok(swapped) => last = Some(swapped),
                Err(error) => {
                    self.swap_back(loaded, i, &current).await;
                    return Err(error.operation("swap"));
                }
            }
        }
        *current = source;
        last.ok_or_else(|| Error::config(format!("no store uses the plugin `{name}`")))
    }

    /// Forgets the strikes of a plugin's component and ends its back-off or quarantine: its calls go on at once. Other plugins
    /// with the same component profit.
    ///
    /// # Errors
    /// `config` where there is no plugin of that name.
    pub fn release(&self, name: &str) -> Result<()> {
        self.loaded(name)?.serving.iter().for_each(|serving| serving.component.release());
        Ok(())
    }

    /// The key-value plugins of a store, its layers among them.
    pub(crate) fn of_kv_store(&self, store: &str) -> Vec<KvPlugin> {
        let serving = self.loaded.values().flat_map(|loaded| &loaded.serving);
        let of_store = serving.filter(|serving| serving.stores.iter().any(|name| name == store));
        let kv = of_store.filter_map(|serving| match &serving.component {
            Component::KvBackend(plugin) | Component::KvLayer(plugin) => Some(plugin.clone()),
            Component::BlobBackend(_) | Component::BlobLayer(_) => None,
        });
        kv.collect()
    }

    /// A layer may stand in front of several stores: all of them swap, or none.
    async fn swap_back(&self, loaded: &Loaded, done: usize, source: &Source) {
        for serving in loaded.serving.iter().take(done) {
            if let Err(error) = serving.component.swap(source).await {
                tracing::error!(stores = ?serving.stores, "a plugin could not be swapped back: {}", error.chain());
            }
        }
    }

    pub(crate) async fn kv_backend(&mut self, name: &str, store: &str) -> Result<Arc<dyn KvStore>> {
        if let Some(Component::KvBackend(plugin)) = self.shared(name, store) {
            return Ok(Arc::new(plugin));
        }
        let (engine, source, options) = self.prepare(name)?;
        let plugin = KvPlugin::load(&engine, &source, options).await?;
        self.keep(name, store, source, Component::KvBackend(plugin.clone()));
        Ok(Arc::new(plugin))
    }

    pub(crate) async fn kv_layer(
        &mut self,
        name: &str,
        store: &str,
        next: Arc<dyn KvStore>,
    ) -> Result<Arc<dyn KvStore>> {
        let (engine, source, options) = self.prepare(name)?;
        let plugin = KvPlugin::load_layer(&engine, &source, options, next).await?;
        self.keep(name, store, source, Component::KvLayer(plugin.clone()));
        Ok(Arc::new(plugin))
    }

    pub(crate) async fn blob_backend(&mut self, name: &str, store: &str) -> Result<Operator> {
        if let Some(Component::BlobBackend(plugin)) = self.shared(name, store) {
            return Ok(plugin.operator());
        }
        let (engine, source, options) = self.prepare(name)?;
        let plugin = BlobPlugin::load(&engine, &source, options).await?;
        let operator = plugin.operator();
        self.keep(name, store, source, Component::BlobBackend(plugin));
        Ok(operator)
    }

    pub(crate) async fn blob_layer(&mut self, name: &str, store: &str, next: Operator) -> Result<Operator> {
        let (engine, source, options) = self.prepare(name)?;
        let plugin = BlobPlugin::load_layer(&engine, &source, options, next).await?;
        let operator = plugin.operator();
        self.keep(name, store, source, Component::BlobLayer(plugin));
        Ok(operator)
    }

    /// The backend of that plugin if a store before this one loaded it.
    fn shared(&mut self, name: &str, store: &str) -> Option<Component> {
        let backend = |c: &Component| matches!(c, Component::KvBackend(_) | Component::BlobBackend(_));
        let serving = self.loaded.get_mut(name)?.serving.iter_mut().find(|s| backend(&s.component))?;
        serving.stores.push(store.to_owned());
        Some(serving.component.clone())
    }

    fn keep(&mut self, name: &str, store: &str, source: Source, component: Component) {
        let loaded = self
            .loaded
            .entry(name.to_owned())
            .or_insert_with(|| Loaded { serving: Vec::new(), source: Mutex::new(source) });
        loaded.serving.push(Serving { stores: vec![store.to_owned()], component });
    }

    fn prepare(&mut self, name: &str) -> Result<(Arc<Engine>, Source, PluginOptions)> {
        let plan = self.plans.get(name).ok_or_else(|| self.unknown(name))?;
        let engine = match &self.engine {
            Some(engine) => Arc::clone(engine),
            None => {
                let mut options = EngineOptions::default();
                options.compiled = self.compiled.clone();
                Engine::new(options)?
            }
        };
        self.engine = Some(Arc::clone(&engine));
        let options = options(name, plan).with_clock(Arc::clone(&self.clock));
        Ok((engine, Source::file(&plan.path), options))
    }

    fn loaded(&self, name: &str) -> Result<&Loaded> {
        self.loaded.get(name).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> Error {
        if self.plans.contains_key(name) {
            return Error::config(format!("no store uses the plugin `{name}`"));
        }
        match nearest(name, self.plans.keys().map(String::as_str)) {
            Some(near) => Error::config(format!("there is no plugin `{name}`; did you mean `{near}`?")),
            None => Error::config(format!("there is no plugin `{name}`: the configuration names none")),
        }
    }
}

fn options(name: &str, plan: &PluginPlan) -> PluginOptions {
    let mode = match plan.mode {
        CallMode::Auto => Mode::Auto,
        CallMode::Inline => Mode::Inline,
        CallMode::Fiber => Mode::Fiber,
    };
    let mut options =
        PluginOptions::new(name).with_limits(plan.limits).with_supervision(plan.supervision).with_mode(mode);
    options.settings = plan.settings.clone();
    options.sha256 = plan.sha256.clone();
    options.grants.env = plan.env.clone();
    options.grants.tcp = plan.tcp.clone();
    options.grants.http = plan.http.clone();
    let folder = |folder: &crate::plan::FolderPlan| FolderGrant {
        host: folder.host.clone(),
        guest: folder.guest.clone(),
        access: match folder.access {
            AccessSection::Read => Access::Read,
            AccessSection::ReadWrite => Access::ReadWrite,
        },
    };
    options.grants.folders = plan.folders.iter().map(folder).collect();
    options
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}
