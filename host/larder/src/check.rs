//! The conformance suite over a component: what a backend author runs after each change.
//!
//! Each case gets a new instance over nothing: an empty scratch folder, which the component may use
//! under a name of its own, and a clock that the suite turns. A layer stands in front of memory.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use larder_conformance::{blob, kv};
use larder_core::{BoxFuture, Error, ErrorKind, KvStore, ManualClock, MemoryKv, Result};
use larder_wasm::{
    Access, BlobPlugin, Engine, EngineOptions, HttpGrant, Inspection, KvPlugin, Mode, PluginOptions, Source,
    TcpGrant, World,
};
use opendal::Operator;
use tempfile::TempDir;

pub use larder_conformance::{CaseOutcome, CaseResult, Contract, Report};

/// How a component is checked.
#[derive(Clone)]
#[non_exhaustive]
pub struct CheckOptions {
    /// Settings for its `configure`; not shown anywhere.
    pub settings: Vec<(String, String)>,
    /// The name by which it sees the scratch folder; none grants no folder.
    pub folder: Option<String>,
    /// Hosts and ports that it may connect to. What it keeps there is the same for each case.
    pub tcp: Vec<TcpGrant>,
    /// Origins that it may send requests to by HTTP.
    pub http: Vec<HttpGrant>,
    /// How it is called.
    pub mode: Mode,
    /// The seed of everything random.
    pub seed: u64,
    /// Where compiled components are kept; none compiles the component anew.
    pub compiled: Option<PathBuf>,
}

impl Default for CheckOptions {
    /// No settings, a scratch folder `/data`, the suite's own seed.
    fn default() -> Self {
        Self {
            settings: Vec::new(),
            folder: Some("/data".to_owned()),
            tcp: Vec::new(),
            http: Vec::new(),
            mode: Mode::default(),
            seed: kv::Options::default().seed,
            compiled: None,
        }
    }
}

impl std::fmt::Debug for CheckOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.settings.iter().map(|(name, _)| name).collect();
        f.debug_struct("CheckOptions")
            .field("settings", &names)
            .field("folder", &self.folder)
            .field("tcp", &self.tcp)
            .field("http", &self.http)
            .field("mode", &self.mode)
            .field("seed", &self.seed)
            .field("compiled", &self.compiled)
            .finish()
    }
}

/// What a component is, and what it wants. Compiles it, unless it is in the folder `compiled`, and runs nothing of it.
///
/// # Errors
/// `config` where the file can't be read or is no component.
pub async fn inspect_plugin(source: Source, compiled: Option<PathBuf>) -> Result<Inspection> {
    let inspecting = tokio::task::spawn_blocking(move || {
        let engine = engine(compiled)?;
        larder_wasm::inspect(&engine, &source)
    });
    inspecting.await.unwrap_or_else(|panic| {
        Err(Error::new(ErrorKind::Plugin, "the inspection did not end").caused_by(panic))
    })
}

/// Runs the whole conformance suite that fits the component's world.
///
/// # Errors
/// `config` where it is no component, or of a world that no suite is for; `denied` where it imports
/// what it is not granted. What does not hold is no error: the report says it.
pub async fn check_plugin(source: Source, options: CheckOptions) -> Result<Report> {
    let inspection = inspect_plugin(source.clone(), options.compiled.clone()).await?;
    let subject = Subject {
        engine: engine(options.compiled.clone())?,
        source,
        options,
        layer: inspection.world.is_some_and(World::is_layer),
        clock: Arc::new(ManualClock::default()),
        scratch: Mutex::new(None),
    };
    match inspection.world {
        Some(World::KvBackend | World::KvLayer) => {
            let options = kv::Options { seed: subject.options.seed, ..kv::Options::default() };
            // Whatever keeps it from starting at all is an error, not a case.
            kv::Subject::fresh(&subject).await?;
            Ok(kv::run(&subject, &options).await)
        }
        Some(World::BlobBackend | World::BlobLayer) => {
            let options = blob::Options { seed: subject.options.seed, ..blob::Options::default() };
            blob::Subject::fresh(&subject).await?;
            Ok(blob::run(&subject, &options).await)
        }
        // Loading as anything says what it is, and what would fit.
        None => kv::Subject::fresh(&subject).await.and_then(|_| Err(no_suite("of no world"))),
        Some(world) => Err(no_suite(&format!("of the world `{world}`"))),
    }
}

fn engine(compiled: Option<PathBuf>) -> Result<Arc<Engine>> {
    let mut options = EngineOptions::default();
    options.compiled = compiled;
    Engine::new(options)
}

fn no_suite(what: &str) -> Error {
    Error::config(format!("the component is {what}, which no conformance suite is for yet"))
}

struct Subject {
    engine: Arc<Engine>,
    source: Source,
    options: CheckOptions,
    layer: bool,
    clock: Arc<ManualClock>,
    /// The folder of the current case; the one before goes when it is replaced.
    scratch: Mutex<Option<TempDir>>,
}

impl Subject {
    fn plugin_options(&self) -> Result<PluginOptions> {
        let mut plugin = PluginOptions::new("checked")
            .with_mode(self.options.mode)
            .with_clock(Arc::clone(&self.clock) as Arc<dyn larder_core::Clock>);
        plugin.settings = self.options.settings.clone();
        plugin.grants.tcp = self.options.tcp.clone();
        plugin.grants.http = self.options.http.clone();
        if let Some(guest) = &self.options.folder {
            let folder = tempfile::tempdir().map_err(|e| {
                Error::new(ErrorKind::Unavailable, "the scratch folder can't be made").caused_by(e)
            })?;
            plugin = plugin.with_folder(folder.path(), guest, Access::ReadWrite);
            *self.scratch.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder);
        }
        Ok(plugin)
    }
}

impl kv::Subject for Subject {
    fn name(&self) -> String {
        self.source.to_string()
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Arc<dyn KvStore>>> {
        Box::pin(async {
            let options = self.plugin_options()?;
            let plugin = if self.layer {
                let clock = Arc::clone(&self.clock) as Arc<dyn larder_core::Clock>;
                let next = Arc::new(MemoryKv::with_clock(clock));
                KvPlugin::load_layer(&self.engine, &self.source, options, next).await?
            } else {
                KvPlugin::load(&self.engine, &self.source, options).await?
            };
            Ok(Arc::new(plugin) as Arc<dyn KvStore>)
        })
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }
}

impl blob::Subject for Subject {
    fn name(&self) -> String {
        self.source.to_string()
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Operator>> {
        Box::pin(async {
            let options = self.plugin_options()?;
            let plugin = if self.layer {
                let next = larder_backends::object::memory();
                BlobPlugin::load_layer(&self.engine, &self.source, options, next).await?
            } else {
                BlobPlugin::load(&self.engine, &self.source, options).await?
            };
            Ok(plugin.operator())
        })
    }
}
