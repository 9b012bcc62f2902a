//! What the configuration means: every name resolved, every reference read, every limit checked.
//!
//! A [`Plan`] is what a [`Host`](crate::Host) is assembled from. It prints itself, which is what
//! `larder config explain` shows: each store's stack from the outside in, each plugin with what it
//! is granted, and where a value came from. Secrets are in it, but nothing prints them.

mod backend;
mod compiled;
mod control;
mod explain;
mod failure;
mod folders;
mod guards;
mod limits;
mod origins;
mod plugins;
mod remote;
mod requires;
mod stores;
mod wants;

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use larder_core::{Error, Result};
use larder_wasm::{HttpGrant, PluginLimits, SupervisionRules, SwapOptions, TcpGrant};

pub(crate) use self::{backend::Backend, failure::OnFailure, guards::Guards, requires::Requirements};
pub use self::{compiled::compiled_folder, control::ControlAddress, wants::Comparison};
use crate::config::{AccessSection, Config, Origin, StoreKind, nearest};

/// Name of the store that `persistence.state_backend` keeps.
pub const STATE: &str = "state";
/// Name of the store that `persistence.cache_backend` keeps.
pub const CACHE: &str = "cache";
/// Name of the store that the section `storage` describes.
pub const STORAGE: &str = "storage";

/// How often expired entries are removed from files where the configuration does not say it.
pub(crate) const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);

/// A checked configuration, ready to be opened.
pub struct Plan {
    pub(crate) origin: Origin,
    pub(crate) stores: BTreeMap<String, StorePlan>,
    pub(crate) plugins: BTreeMap<String, PluginPlan>,
    /// Where compiled plugins are kept, if anywhere.
    pub(crate) compiled: Option<PathBuf>,
    pub(crate) default_kv: Option<String>,
    pub(crate) default_blobs: Option<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) control: Option<ControlAddress>,
}

/// A store and what stands in front of it.
#[derive(Debug, Clone)]
pub(crate) struct StorePlan {
    pub(crate) kind: StoreKind,
    /// Where it was configured, in words.
    pub(crate) from: String,
    pub(crate) backend: Backend,
    /// Names of plugins, the outermost first.
    pub(crate) layers: Vec<String>,
    pub(crate) guards: Guards,
    pub(crate) value_bytes_max: Option<usize>,
    pub(crate) cleanup_interval: Duration,
    pub(crate) requires: Requirements,
    pub(crate) on_failure: OnFailure,
}

impl StorePlan {
    /// Layers and backend, as a person knows the store, without secrets.
    pub(crate) fn shown(&self) -> String {
        let layers = self.layers.iter().map(|layer| format!("plugin {layer} in front of "));
        layers.chain([self.backend.to_string()]).collect()
    }
}

/// A plugin with its settings resolved. Holds secrets, so that `Debug` is by hand.
#[derive(Clone)]
pub(crate) struct PluginPlan {
    pub(crate) path: PathBuf,
    pub(crate) sha256: Option<String>,
    /// Names and resolved values, secrets among them.
    pub(crate) settings: Vec<(String, String)>,
    /// Names of settings and how their values may be shown.
    pub(crate) settings_shown: Vec<(String, String)>,
    pub(crate) folders: Vec<FolderPlan>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) tcp: Vec<TcpGrant>,
    pub(crate) http: Vec<HttpGrant>,
    pub(crate) limits: PluginLimits,
    pub(crate) supervision: SupervisionRules,
    /// What of both was configured, in words.
    pub(crate) limits_shown: Vec<String>,
    pub(crate) mode: CallMode,
    pub(crate) swap: SwapOptions,
    /// Whether it is swapped when its file changes.
    pub(crate) watch: bool,
}

/// A folder that a plugin may use.
#[derive(Debug, Clone)]
pub(crate) struct FolderPlan {
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
    pub(crate) access: AccessSection,
}

/// How a plugin's functions are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallMode {
    Auto,
    Inline,
    Fiber,
}

