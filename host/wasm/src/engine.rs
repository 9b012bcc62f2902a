//! The wasmtime engine with larder's settings, its clock for deadlines, and its linkers.

use std::{
    fmt,
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use larder_core::{Error, ErrorKind, Result};
use wasmtime::{Config, OptLevel, Strategy, component::Linker};

use crate::{
    blob_import,
    compiler::{Compilations, Compiler},
    file_read, kv_import, log, network, never_blocks,
    options::EngineOptions,
    standard,
    state::State,
    supervision::Registry,
};

/// How often a running guest is looked at: the resolution of budgets.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// Stack of a guest in bytes: wasmtime's own default, and a quarter of a fiber's stack.
const STACK_BYTES_MAX: usize = 512 << 10;

/// Compiles and runs plugins; one serves a whole host.
///
/// Owns one thread, that ticks while the engine lives and ends with it.
pub struct Engine {
    wasmtime: wasmtime::Engine,
    inline: Linker<State>,
    fiber: Linker<State>,
    layer: Linker<State>,
    compiler: Compiler,
    /// How each component stands that ran here.
    pub(crate) registry: Registry,
    ticker: Option<Ticker>,
}

struct Ticker {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Engine {
    /// Sets up an engine. A folder of compiled components that can't be used is told in the log, and done without.
    ///
    /// # Errors
    /// `plugin` where the machine can't run WebAssembly.
    pub fn new(options: EngineOptions) -> Result<Arc<Self>> {
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
        let compiler = Compiler::new(&wasmtime, &options);
        let registry = Registry::default();
        Ok(Arc::new(Self { wasmtime, inline, fiber, layer, compiler, registry, ticker: Some(ticker) }))
    }

    /// Where it keeps compiled components; none where it keeps none, also because the folder can't be used.
    pub fn compiled_folder(&self) -> Option<&Path> {
        self.compiler.folder()
    }

    /// What it had to compile so far, and what not.
    pub fn compilations(&self) -> Compilations {
        self.compiler.counts()
    }

    pub(crate) fn compiler(&self) -> &Compiler {
        &self.compiler
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
    standard::add_to_linker(&mut linker)?;
    Ok(linker)
}

fn fiber_linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    file_read::add_to_linker(&mut linker)?;
    network::add_to_linker(&mut linker)?;
    network::http::add_to_linker(&mut linker)?;
    log::add_to_linker(&mut linker)?;
    standard::add_to_linker(&mut linker)?;
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
