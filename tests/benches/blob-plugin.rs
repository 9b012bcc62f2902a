//! Blobs through a plugin against the native operator, in the same folder and as durable.

use std::{error::Error, path::Path, process::ExitCode, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;
use larder_backends::object;
use larder_tests::bench::{Bench, Stopwatch, Target, Unit};
use larder_wasm::{Access, BlobPlugin, Engine, EngineOptions, PluginOptions, Source};
use opendal::Operator;

/// Size of a part.
const PART_BYTES: usize = 1 << 20;
/// Parts of a blob: 256 MiB.
const PARTS: u64 = 256;
/// Rounds of each side. A disk is less steady than a processor.
const ROUNDS: u32 = 7;
/// What the peak of memory may grow by while a blob goes through the plugin.
const GROWTH_BYTES_MAX: f64 = (32 << 20) as f64;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let mut bench = Bench::from_args("blob-plugin");
    match measure(&mut bench) {
        Ok(()) => bench.finish(),
        #[expect(clippy::print_stderr, reason = "a bench is a command")]
        Err(error) => {
            eprintln!("blob-plugin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(bench: &mut Bench) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // On the disk that the workspace is on: a temporary folder may be memory, and then nothing is synced.
    let target = larder_tests::workspace_root().join("target");
    std::fs::create_dir_all(&target)?;
    let folder = tempfile::tempdir_in(target)?;
    let engine = Engine::new(EngineOptions::default())?;
    let native = object::fs(&folder.path().join("native"))?;
    let plugin = runtime.block_on(plugin(&engine, &folder.path().join("plugin")))?;
    let part = part();
    let parts = bench.calls(PARTS);

    let ours = || runtime.block_on(write(&plugin, &part, parts));
    let baseline = || runtime.block_on(write(&native, &part, parts));
    let what = "written through the plugin, parts of 1 MiB, durable";
    bench.ratio(what, Unit::BytesPerSecond, Target::AtLeast(0.7), ROUNDS, ours, baseline);

    let ours = || runtime.block_on(read(&plugin, parts));
    let baseline = || runtime.block_on(read(&native, parts));
    bench.ratio(
        "read through the plugin",
        Unit::BytesPerSecond,
        Target::AtLeast(0.7),
        ROUNDS,
        ours,
        baseline,
    );

    let before = reset_peak()?;
    runtime.block_on(write(&plugin, &part, parts));
    let written = memory("VmHWM:")? - before;
    bench.bound("growth of the peak of memory by writing", Unit::Bytes, written, GROWTH_BYTES_MAX);
    let before = reset_peak()?;
    runtime.block_on(read(&plugin, parts));
    let read = memory("VmHWM:")? - before;
    bench.bound("growth of the peak of memory by reading", Unit::Bytes, read, GROWTH_BYTES_MAX);
    Ok(())
}

async fn plugin(engine: &Arc<Engine>, folder: &Path) -> Result<Operator, Failure> {
    let options = PluginOptions::new("blob-folder").with_setting("folder", "/data").with_folder(
        folder,
        "/data",
        Access::ReadWrite,
    );
    let source = Source::file(larder_tests::plugin("blob-folder"));
    Ok(BlobPlugin::load(engine, &source, options).await?.operator())
}

/// A part that no disk can shrink.
fn part() -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(PART_BYTES);
    while bytes.len() < PART_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    Bytes::from(bytes)
}

/// Writes the blob; bytes per second, until it is durable.
async fn write(operator: &Operator, part: &Bytes, parts: u64) -> f64 {
    let watch = Stopwatch::start();
    let written = async {
        let mut writer = operator.writer_with("blob").chunk(PART_BYTES).await?;
        for _ in 0..parts {
            writer.write(part.clone()).await?;
        }
        writer.close().await
    };
    let metadata = written.await;
    let bytes = parts * PART_BYTES as u64;
    assert!(metadata.is_ok_and(|metadata| metadata.content_length() == bytes), "the blob was not written");
    bytes as f64 / watch.elapsed().as_secs_f64()
}

/// Reads the blob that was written last, piece by piece; bytes per second.
async fn read(operator: &Operator, parts: u64) -> f64 {
    let watch = Stopwatch::start();
    let read = async {
        let stream = operator.reader("blob").await?.into_stream(..).await?;
        stream.try_fold(0, |sum, piece| async move { Ok(sum + piece.len() as u64) }).await
    };
    let bytes = read.await;
    assert!(bytes.is_ok_and(|bytes| bytes == parts * PART_BYTES as u64), "the blob was not read");
    (parts * PART_BYTES as u64) as f64 / watch.elapsed().as_secs_f64()
}

/// Begins a new peak; what is in memory now, in bytes.
fn reset_peak() -> Result<f64, Failure> {
    std::fs::write("/proc/self/clear_refs", "5")?;
    memory("VmRSS:")
}

/// A line of this process's status, in bytes.
fn memory(name: &str) -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0)
}
