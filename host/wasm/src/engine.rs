//! The wasmtime engine with larder's settings, its clock for deadlines, and its linkers.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use larder_core::{Error, ErrorKind, Result};
use tokio::sync::Semaphore;
use wasmtime::{
    Config, OptLevel, Strategy,
    component::{Component, Linker},
};

use crate::{
    blob_import, file_read, kv_import, log, network, never_blocks, source::Loaded, state::State,
    supervision::Registry,
};

/// How often a running guest is looked at: the resolution of budgets.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// Stack of a guest in bytes: wasmtime's own default, and a quarter of a fiber's stack.
const STACK_BYTES_MAX: usize = 512 << 10;

/// How many components are compiled at once; more would only take the cores from the fetcher.
const COMPILATIONS_MAX: usize = 2;

/// How many compiled components are kept: a few megabytes each.
const COMPILED_MAX: usize = 4;

/// Settings of an [`Engine`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EngineOptions {}

/// Compiles and runs plugins; one serves a whole host.
///
/// Owns one thread, that ticks while the engine lives and ends with it.
pub struct Engine {
    wasmtime: wasmtime::Engine,
    inline: Linker<State>,
    fiber: Linker<State>,
    layer: Linker<State>,
    compilations: Semaphore,
    /// What was compiled last, by digest, newest first: the same component serves several plugins, is swapped back
    /// to, and is loaded again and again by a conformance run.
    compiled: Mutex<VecDeque<(String, Component)>>,
    /// How each component stands that ran here.
    pub(crate) registry: Registry,
    ticker: Option<Ticker>,
}

struct Ticker {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Engine {
    /// Sets up an engine.
    ///
    /// # Errors
    /// `plugin` where the machine can't run WebAssembly.
    pub fn new(_options: EngineOptions) -> Result<Arc<Self>> {
        let failed = |e: wasmtime::Error| {
            Error::new(ErrorKind::Plugin, "the WebAssembly engine can't be set up")
                .caused_by(e.into_boxed_dyn_error())
        };
        let wasmtime = wasmtime::Engine::new(&config()).map_err(failed)?;
        let inline = inline_linker(&wasmtime).map_err(failed)?;
        let fiber = fiber_linker(&wasmtime).map_err(failed)?;
        let mut layer = fiber.clone();
        kv_import::add_to_linker(&mut layer).map_err(failed)?;
        blob_import::add_to_linker(&mut layer).map_err(failed)?;
        let ticker = Ticker::start(&wasmtime)?;
        let compilations = Semaphore::new(COMPILATIONS_MAX);
        Ok(Arc::new(Self {
            wasmtime,
            inline,
            fiber,
            layer,
            compilations,
            compiled: Mutex::default(),
            registry: Registry::default(),
            ticker: Some(ticker),
        }))
    }

    /// Compiles a component, off the runtime's threads.
    pub(crate) async fn compile(self: &Arc<Self>, loaded: Loaded, name: &str) -> Result<Component> {
        let _permit = self
            .compilations
            .acquire()
            .await
            .map_err(|e| Error::invalid("the engine is closed").caused_by(e))?;
        if let Some(component) = self.recall(&loaded.digest) {
            return Ok(component);
        }
        let digest = loaded.digest.clone();
        let engine = Arc::clone(self);
        let compiled = tokio::task::spawn_blocking(move || engine.compile_now(&loaded)).await;
        compiled
            .map_err(|e| Error::new(ErrorKind::Plugin, "compiling the component panicked").caused_by(e))
            .flatten()
            .inspect(|component| self.keep(digest, component))
            .map_err(|e| e.with("plugin", name))
    }

    fn recall(&self, digest: &str) -> Option<Component> {
        let compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.iter().find(|(known, _)| known == digest).map(|(_, component)| component.clone())
    }

    fn keep(&self, digest: String, component: &Component) {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.push_front((digest, component.clone()));
        compiled.truncate(COMPILED_MAX);
    }

    /// Compiles a component on this thread: tens of milliseconds for a small one, seconds for an interpreter.
    pub(crate) fn compile_now(&self, loaded: &Loaded) -> Result<Component> {
        Component::from_binary(&self.wasmtime, &loaded.bytes)
            .map_err(|e| Error::config("the component is not valid").caused_by(e.into_boxed_dyn_error()))
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    pub(crate) fn linker(&self, kind: LinkerKind) -> &Linker<State> {
        match kind {
            LinkerKind::Inline => &self.inline,
            LinkerKind::Fiber => &self.fiber,
            LinkerKind::Layer => &self.layer,
        }
    }
}

/// Which imports a plugin gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkerKind {
    /// WASI that never blocks.
    Inline,
    /// WASI that may.
    Fiber,
    /// The same and the next store.
    Layer,
}

/// The settings of `shared/design/plugins.md`: without component-model concurrency a call costs a third, and the
/// proposals that no guest needs are off.
fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .wasm_memory64(false)
        .relaxed_simd_deterministic(true);
    config
}

fn inline_linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    never_blocks::add_to_linker(&mut linker)?;
    log::add_to_linker(&mut linker)?;
    Ok(linker)
}

fn fiber_linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    file_read::add_to_linker(&mut linker)?;
    network::add_to_linker(&mut linker)?;
    log::add_to_linker(&mut linker)?;
    Ok(linker)
}

impl Ticker {
    fn start(engine: &wasmtime::Engine) -> Result<Self> {
        let engine = engine.weak();
        let (stop, stopped) = mpsc::channel::<()>();
        let tick = move || {
            while stopped.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        };
        let thread = std::thread::Builder::new().name("larder-ticker".into()).spawn(tick).map_err(|e| {
            Error::new(ErrorKind::Unavailable, "no thread for the deadlines of plugins").caused_by(e)
        })?;
        Ok(Self { stop, thread })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(Ticker { stop, thread }) = self.ticker.take() {
            drop(stop);
            if thread.join().is_err() {
                tracing::error!("the ticker of the plugin engine panicked");
            }
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
