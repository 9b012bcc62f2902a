//! The deeds, on `wasi:sockets` itself.

use std::{
    io::Read as _,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use larder_sdk::net::{TcpStream, Timeouts, unreached};
use larder_sdk::{Error, Result};
use wasip2::sockets::{
    instance_network::instance_network,
    ip_name_lookup::resolve_addresses,
    network::{ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress},
    tcp_create_socket::create_tcp_socket,
    udp_create_socket::create_udp_socket,
};

pub(crate) fn act(key: &str) -> Result<String> {
    let words: Vec<&str> = key.split(' ').collect();
    match words[..] {
        ["connect", to] => connect(to),
        ["dial", to] => dial(to).map(|_| "connected".to_owned()),
        ["resolve", name] => resolve(name),
        ["resolve-then-connect", name, to] => resolve(name).and_then(|_| connect(to)),
        ["bind", local] => bind(local).map(|()| "bound".to_owned()),
        ["listen"] => listen(),
        ["udp"] => create_udp_socket(IpAddressFamily::Ipv4).map(|_| "made".to_owned()).map_err(failed),
        ["hold", to] => dial(to).and_then(hold),
        ["hoard"] => hoard(),
        _ => Err(Error::invalid("no such deed")),
    }
}

fn failed(code: ErrorCode) -> Error {
    match code {
        ErrorCode::AccessDenied => Error::denied(code.message()),
        code => Error::other(format!("{code:?}")),
    }
}

fn address(text: &str) -> Result<(IpAddressFamily, IpSocketAddress)> {
    let address: SocketAddr = text.parse().map_err(|_| Error::invalid("no address"))?;
    let port = address.port();
    Ok(match address.ip() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            let address = Ipv4SocketAddress { port, address: (a, b, c, d) };
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(address))
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h] = ip.segments();
            let address =
                Ipv6SocketAddress { port, flow_info: 0, address: (a, b, c, d, e, f, g, h), scope_id: 0 };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(address))
        }
    })
}

fn connect(to: &str) -> Result<String> {
    let (family, to) = address(to)?;
    let socket = create_tcp_socket(family).map_err(failed)?;
    socket.start_connect(&instance_network(), to).map_err(failed)?;
    loop {
        match socket.finish_connect() {
            Ok(_) => return Ok("connected".to_owned()),
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            Err(code) => return Err(failed(code)),
        }
    }
}

fn dial(to: &str) -> Result<TcpStream> {
    let (host, port) = to.rsplit_once(':').ok_or_else(|| Error::invalid("no port"))?;
    let port = port.parse().map_err(|_| Error::invalid("no port"))?;
    let timeouts = Timeouts { wait: Duration::from_secs(3_600), ..Timeouts::default() };
    TcpStream::connect(host, port, timeouts).map_err(|error| unreached(&error))
}

fn hold(mut stream: TcpStream) -> Result<String> {
    let count = stream.read(&mut [0]).map_err(|error| unreached(&error))?;
    Ok(format!("{count} bytes"))
}

fn resolve(name: &str) -> Result<String> {
    let stream = resolve_addresses(&instance_network(), name).map_err(failed)?;
    let mut found = Vec::new();
    loop {
        match stream.resolve_next_address() {
            Ok(Some(IpAddress::Ipv4((a, b, c, d)))) => found.push(IpAddr::from([a, b, c, d]).to_string()),
            Ok(Some(IpAddress::Ipv6((a, b, c, d, e, f, g, h)))) => {
                found.push(IpAddr::from([a, b, c, d, e, f, g, h]).to_string());
            }
            Ok(None) => return Ok(found.join(" ")),
            Err(ErrorCode::WouldBlock) => stream.subscribe().block(),
            Err(code) => return Err(failed(code)),
        }
    }
}

fn bind(local: &str) -> Result<()> {
    let (family, local) = address(local)?;
    let socket = create_tcp_socket(family).map_err(failed)?;
    socket.start_bind(&instance_network(), local).and_then(|()| socket.finish_bind()).map_err(failed)
}

fn listen() -> Result<String> {
    let (family, local) = address("0.0.0.0:0")?;
    let socket = create_tcp_socket(family).map_err(failed)?;
    socket.start_bind(&instance_network(), local).and_then(|()| socket.finish_bind()).map_err(failed)?;
    socket.start_listen().and_then(|()| socket.finish_listen()).map_err(failed)?;
    Ok("listening".to_owned())
}

fn hoard() -> Result<String> {
    let mut sockets = Vec::new();
    loop {
        sockets.push(create_tcp_socket(IpAddressFamily::Ipv4).map_err(failed)?);
    }
}
