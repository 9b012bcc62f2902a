//! Blobs in S3 through larder's operator against OpenDAL's own, on the same server, with the same parts.
//!
//! The server is a process of its own, so that this one's memory is the client's alone.

#[path = "s3-blob/server.rs"]
mod server;

use std::{error::Error, process::ExitCode};

use bytes::Bytes;
use futures::TryStreamExt;
use larder_backends::object::{Guards, S3Options};
use larder_tests::{
    bench::{Bench, Stopwatch, Target, Unit},
    servers::s3::{ACCESS_KEY, SECRET_KEY},
};
use opendal::{HttpTransporter, OperationContext, Operator, services};
use opendal_http_transport_reqwest::ReqwestTransport;

use server::Server;

/// Size of a part, larder's own default.
const PART_BYTES: usize = 7 << 20;
/// Parts on their way at once, larder's own default.
const PARTS_IN_FLIGHT: usize = 4;
/// Size of the pieces that the blob is written in.
const PIECE_BYTES: usize = 1 << 20;
/// Pieces of a blob: 256 MiB.
const PIECES: u64 = 256;
/// Rounds of each side: a disk and a loopback are less steady than a processor.
const ROUNDS: u32 = 9;
/// What the peak of memory may grow by besides the parts on their way: the part that waits, the one that is filled.
const GROWTH_BYTES_MAX: f64 = (PARTS_IN_FLIGHT * PART_BYTES + (16 << 20)) as f64;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    if let Some(folder) = server::folder() {
        return server::serve(&folder);
    }
    let mut bench = Bench::from_args("s3-blob");
    match measure(&mut bench) {
        Ok(()) => bench.finish(),
        #[expect(clippy::print_stderr, reason = "a bench is a command")]
        Err(error) => {
            eprintln!("s3-blob: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(bench: &mut Bench) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let server = Server::start()?;
    let ours = S3Options::new(server::BUCKET)
        .endpoint(server.endpoint())
        .prefix("ours")
        .keys(ACCESS_KEY, SECRET_KEY, None)
        .parts(PART_BYTES, PARTS_IN_FLIGHT)
        .into_object()?
        .guards(Guards::remote());
    let ours = runtime.block_on(ours.open())?;
    let bare = bare(server.endpoint())?;
    let pieces = bench.calls(PIECES);

    // Before the rounds, which leave memory behind that the allocator would hand out again unseen.
    runtime.block_on(write(&ours, 1));
    let up = growth(|| runtime.block_on(write(&ours, pieces)))?;
    bench.bound("growth of the peak of memory, up", Unit::Bytes, up, GROWTH_BYTES_MAX);
    let down = growth(|| runtime.block_on(read(&ours, pieces)))?;
    bench.bound("growth of the peak of memory, down", Unit::Bytes, down, GROWTH_BYTES_MAX);

    runtime.block_on(async {
        let up = "256 MiB up, 4 parts of 7 MiB at once";
        let (one, other) = (async || write(&ours, pieces).await, async || write(&bare, pieces).await);
        bench.ratio_async(up, Unit::BytesPerSecond, Target::AtLeast(0.95), ROUNDS, one, other).await;
        let (one, other) = (async || read(&ours, pieces).await, async || read(&bare, pieces).await);
        bench
            .ratio_async("256 MiB down", Unit::BytesPerSecond, Target::AtLeast(0.95), ROUNDS, one, other)
            .await;
    });
    Ok(())
}

/// OpenDAL's own operator and client, with nothing of larder's but the TLS provider that opening ours has installed.
fn bare(endpoint: &str) -> Result<Operator, Failure> {
    let service = services::S3::default()
        .bucket(server::BUCKET)
        .endpoint(endpoint)
        .region("us-east-1")
        .root("/bare")
        .access_key_id(ACCESS_KEY)
        .secret_access_key(SECRET_KEY);
    let client = HttpTransporter::new(ReqwestTransport::new(reqwest::Client::new()));
    Ok(Operator::new(service)?.with_context(OperationContext::new().with_http_transport(client)))
}

/// A piece of its own memory, as a caller has it that reads from somewhere else.
fn piece(number: u64) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64.wrapping_add(number);
    let mut bytes = Vec::with_capacity(PIECE_BYTES);
    while bytes.len() < PIECE_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    Bytes::from(bytes)
}

/// Writes the blob; bytes per second, until it is there.
async fn write(operator: &Operator, pieces: u64) -> f64 {
    let watch = Stopwatch::start();
    let written = async {
        let mut writer = operator.writer_with("blob").chunk(PART_BYTES).concurrent(PARTS_IN_FLIGHT).await?;
        for number in 0..pieces {
            writer.write(piece(number)).await?;
        }
        writer.close().await
    };
    let written = written.await;
    assert!(written.is_ok(), "the blob was not written: {written:?}");
    watch.per_second(pieces * PIECE_BYTES as u64)
}

/// Reads the blob that was written last, piece by piece; bytes per second.
async fn read(operator: &Operator, pieces: u64) -> f64 {
    let watch = Stopwatch::start();
    let read = async {
        let stream = operator.reader("blob").await?.into_stream(..).await?;
        stream.try_fold(0, |sum, piece| async move { Ok(sum + piece.len() as u64) }).await
    };
    let bytes = read.await;
    let expected = pieces * PIECE_BYTES as u64;
    assert!(matches!(&bytes, Ok(bytes) if *bytes == expected), "the blob was not read: {bytes:?}");
    watch.per_second(expected)
}

/// How much the peak of memory grows by while something runs, in bytes.
fn growth(run: impl FnOnce() -> f64) -> Result<f64, Failure> {
    // Begins a new peak.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = memory("VmRSS:")?;
    run();
    Ok(memory("VmHWM:")? - before)
}

/// A line of this process's status, in bytes.
fn memory(name: &str) -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0)
}
