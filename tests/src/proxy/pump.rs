//! Carries bytes one way, and holds them back or stops where the wire says so.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::{
    io::AsyncWriteExt as _,
    net::tcp::{ReadHalf, WriteHalf},
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use super::{
    Way,
    wire::{State, Wire},
};

/// Most that is read at once, in bytes: a slow wire is slow in steps of this.
const CHUNK_BYTES: usize = 16 << 10;
/// Chunks on their way at once, as on a long wire; the sender waits for more.
const ON_THE_WAY_MAX: usize = 64;

/// Why no more bytes go this way.
pub(super) enum Ended {
    /// The sender has closed its half, and the receiver was told.
    Finished,
    /// One of the two is gone.
    Broken,
    /// The test has asked for it; whom to tell.
    Cut(Way, oneshot::Sender<()>),
}

/// A chunk, and when it was sent.
type Sent = (Instant, Bytes);

/// Carries until one of the ends closes, or the connection is cut.
pub(super) async fn run(way: Way, from: ReadHalf<'_>, to: WriteHalf<'_>, wire: &Wire) -> Ended {
    let (sender, chunks) = mpsc::channel(ON_THE_WAY_MAX);
    let mut pump = Pump { way, to, wire, state: wire.state(), free_at: Instant::now(), cut: 0, passed: 0 };
    let (read, written) = tokio::join!(read(from, sender), pump.write(chunks));
    match (read, written) {
        (_, Ok(Some(happened))) => Ended::Cut(way, happened),
        (Ok(()), Ok(None)) => Ended::Finished,
        _ => Ended::Broken,
    }
}

async fn read(from: ReadHalf<'_>, chunks: mpsc::Sender<Sent>) -> io::Result<()> {
    loop {
        tokio::select! {
            ready = from.readable() => ready?,
            // The writer has stopped, and this need not wait for a client that has nothing to say.
            () = chunks.closed() => return Ok(()),
        }
        let mut buffer = BytesMut::with_capacity(CHUNK_BYTES);
        match from.try_read_buf(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                if chunks.send((Instant::now(), buffer.freeze())).await.is_err() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

struct Pump<'a> {
    way: Way,
    to: WriteHalf<'a>,
    wire: &'a Wire,
    state: watch::Receiver<State>,
    /// When a slow wire has carried what it was given.
    free_at: Instant,
    /// The cut that `passed` is counted for.
    cut: u64,
    passed: u64,
}

impl Pump<'_> {
    async fn write(&mut self, mut chunks: mpsc::Receiver<Sent>) -> io::Result<Option<oneshot::Sender<()>>> {
        while let Some((sent_at, mut chunk)) = chunks.recv().await {
            let state = self.arrival(sent_at, chunk.len()).await;
            let mut cut = None;
            if let Some(pending) = state.cut.filter(|cut| cut.way == self.way) {
                if self.cut != pending.number {
                    (self.cut, self.passed) = (pending.number, 0);
                }
                let left =
                    usize::try_from(pending.after_bytes.saturating_sub(self.passed)).unwrap_or(usize::MAX);
                if chunk.len() > left {
                    cut = self.wire.take(pending);
                }
                if cut.is_some() {
                    chunk.truncate(left);
                }
            }
            self.pass(&chunk).await?;
            if cut.is_some() {
                return Ok(cut);
            }
        }
        // Half closed: the other way goes on.
        self.to.shutdown().await?;
        Ok(None)
    }

    /// Waits until a chunk has arrived, by the faults that are on while it is on its way.
    async fn arrival(&mut self, sent_at: Instant, bytes: usize) -> State {
        loop {
            let state = *self.state.borrow_and_update();
            let mut at = state.stalled_until.of(self.way).unwrap_or(sent_at);
            let mut free_at = self.free_at;
            if let Some(slow) = state.slow {
                free_at = free_at.max(sent_at) + slow.time_of(bytes);
                at = at.max(free_at + slow.latency);
            }
            if at <= Instant::now() {
                self.free_at = free_at;
                return state;
            }
            tokio::select! {
                () = sleep_until(at) => {}
                changed = self.state.changed() => if changed.is_err() { return state },
            }
        }
    }

    async fn pass(&mut self, mut chunk: &[u8]) -> io::Result<()> {
        while !chunk.is_empty() {
            self.to.writable().await?;
            match self.to.try_write(chunk) {
                Ok(written) => {
                    self.passed += written as u64;
                    self.wire.count_passed(self.way, written);
                    chunk = chunk.get(written..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
