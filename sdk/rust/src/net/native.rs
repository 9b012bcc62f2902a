//! The same on `std::net`, for native tests of plugins.

use std::{
    io::{self, Read, Write},
    net::{self, ToSocketAddrs as _},
};

use super::Timeouts;

#[derive(Debug)]
pub(super) struct Stream(net::TcpStream);

impl Stream {
    pub(super) fn connect(host: &str, port: u16, timeouts: Timeouts) -> io::Result<Self> {
        let mut last =
            io::Error::new(io::ErrorKind::NotFound, format!("connect to {host}: the name has no address"));
        for address in (host, port).to_socket_addrs()? {
            match net::TcpStream::connect_timeout(&address, timeouts.connect) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(timeouts.wait))?;
                    stream.set_write_timeout(Some(timeouts.wait))?;
                    return Ok(Self(stream));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub(super) fn is_idle(&mut self) -> bool {
        let is_asked = self.0.set_nonblocking(true).is_ok();
        let is_quiet =
            matches!(self.0.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.0.set_nonblocking(false).is_ok() && is_asked && is_quiet
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(late)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(late)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What the system calls a wait that was too long differs; a component knows one name for it.
fn late(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}
