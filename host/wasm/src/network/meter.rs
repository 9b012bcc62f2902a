//! Counts what one call moves over its connections, and stops the call that moves too much: a service that never ends its
//! answer, or a plugin that sends out more than it has any business to.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use wasmtime_wasi::{
    async_trait,
    p2::{DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult},
};

/// What the connections of one instance may move in a call, both ways together.
#[derive(Debug)]
pub(crate) struct Meter {
    moved: AtomicU64,
    moved_max: u64,
}

impl Meter {
    pub(crate) fn new(moved_max: u64) -> Arc<Self> {
        Arc::new(Self { moved: AtomicU64::new(0), moved_max })
    }

    /// Begins a call.
    pub(crate) fn arm(&self) {
        self.moved.store(0, Ordering::Relaxed);
    }

    /// Counts, and traps above the limit.
    pub(crate) fn count(&self, bytes: usize) -> StreamResult<()> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let moved = self.moved.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if moved <= self.moved_max {
            return Ok(());
        }
        Err(StreamError::trap(&format!(
            "it moved more than {} bytes over its connections in one call (`limits.socket_bytes`)",
            self.moved_max
        )))
    }
}

/// A stream of a connection whose bytes are counted.
pub(crate) struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
}

impl<S> Metered<S> {
    pub(crate) fn new(stream: S, meter: Arc<Meter>) -> Self {
        Self { stream, meter }
    }
}

#[async_trait]
impl<S: Pollable + ?Sized> Pollable for Metered<Box<S>> {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}

#[async_trait]
impl InputStream for Metered<DynInputStream> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let bytes = self.stream.read(size)?;
        self.meter.count(bytes.len())?;
        Ok(bytes)
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}

#[async_trait]
impl OutputStream for Metered<DynOutputStream> {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.meter.count(bytes.len())?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.stream.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.stream.check_write()
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}

/// What stands in the place of a stream while it is wrapped.
pub(super) struct Gone;

#[async_trait]
impl Pollable for Gone {
    async fn ready(&mut self) {}
}

impl InputStream for Gone {
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        Err(StreamError::Closed)
    }
}

impl OutputStream for Gone {
    fn write(&mut self, _: Bytes) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Err(StreamError::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_may_move_its_bytes_and_not_one_more_and_the_next_call_begins_anew() {
        let meter = Meter::new(10);
        assert!(meter.count(4).is_ok() && meter.count(6).is_ok());
        let error = meter.count(1).unwrap_err();
        assert!(matches!(&error, StreamError::Trap(_)) && error.to_string().contains("limits.socket_bytes"));
        meter.arm();
        assert!(meter.count(10).is_ok());
    }
}