impl Config {
    /// Judges the configuration: names, references, limits, and whether all that it asks for is built.
    ///
    /// # Errors
    /// `config`, naming the key and what would be right. What a section names that is not built yet
    /// is refused by its name. Nothing is reached: a server that is away is told when it is opened.
    pub fn plan(&self) -> Result<Plan> {
        let plugins = plugins::plan(self)?;
        let mut plan = Plan {
            origin: self.origin.clone(),
            stores: BTreeMap::new(),
            plugins,
            compiled: compiled::plan(self)?,
            default_kv: None,
            default_blobs: None,
            warnings: Vec::new(),
            control: control::plan(self)?,
        };
        stores::plan(self, &mut plan)?;
        folders::check(&plan)?;
        failure::check(self, &plan)?;
        plugins::keep_last_good(&mut plan);
        plugins::warn(&mut plan);
        Ok(plan)
    }
}

impl Plan {
    /// The names of the stores of a kind, in alphabetical order.
    pub fn stores(&self, kind: StoreKind) -> impl Iterator<Item = &str> {
        self.stores.iter().filter(move |(_, store)| store.kind == kind).map(|(name, _)| name.as_str())
    }

    /// What a person should know although it is no error: a plugin that is not pinned, a value
    /// without effect.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.warnings.iter().map(String::as_str)
    }

    /// Where the host of this plan can be asked, if anywhere.
    pub fn control(&self) -> Option<&ControlAddress> {
        self.control.as_ref()
    }

    /// The same plan, of a host that cannot be asked and watches no files: for a short look beside one that runs.
    #[must_use]
    pub fn in_passing(mut self) -> Self {
        self.control = None;
        self.plugins.values_mut().for_each(|plugin| plugin.watch = false);
        self
    }

    /// The same plan with only these stores, and nothing that the others need.
    ///
    /// # Errors
    /// `config` where one of them is not there, naming the nearest.
    pub fn only(mut self, names: &[&str]) -> Result<Self> {
        names.iter().try_for_each(|name| self.any_store(name).map(drop))?;
        let needed: Vec<String> = names.iter().flat_map(|name| failure::needed(&self, name)).collect();
        self.stores.retain(|name, _| needed.contains(name));
        let kept = |name: &String| needed.contains(name);
        self.default_kv = self.default_kv.filter(kept);
        self.default_blobs = self.default_blobs.filter(kept);
        Ok(self)
    }

    /// What the store of that name keeps.
    ///
    /// # Errors
    /// `config` where there is none, naming the nearest.
    pub fn kind(&self, name: &str) -> Result<StoreKind> {
        self.any_store(name).map(|store| store.kind)
    }

    /// The store of that name, of whatever kind.
    pub(crate) fn any_store(&self, name: &str) -> Result<&StorePlan> {
        self.stores.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.stores.keys().map(String::as_str).collect();
            let near = nearest(name, known.iter().copied()).unwrap_or_default();
            let known = known.join(", ");
            Error::config(format!("there is no store `{name}`; did you mean `{near}`? (stores: {known})"))
        })
    }

    /// The store of that name, or an error that says which there are.
    pub(crate) fn expect_store(&self, kind: StoreKind, name: &str) -> Result<&StorePlan> {
        if let Some(store) = self.stores.get(name).filter(|store| store.kind == kind) {
            return Ok(store);
        }
        let known: Vec<&str> = self.stores(kind).collect();
        let message = match nearest(name, known.iter().copied()) {
            Some(near) => {
                format!(
                    "there is no {kind} store `{name}`; did you mean `{near}`? (stores: {})",
                    known.join(", ")
                )
            }
            None => format!("there is no {kind} store `{name}`: the configuration names none of that kind"),
        };
        Err(Error::config(message))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("stores", &self.stores)
            .field("plugins", &self.plugins)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PluginPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginPlan")
            .field("path", &self.path)
            .field("sha256", &self.sha256)
            .field("settings", &self.settings_shown)
            .field("folders", &self.folders)
            .field("env", &self.env.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("tcp", &self.tcp)
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
