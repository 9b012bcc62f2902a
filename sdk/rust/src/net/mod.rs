//! A TCP client for granted hosts and ports.
//!
//! The host resolves the name and connects only where a grant of the configuration (`grants.tcp`) allows it; what is not
//! granted is [`io::ErrorKind::PermissionDenied`]. A stream blocks, each wait up to its [`Timeouts`], and is read and
//! written as any other. `std::net` is no way: it does not link in every build of a plugin, and knows no such waits.
//!
//! Natively the same interface stands on `std::net`, so that a plugin's protocol is tested against a real server.
//!
//! ```no_run
//! use std::io::{Read, Write};
//!
//! use larder_sdk::net::{TcpStream, Timeouts};
//!
//! let mut stream = TcpStream::connect("cache.internal", 11211, Timeouts::default())?;
//! stream.write_all(b"version\r\n")?;
//! let mut answer = [0; 64];
//! let count = stream.read(&mut answer)?;
//! # drop(count);
//! # Ok::<(), std::io::Error>(())
//! ```

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod wasi;

#[cfg(not(target_arch = "wasm32"))]
use native as system;
#[cfg(target_arch = "wasm32")]
use wasi as system;

use std::{
    io::{self, Read, Write},
    time::Duration,
};

use crate::Error;

/// Longest waits for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to one address.
    pub connect: Duration,
    /// For the next bytes, or for room to write more.
    pub wait: Duration,
}

impl Default for Timeouts {
    /// 2 s for a connection, 5 s for the next bytes: less than a call may take.
    fn default() -> Self {
        Self { connect: Duration::from_secs(2), wait: Duration::from_secs(5) }
    }
}

/// A connection. Dropped, it is closed.
///
/// After a wait that was too long ([`io::ErrorKind::TimedOut`]) an answer may still come, which nobody would know from the
/// next: drop the stream then.
#[derive(Debug)]
pub struct TcpStream(system::Stream);

impl TcpStream {
    /// Connects to the first address of a host that takes the connection.
    ///
    /// # Errors
    /// `PermissionDenied` where no grant allows it, `NotFound` where the name has no address, else that of the last
    /// address that was tried. Nothing was sent.
    pub fn connect(host: &str, port: u16, timeouts: Timeouts) -> io::Result<Self> {
        system::Stream::connect(host, port, timeouts).map(Self)
    }

    /// Whether the stream is quiet and open, as it should be between an answer and the next request: the server has neither
    /// closed it nor said something unasked. Does not wait. A server that has restarted since is told by this before a
    /// request is lost on it.
    pub fn is_idle(&mut self) -> bool {
        self.0.is_idle()
    }
}

impl Read for TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The contract's error for a failure in which nothing can have been written: `denied` where no grant allows the connection,
/// else `unavailable`.
pub fn unreached(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Error::denied(error.to_string()),
        _ => Error::unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
