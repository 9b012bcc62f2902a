//! The network that a plugin may reach: nothing, but for the hosts and ports of its grants.
//!
//! A guest names hosts, and the host of the plugin resolves them ([`Resolver`]); a guest connects to addresses, and each is
//! checked at that moment against the grants and against what was resolved for them ([`Guard`]). So a name that points
//! elsewhere later (DNS rebinding) opens nothing: what counts is the address, and addresses that belong to the machine
//! itself or to its cloud are never reached through a name ([`special`]). Listening, ports of one's own and UDP are refused to
//! everybody.
//!
//! wasmtime-wasi asks the guard about each address that its sockets use; the linked functions of `link` stand before
//! that, so that names are resolved by the rules here and a refusal says which grant would allow it. Requests by HTTP are
//! larder's own to send, on connections that are made by the same rules ([`http`]).

mod grant;
mod guard;
pub(crate) mod http;
mod link;
mod lookup;
mod meter;
mod refusals;
mod resolved;
mod resolver;
mod special;

#[cfg(test)]
mod tests;

pub use grant::TcpGrant;
pub(crate) use guard::Guard;
pub use http::HttpGrant;
pub(crate) use link::add_to_linker;
pub use resolver::{Resolver, SystemResolver};
