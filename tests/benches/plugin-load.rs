//! What it costs to load a plugin: compiled for the first time, and found in the cache of compiled components.
//!
//! A load is all that a host waits for: the component is read, found, linked, its first instance started, configured, asked for
//! its health. Each round has a new engine, as a new process would.

use std::{error::Error, path::Path, process::ExitCode, sync::Arc};

use larder_tests::bench::{Bench, Stopwatch, Unit};
use larder_wasm::{Engine, EngineOptions, KvPlugin, PluginOptions, Source};
use tokio::runtime::Runtime;

/// Rounds of a load.
const ROUNDS: u32 = 25;
/// Plugins of a host.
const PLUGINS: u32 = 10;

const COMPILE_NANOS_MAX: f64 = 0.3e9;
const RUST_NANOS_MAX: f64 = 1e6;
const PYTHON_NANOS_MAX: f64 = 20e6;
const HOST_NANOS_MAX: f64 = 100e6;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let mut bench = Bench::from_args("plugin-load");
    match measure(&mut bench) {
        Ok(()) => bench.finish(),
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a bench has no other place for its errors")]
fn complain(error: &Failure) {
    eprintln!("plugin-load: {error}");
}

fn measure(bench: &mut Bench) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let home = tempfile::tempdir()?;
    let folder = home.path().join("compiled");
    let rust = Source::file(larder_tests::plugin("kv-memory"));

    let compile = || load(&runtime, &engine(None), std::slice::from_ref(&rust));
    let mut uncached: Vec<f64> = (0..5).map(|_| compile()).collect();
    uncached.sort_by(f64::total_cmp);
    let uncached = uncached.get(2).copied().unwrap_or(f64::NAN);
    bench.within("a Rust plugin, compiled", Unit::Nanos, COMPILE_NANOS_MAX, 5, compile, uncached);

    let what = "a Rust plugin, from the cache";
    cached(bench, &runtime, &folder, what, std::slice::from_ref(&rust), RUST_NANOS_MAX, uncached);

    let ten: Vec<Source> = (0..PLUGINS).map(|n| variant(home.path(), n)).collect::<Result<_, _>>()?;
    let all = load(&runtime, &engine(None), &ten);
    let what = "an engine and 10 plugins, from the cache";
    load(&runtime, &engine(Some(&folder)), &ten);
    let start = || {
        let watch = Stopwatch::start();
        let engine = engine(Some(&folder));
        load(&runtime, &engine, &ten);
        let nanos = watch.nanos_per(1);
        assert_eq!(engine.compilations().from_disk, u64::from(PLUGINS), "something was compiled");
        nanos
    };
    bench.within(what, Unit::Nanos, HOST_NANOS_MAX, ROUNDS, start, all);

    if !bench.is_smoke() {
        // A smoke run leaves out the interpreter: compiling it takes longer than everything else together.
        let python = [Source::file(larder_tests::plugin("kv-python"))];
        let uncached = load(&runtime, &engine(None), &python);
        let what = "a Python plugin, from the cache";
        cached(bench, &runtime, &folder, what, &python, PYTHON_NANOS_MAX, uncached);
    }
    Ok(())
}

/// Measures loads out of the cache, which is filled first.
fn cached(
    bench: &mut Bench,
    runtime: &Runtime,
    folder: &Path,
    what: &str,
    sources: &[Source],
    limit: f64,
    uncached: f64,
) {
    load(runtime, &engine(Some(folder)), sources);
    let ours = || {
        let engine = engine(Some(folder));
        let nanos = load(runtime, &engine, sources);
        assert_eq!(engine.compilations().from_disk, sources.len() as u64, "something was compiled");
        nanos
    };
    bench.within(what, Unit::Nanos, limit, ROUNDS, ours, uncached);
}

fn engine(folder: Option<&Path>) -> Arc<Engine> {
    let mut options = EngineOptions::default();
    options.compiled = folder.map(Path::to_owned);
    Engine::new(options).expect("this machine runs WebAssembly")
}

/// Loads plugins one after the other; nanoseconds.
fn load(runtime: &Runtime, engine: &Arc<Engine>, sources: &[Source]) -> f64 {
    let watch = Stopwatch::start();
    let plugins: Vec<KvPlugin> = sources
        .iter()
        .map(|source| {
            let loading = KvPlugin::load(engine, source, options());
            runtime.block_on(loading).expect("the plugin loads")
        })
        .collect();
    let nanos = watch.nanos_per(1);
    drop(plugins);
    nanos
}

/// With a grant of TCP: an interpreter imports sockets whether its plugin uses them or not.
fn options() -> PluginOptions {
    PluginOptions::new("p").with_tcp("localhost:1".parse().expect("a grant"))
}

/// `kv-memory` with a custom section that makes it another component, in a file.
fn variant(folder: &Path, number: u32) -> Result<Source, Failure> {
    let mut bytes = std::fs::read(larder_tests::plugin("kv-memory"))?;
    // Section 0 of five bytes: an empty name, and the number.
    bytes.extend_from_slice(&[0, 5, 0]);
    bytes.extend_from_slice(&number.to_le_bytes());
    let path = folder.join(format!("{number}.wasm"));
    std::fs::write(&path, bytes)?;
    Ok(Source::file(path))
}
