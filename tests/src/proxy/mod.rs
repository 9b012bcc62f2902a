//! A TCP proxy on the loopback that breaks where a test says so: in the middle of a request, in the middle of a
//! reply, for a time, or for everybody who comes next.
//!
//! It knows bytes and nothing of what they mean, so it stands in front of any server. It does nothing by chance: a
//! fault happens when a test asks for it, at the byte that it names, and [`Proxy::heal`] ends it. A proxy that was
//! dropped has closed its connections.
//!
//! ```
//! use larder_tests::proxy::{Proxy, Way};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let server = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let proxy = Proxy::start(server.local_addr()?).await?;
//! // The server gets four bytes of the next request, and its client a connection that is reset.
//! let cut = proxy.cut_after(Way::Request, 4);
//! # let client = tokio::net::TcpStream::connect(proxy.address()).await?;
//! # client.try_write(b"hello")?;
//! cut.happened().await;
//! # std::io::Result::Ok(()) }).unwrap();
//! ```

mod connection;
mod pump;
mod wire;

#[cfg(test)]
mod tests;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinHandle, time::Instant};

use wire::Wire;
pub use wire::{Cut, Slow, Way};

/// A proxy in front of one server.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wire: Arc<Wire>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of the loopback and passes on to `upstream`, which need not be there yet.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let wire = Arc::new(Wire::new(upstream));
        let accepting = tokio::spawn(connection::accept(listener, Arc::clone(&wire)));
        Ok(Self { address, wire, accepting })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port of [`address`](Self::address).
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Passes new connections on to another server.
    pub fn set_upstream(&self, upstream: SocketAddr) {
        self.wire.set_upstream(upstream);
    }

    /// Cuts every connection that is open now; new ones are as good as ever.
    pub fn cut_all(&self) {
        self.wire.cut_all();
    }

    /// Cuts the first connection that carries more than `bytes` that way from now on, in place of the byte after
    /// them. With 0 bytes of [`Way::Reply`] the server has done what it was asked, and its client does not learn of it.
    /// Happens once; a second call takes the place of a first one that has not happened.
    ///
    /// A client whose request is cut sees a reset, one whose reply is cut sees the end of the stream.
    pub fn cut_after(&self, way: Way, bytes: u64) -> Cut {
        self.wire.cut_after(way, bytes)
    }

    /// Holds back all bytes that go that way for `time` from now on, then passes them on. Connections stay open.
    pub fn stall(&self, way: Way, time: Duration) {
        self.wire.change(|state| *state.stalled_until.of_mut(way) = Some(Instant::now() + time));
    }

    /// Makes both ways slow.
    pub fn slow(&self, slow: Slow) {
        self.wire.change(|state| state.slow = Some(slow));
    }

    /// Resets every connection that is made from now on; those that are open go on.
    pub fn refuse(&self) {
        self.wire.change(|state| state.refuses = true);
    }

    /// Ends every fault.
    pub fn heal(&self) {
        self.wire.heal();
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.wire.open()
    }

    /// Connections that were made since the start, also those that were refused.
    pub fn accepted(&self) -> u64 {
        self.wire.accepted()
    }

    /// Bytes that went that way since the start.
    pub fn passed(&self, way: Way) -> u64 {
        self.wire.passed(way)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The task owns those of the connections, which end with it.
        self.accepting.abort();
    }
}
