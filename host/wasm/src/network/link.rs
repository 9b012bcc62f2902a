//! The functions of `wasi:sockets` that larder answers itself.
//!
//! Names are resolved by the guard; a connection is checked before wasmtime-wasi looks at it (and there once more, where its
//! address is used), so that also an address in a form that it would call malformed is refused for what it is; UDP sockets are
//! not made. All else of a socket is wasmtime-wasi's.

use std::net::SocketAddr;

use wasmtime::{
    Result, StoreContextMut,
    component::{Linker, Resource, ResourceType},
};
use wasmtime_wasi::{
    p2::{
        DynInputStream, DynOutputStream, DynPollable, Network, TcpSocket, UdpSocket,
        bindings::sockets::{
            network::{ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress},
            tcp::HostTcpSocket as _,
        },
        subscribe,
    },
    sockets::WasiSocketsView as _,
};

use super::{
    guard::Asked,
    lookup::Lookup,
    meter::{Gone, Metered},
};
use crate::state::State;

/// The interfaces, by the names that wasmtime-wasi links them under.
const NAMES: &str = "wasi:sockets/ip-name-lookup@0.2.12";
const TCP: &str = "wasi:sockets/tcp@0.2.12";
const UDP: &str = "wasi:sockets/udp-create-socket@0.2.12";

type Answer<T> = std::result::Result<T, ErrorCode>;

/// Replaces those functions in a linker that has wasmtime-wasi's.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    linker.allow_shadowing(true);
    let mut names = linker.instance(NAMES)?;
    names.resource("resolve-address-stream", ResourceType::host::<Lookup>(), |mut store, rep| {
        store.data_mut().table().delete(Resource::<Lookup>::new_own(rep))?;
        Ok(())
    })?;
    names.func_wrap("resolve-addresses", resolve)?;
    names.func_wrap("[method]resolve-address-stream.resolve-next-address", next)?;
    names.func_wrap("[method]resolve-address-stream.subscribe", subscribe_lookup)?;
    let mut tcp = linker.instance(TCP)?;
    tcp.func_wrap("[method]tcp-socket.start-connect", connect)?;
    tcp.func_wrap("[method]tcp-socket.finish-connect", connected)?;
    linker.instance(UDP)?.func_wrap("create-udp-socket", udp)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn resolve(
    mut store: StoreContextMut<'_, State>,
    (network, name): (Resource<Network>, String),
) -> Result<(Answer<Resource<Lookup>>,)> {
    let state = store.data_mut();
    // The handle is the right to ask; one that is none is a trap.
    state.table().get(&network)?;
    let Some(guard) = state.guard.clone() else { return Ok((Err(ErrorCode::AccessDenied),)) };
    let lookup = match guard.ask(&name) {
        Err(code) => return Ok((Err(code),)),
        Ok(Asked::Address(address)) => Lookup::ready(vec![address]),
        Ok(Asked::Name(name)) => Lookup::begin(guard.resolve(name)),
    };
    Ok((Ok(state.table().push(lookup)?),))
}

fn next(
    mut store: StoreContextMut<'_, State>,
    (lookup,): (Resource<Lookup>,),
) -> Result<(Answer<Option<IpAddress>>,)> {
    let found = store.data_mut().table().get_mut(&lookup)?.next();
    Ok((found.map(|address| address.map(IpAddress::from)),))
}

fn subscribe_lookup(
    mut store: StoreContextMut<'_, State>,
    (lookup,): (Resource<Lookup>,),
) -> Result<(Resource<DynPollable>,)> {
    Ok((subscribe(store.data_mut().table(), lookup)?,))
}

fn connect(
    mut store: StoreContextMut<'_, State>,
    (socket, network, to): (Resource<TcpSocket>, Resource<Network>, IpSocketAddress),
) -> Result<(Answer<()>,)> {
    let state = store.data_mut();
    let allowed = state.guard.as_ref().is_some_and(|guard| guard.connect(SocketAddr::from(to)).is_ok());
    if !allowed {
        return Ok((Err(ErrorCode::AccessDenied),));
    }
    match state.sockets().start_connect(socket, network, to) {
        Ok(()) => Ok((Ok(()),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

/// What a connection is read from and written to.
type Streams = (Resource<DynInputStream>, Resource<DynOutputStream>);

/// The streams of a connection, with their bytes counted.
fn connected(
    mut store: StoreContextMut<'_, State>,
    (socket,): (Resource<TcpSocket>,),
) -> Result<(Answer<Streams>,)> {
    let state = store.data_mut();
    let Some(guard) = state.guard.clone() else { return Ok((Err(ErrorCode::AccessDenied),)) };
    let (input, output) = match state.sockets().finish_connect(socket) {
        Ok(streams) => streams,
        Err(error) => return Ok((Err(error.downcast()?),)),
    };
    // In their places in the table, so that the socket stays their parent.
    let place: &mut DynInputStream = state.table().get_mut(&input)?;
    let stream = std::mem::replace(place, Box::new(Gone));
    *place = Box::new(Metered::new(stream, std::sync::Arc::clone(&guard.meter)));
    let place: &mut DynOutputStream = state.table().get_mut(&output)?;
    let stream = std::mem::replace(place, Box::new(Gone));
    *place = Box::new(Metered::new(stream, std::sync::Arc::clone(&guard.meter)));
    Ok((Ok((input, output)),))
}

fn udp(
    mut store: StoreContextMut<'_, State>,
    (_family,): (IpAddressFamily,),
) -> Result<(Answer<Resource<UdpSocket>>,)> {
    if let Some(guard) = &store.data_mut().guard {
        guard.refuse_udp();
    }
    Ok((Err(ErrorCode::AccessDenied),))
}
