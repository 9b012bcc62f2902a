//! Everything that can be held against a component from outside: what a backend author runs after each change.
//!
//! First the conformance suite, then three sections of larder's own: hostile inputs (what a caller or a
//! configuration should not send and will), limits (the largest work within the ordinary budget), and a leak (what an
//! instance holds after many calls). Each case gets a new instance over nothing: an empty scratch folder, which the
//! component may use under a name of its own, and a clock that the suite turns. A layer stands in front of memory.

mod calls;
mod hostile;
mod leak;
mod limits;
mod report;
mod settings;
mod subject;

use std::{fmt, path::PathBuf, sync::Arc};

use larder_conformance::{blob, kv};
use larder_core::{Error, ErrorKind, Result};
use larder_wasm::{Engine, EngineOptions, HttpGrant, Inspection, Mode, Source, TcpGrant, World};

pub use self::report::{CheckReport, Measured, Section};
use self::subject::Subject;
pub use larder_conformance::{CaseOutcome, CaseResult, Contract, Report};

/// Calls of the search for leaks, unless told otherwise: a leak of 40 bytes a call takes 4 MB by then, which the rule sees.
pub const LEAK_CALLS: u64 = 100_000;
/// Calls of a quick search: it sees leaks of whole pages alone.
pub const QUICK_CALLS: u64 = 1_000;

/// Told how many of how many calls the search for leaks has made.
pub type OnProgress = Arc<dyn Fn(u64, u64) + Send + Sync>;

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
    /// Calls of the search for leaks, after the warm-up.
    pub calls: u64,
    /// Told of the search's progress.
    pub on_progress: Option<OnProgress>,
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
            calls: LEAK_CALLS,
            on_progress: None,
        }
    }
}

impl fmt::Debug for CheckOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.settings.iter().map(|(name, _)| name).collect();
        f.debug_struct("CheckOptions")
            .field("settings", &names)
            .field("folder", &self.folder)
            .field("tcp", &self.tcp)
            .field("http", &self.http)
            .field("mode", &self.mode)
            .field("seed", &self.seed)
            .field("compiled", &self.compiled)
            .field("calls", &self.calls)
            .finish_non_exhaustive()
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

/// Runs the conformance suite that fits the component's world, then hostile inputs, limits and the search for leaks.
///
/// # Errors
/// `config` where it is no component, or of a world that no suite is for; `denied` where it imports
/// what it is not granted. What does not hold is no error: the report says it.
pub async fn check_plugin(source: Source, options: CheckOptions) -> Result<CheckReport> {
    let inspection = inspect_plugin(source.clone(), options.compiled.clone()).await?;
    let engine = engine(options.compiled.clone())?;
    let subject = Subject::new(engine, source, options, inspection.world);
    match inspection.world {
        Some(World::KvBackend | World::KvLayer) => {
            let options = kv::Options { seed: subject.options.seed, ..kv::Options::default() };
            // Whatever keeps it from starting at all is an error, not a case.
            kv::Subject::fresh(&subject).await?;
            let conformance = kv::run(&subject, &options).await;
            let mut hostile = hostile::kv(&subject).await;
            hostile.cases.extend(settings::cases(&subject).await);
            let sections = vec![hostile, limits::kv(&subject).await, leak::kv(&subject).await];
            Ok(CheckReport { conformance, sections })
        }
        Some(World::BlobBackend | World::BlobLayer) => {
            let options = blob::Options { seed: subject.options.seed, ..blob::Options::default() };
            blob::Subject::fresh(&subject).await?;
            let conformance = blob::run(&subject, &options).await;
            let mut hostile = hostile::blob(&subject).await;
            hostile.cases.extend(settings::cases(&subject).await);
            let sections = vec![hostile, limits::blob(&subject).await, leak::blob(&subject).await];
            Ok(CheckReport { conformance, sections })
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
