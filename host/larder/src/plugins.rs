//! The plugins of a host: loaded for the stores that use them, listed, swapped.
//!
//! A plugin that several stores name as their backend is loaded once, and those stores share its
//! data. A layer is loaded once for each store that it stands in front of.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use larder_core::{Clock, Error, KvStore, Result};
use larder_wasm::{
    Access, Audit, AuditRecord, BlobPlugin, Engine, EngineOptions, FolderGrant, KvPlugin, Mode,
    PluginOptions, PluginReport, ReadySwap, Source, SwapGroup, SwapOptions, Swapped,
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
    audit: Arc<Audit>,
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
    /// Its number, from 1 on. A number is given once: after a return to the component before it is a lower one.
    pub generation: u64,
    /// Whether it is on probation: the component before it may serve again.
    pub is_on_probation: bool,
    /// The stores that it serves.
    pub stores: Vec<String>,
    /// How it does: one report for each place where it was loaded. A backend has one, whatever the stores; a layer has one for
    /// each store that it stands in front of, in the order of `stores`.
    pub reports: Vec<PluginReport>,
}

/// A plugin and all places where it stands.
struct Loaded {
    serving: Vec<Serving>,
    /// Held for the whole of a swap, so that there is one at a time.
    swapping: Mutex<()>,
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

/// Does the same with a component of either kind.
macro_rules! each {
    ($component:expr, $plugin:ident => $does:expr) => {
        match $component {
            Component::KvBackend($plugin) | Component::KvLayer($plugin) => $does,
            Component::BlobBackend($plugin) | Component::BlobLayer($plugin) => $does,
        }
    };
}

impl Component {
    async fn prepare_swap(&self, source: &Source, options: &SwapOptions) -> Result<ReadySwap> {
        each!(self, plugin => plugin.prepare_swap(source, options).await)
    }

    async fn settled(&self) {
        each!(self, plugin => plugin.settled().await);
    }
}

impl Plugins {
    pub(crate) fn new(
        plans: BTreeMap<String, PluginPlan>,
        compiled: Option<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { plans, compiled, engine: None, clock, loaded: BTreeMap::new(), audit: Arc::default() }
    }

    /// The loaded plugins, in alphabetical order.
    pub fn list(&self) -> Vec<PluginStatus> {
        let status = |(name, loaded): (&String, &Loaded)| {
            let component = &loaded.serving.first()?.component;
            let stores = loaded.serving.iter().flat_map(|serving| serving.stores.iter().cloned()).collect();
            let report = |serving: &Serving| each!(&serving.component, plugin => plugin.report());
            Some(PluginStatus {
                name: name.clone(),
                source: each!(component, plugin => plugin.source()),
                digest: each!(component, plugin => plugin.digest()),
                generation: each!(component, plugin => plugin.generation()),
                is_on_probation: each!(component, plugin => plugin.is_on_probation()),
                stores,
                reports: loaded.serving.iter().map(report).collect(),
            })
        };
        self.loaded.iter().filter_map(status).collect()
    }

    /// What swaps did, step by step, the oldest first. The last few hundred steps are kept; all are in the log, under
    /// the target `larder::audit`.
    pub fn audit(&self) -> Vec<AuditRecord> {
        self.audit.records()
    }

    /// How the configuration says that this plugin is swapped.
    ///
    /// # Errors
    /// `config` where there is no plugin of that name.
    pub fn swap_options(&self, name: &str) -> Result<SwapOptions> {
        self.plans.get(name).map(|plan| plan.swap.clone()).ok_or_else(|| self.unknown(name))
    }

    /// Puts another component in the place of a plugin, on the same settings, grants and data, while
    /// calls go on: none is lost. If a step fails, what served before serves on. It is done as the configuration says,
    /// [`swap_options`](Self::swap_options).
    ///
    /// # Errors
    /// `config` where there is no plugin of that name, or the component is not of its world and
    /// version; `denied` where it imports what is not granted, or is not the pinned one; `plugin` where
    /// it traps, fails its self-test, or reads otherwise than the one before; `unsupported` where it can do less. Dropping
    /// the future leaves either the old or the new component in place.
    pub async fn swap(&self, name: &str, source: Source) -> Result<Swapped> {
        self.swap_with(name, source, &self.swap_options(name)?).await
    }

