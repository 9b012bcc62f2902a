//! Connections on `wasi:sockets`.
//!
//! The invariant: a resource is dropped before the one that it came from (a pollable before its stream, the streams before
//! their socket), or the host traps.

use std::{fmt, io, time::Duration};

use wasip2::{
    clocks::monotonic_clock,
    io::{
        poll::{Pollable, poll},
        streams::{InputStream, OutputStream, StreamError},
    },
    sockets::{
        instance_network::instance_network,
        ip_name_lookup::resolve_addresses,
        network::{
            ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
            Network,
        },
        tcp::TcpSocket,
        tcp_create_socket::create_tcp_socket,
    },
};

use super::Timeouts;

/// The fields are dropped in this order.
pub(super) struct Stream {
    input: InputStream,
    output: OutputStream,
    socket: TcpSocket,
    wait: Duration,
}

impl Stream {
    pub(super) fn connect(host: &str, port: u16, timeouts: Timeouts) -> io::Result<Self> {
        let network = instance_network();
        let addresses = resolve(&network, host, timeouts.connect)?;
        let mut last =
            io::Error::new(io::ErrorKind::NotFound, format!("connect to {host}: the name has no address"));
        for address in addresses {
            match open(&network, address, port, timeouts) {
                Ok(stream) => return Ok(stream),
                Err(Failed::Late) => last = late(&format!("connect to {host}:{port}")),
                Err(Failed::Code(code)) => last = failed(&format!("connect to {host}:{port}"), code),
            }
        }
        Err(last)
    }

    pub(super) fn is_idle(&mut self) -> bool {
        // Asks for a byte and does not wait: none is what an open and quiet stream has.
        self.input.read(1).is_ok_and(|bytes| bytes.is_empty())
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.input.read(buffer.len() as u64) {
                Ok(bytes) if bytes.is_empty() => {
                    if !ready(&self.input.subscribe(), self.wait) {
                        return Err(late("read"));
                    }
                }
                Ok(bytes) => {
                    let Some(room) = buffer.get_mut(..bytes.len()) else {
                        return Err(io::Error::other("the host answered more bytes than were asked for"));
                    };
                    room.copy_from_slice(&bytes);
                    return Ok(bytes.len());
                }
                Err(StreamError::Closed) => return Ok(0),
                Err(StreamError::LastOperationFailed(error)) => return Err(broken("read", &error)),
            }
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room("write")?;
        let bytes = bytes.get(..room).unwrap_or(bytes);
        self.output.write(bytes).map_err(|error| stream_failed("write", error))?;
        Ok(bytes.len())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.output.flush().map_err(|error| stream_failed("write", error))?;
        self.room("write").map(drop)
    }

    /// How many bytes may be written now; waits until there is room.
    fn room(&self, operation: &str) -> io::Result<usize> {
        loop {
            match self.output.check_write().map_err(|error| stream_failed(operation, error))? {
                0 if !ready(&self.output.subscribe(), self.wait) => return Err(late(operation)),
                0 => {}
                room => return Ok(usize::try_from(room).unwrap_or(usize::MAX)),
            }
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("socket", &self.socket).finish_non_exhaustive()
    }
}

enum Failed {
    Late,
    Code(ErrorCode),
}

impl From<ErrorCode> for Failed {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

fn resolve(network: &Network, host: &str, wait: Duration) -> io::Result<Vec<IpAddress>> {
    let operation = format!("resolve {host}");
    let stream = resolve_addresses(network, host).map_err(|code| failed(&operation, code))?;
    let mut addresses = Vec::new();
    loop {
        match stream.resolve_next_address() {
            Ok(Some(address)) => addresses.push(address),
            Ok(None) => return Ok(addresses),
            Err(ErrorCode::WouldBlock) => {
                if !ready(&stream.subscribe(), wait) {
                    return Err(late(&operation));
                }
            }
            Err(code) => return Err(failed(&operation, code)),
        }
    }
}

fn open(network: &Network, address: IpAddress, port: u16, timeouts: Timeouts) -> Result<Stream, Failed> {
    let (family, to) = match address {
        IpAddress::Ipv4(address) => {
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }))
        }
        IpAddress::Ipv6(address) => {
            let to = Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(to))
        }
    };
    let socket = create_tcp_socket(family)?;
    socket.start_connect(network, to)?;
    loop {
        match socket.finish_connect() {
            Ok((input, output)) => return Ok(Stream { input, output, socket, wait: timeouts.wait }),
            Err(ErrorCode::WouldBlock) => {
                if !ready(&socket.subscribe(), timeouts.connect) {
                    return Err(Failed::Late);
                }
            }
            Err(code) => return Err(code.into()),
        }
    }
}

/// Waits until something is ready, or as long as this; says which.
fn ready(pollable: &Pollable, wait: Duration) -> bool {
    if pollable.ready() {
        return true;
    }
    let alarm = monotonic_clock::subscribe_duration(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
    poll(&[pollable, &alarm]).contains(&0)
}

fn late(operation: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{operation}: the server took too long"))
}

fn failed(operation: &str, code: ErrorCode) -> io::Error {
    let kind = match code {
        ErrorCode::AccessDenied => io::ErrorKind::PermissionDenied,
        ErrorCode::ConnectionRefused => io::ErrorKind::ConnectionRefused,
        ErrorCode::ConnectionReset => io::ErrorKind::ConnectionReset,
        ErrorCode::ConnectionAborted => io::ErrorKind::ConnectionAborted,
        ErrorCode::Timeout => io::ErrorKind::TimedOut,
        ErrorCode::NameUnresolvable => io::ErrorKind::NotFound,
        ErrorCode::RemoteUnreachable => io::ErrorKind::HostUnreachable,
        ErrorCode::InvalidArgument => io::ErrorKind::InvalidInput,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, format!("{operation}: {}", code.message()))
}

fn stream_failed(operation: &str, error: StreamError) -> io::Error {
    match error {
        StreamError::Closed => {
            io::Error::new(io::ErrorKind::BrokenPipe, format!("{operation}: the connection is closed"))
        }
        StreamError::LastOperationFailed(error) => broken(operation, &error),
    }
}

fn broken(operation: &str, error: &wasip2::io::error::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, format!("{operation}: {}", error.to_debug_string()))
}