    /// The same in another way.
    ///
    /// # Errors
    /// As [`Self::swap`].
    pub async fn swap_with(&self, name: &str, source: Source, options: &SwapOptions) -> Result<Swapped> {
        let loaded = self.loaded(name)?;
        let _one_at_a_time = loaded.swapping.lock().await;
        // A layer may stand in front of several stores: all of them swap, or none. So all are made ready first.
        let mut ready = Vec::with_capacity(loaded.serving.len());
        for serving in &loaded.serving {
            ready.push(serving.component.prepare_swap(&source, options).await?);
        }
        let group = SwapGroup::new();
        let mut switched = Vec::with_capacity(ready.len());
        for swap in ready {
            match swap.switch(&group).await {
                Ok(done) => switched.push(done),
                Err(error) => {
                    for done in switched {
                        if !done.undo("it could not be swapped in front of another store").await {
                            tracing::error!(plugin = name, "a plugin could not be swapped back");
                        }
                    }
                    return Err(error);
                }
            }
        }
        let mut last = None;
        for done in switched {
            last = Some(done.settle().await);
        }
        last.ok_or_else(|| Error::config(format!("no store uses the plugin `{name}`")))
    }

    /// Forgets the strikes of a plugin's component and ends its back-off or quarantine: its calls go on at once. Other plugins
    /// with the same component profit.
    ///
    /// # Errors
    /// `config` where there is no plugin of that name.
    pub fn release(&self, name: &str) -> Result<()> {
        self.loaded(name)?
            .serving
            .iter()
            .for_each(|serving| each!(&serving.component, plugin => plugin.release()));
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

    /// Waits until this plugin is not on probation any more, wherever it stands. Cancel safe.
    ///
    /// # Errors
    /// `config` where there is no plugin of that name.
    pub async fn settled(&self, name: &str) -> Result<()> {
        for serving in &self.loaded(name)?.serving {
            serving.component.settled().await;
        }
        Ok(())
    }

    /// The files that are watched, by plugin.
    pub(crate) fn watched(&self) -> Vec<(String, std::path::PathBuf)> {
        let watched = self.plans.iter().filter(|(name, plan)| plan.watch && self.loaded.contains_key(*name));
        watched.map(|(name, plan)| (name.clone(), plan.path.clone())).collect()
    }

    pub(crate) async fn kv_backend(&mut self, name: &str, store: &str) -> Result<Arc<dyn KvStore>> {
        if let Some(Component::KvBackend(plugin)) = self.shared(name, store) {
            return Ok(Arc::new(plugin));
        }
        let (engine, source, options) = self.prepare(name)?;
        let plugin = KvPlugin::load(&engine, &source, options).await?;
        self.keep(name, store, Component::KvBackend(plugin.clone()));
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
        self.keep(name, store, Component::KvLayer(plugin.clone()));
        Ok(Arc::new(plugin))
    }

    pub(crate) async fn blob_backend(&mut self, name: &str, store: &str) -> Result<Operator> {
        if let Some(Component::BlobBackend(plugin)) = self.shared(name, store) {
            return Ok(plugin.operator());
        }
        let (engine, source, options) = self.prepare(name)?;
        let plugin = BlobPlugin::load(&engine, &source, options).await?;
        let operator = plugin.operator();
        self.keep(name, store, Component::BlobBackend(plugin));
        Ok(operator)
    }

    pub(crate) async fn blob_layer(&mut self, name: &str, store: &str, next: Operator) -> Result<Operator> {
        let (engine, source, options) = self.prepare(name)?;
        let plugin = BlobPlugin::load_layer(&engine, &source, options, next).await?;
        let operator = plugin.operator();
        self.keep(name, store, Component::BlobLayer(plugin));
        Ok(operator)
    }

    /// The backend of that plugin if a store before this one loaded it.
    fn shared(&mut self, name: &str, store: &str) -> Option<Component> {
        let backend = |c: &Component| matches!(c, Component::KvBackend(_) | Component::BlobBackend(_));
        let serving = self.loaded.get_mut(name)?.serving.iter_mut().find(|s| backend(&s.component))?;
        serving.stores.push(store.to_owned());
        Some(serving.component.clone())
    }

    fn keep(&mut self, name: &str, store: &str, component: Component) {
        let loaded = self
            .loaded
            .entry(name.to_owned())
            .or_insert_with(|| Loaded { serving: Vec::new(), swapping: Mutex::default() });
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
        let options =
            options(name, plan).with_clock(Arc::clone(&self.clock)).with_audit(Arc::clone(&self.audit));
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
