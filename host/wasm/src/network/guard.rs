//! Decides, for one instance, which names are resolved and which addresses are connected to.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{sync::Semaphore, time::Instant};
use wasmtime_wasi::{p2::bindings::sockets::network::ErrorCode, sockets::SocketAddrUse};

use super::{
    grant::{self, TcpGrant},
    meter::Meter,
    refusals::Refusals,
    resolved::{ADDRESSES_MAX, Resolved},
    resolver::{Resolver, look_up},
    special::{Special, may_be_led_to, special},
};
use crate::options::PluginOptions;

/// What an instance may connect to, and what was resolved for it.
pub(crate) struct Guard {
    grants: Vec<TcpGrant>,
    resolver: Arc<dyn Resolver>,
    /// What the host resolved for this instance. One instance's answer opens nothing to another.
    resolved: Mutex<Resolved>,
    /// Shared with all instances of the plugin.
    lookups: Arc<Semaphore>,
    refusals: Refusals,
    /// Counts what its connections move.
    pub(super) meter: Arc<Meter>,
}

/// What a guest is told where it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

impl From<Refused> for ErrorCode {
    fn from(_: Refused) -> Self {
        Self::AccessDenied
    }
}

/// What a guest asked to resolve.
pub(super) enum Asked {
    /// An address in place of a name: it is its own answer.
    Address(IpAddr),
    /// A granted name.
    Name(String),
}

impl Guard {
    /// Guards one instance; none where nothing is granted.
    pub(crate) fn new(options: &PluginOptions) -> Option<Arc<Self>> {
        (!options.grants.tcp.is_empty()).then(|| {
            Arc::new(Self {
                grants: options.grants.tcp.clone(),
                resolver: Arc::clone(&options.resolver),
                resolved: Mutex::default(),
                lookups: Arc::clone(&options.lookups),
                refusals: Refusals::of(&options.name),
                meter: Meter::new(options.limits.socket_bytes_max),
            })
        })
    }

    /// Forgets what the call before was refused, and what it moved.
    pub(crate) fn arm(&self) {
        self.meter.arm();
        self.refusals.arm();
    }

    /// What the call that ended was refused first, naming the grant that would allow it.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.refusals.first()
    }

    /// Whether a socket may use an address so.
    pub(crate) fn allows(&self, address: SocketAddr, used: SocketAddrUse) -> bool {
        match used {
            SocketAddrUse::TcpConnect => self.connect(address).is_ok(),
            // Before it connects, each socket is asked for the local address that it will have: any, on any port.
            SocketAddrUse::TcpBind if address.ip().is_unspecified() && address.port() == 0 => true,
            SocketAddrUse::TcpBind => {
                self.refuse(format!("to bind {address}: no grant allows a local address or port"));
                false
            }
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => {
                self.refuse("to listen: no grant allows it".to_owned());
                false
            }
            SocketAddrUse::UdpBind | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => {
                self.refuse_udp();
                false
            }
        }
    }

    pub(super) fn refuse_udp(&self) -> Refused {
        self.refuse("UDP: no grant allows it".to_owned())
    }

    /// Whether an address may be connected to: it is granted itself, or in a granted range, or was resolved by the host from a
    /// granted name; with a port of that very grant.
    pub(super) fn connect(&self, to: SocketAddr) -> Result<(), Refused> {
        let address = to.ip().to_canonical();
        let special = special(address);
        let allows = |grant: &&TcpGrant| {
            grant.has_port(to.port())
                && (grant.is_address(address)
                    || (special.is_none() && grant.has_in_range(address))
                    || (may_lead(grant, special) && self.was_resolved(grant, address)))
        };
        if self.grants.iter().any(|grant| allows(&grant)) {
            return Ok(());
        }
        let to = SocketAddr::new(address, to.port());
        Err(self.refuse(match special {
            None => format!(
                "to connect to {to}; `grants.tcp: [\"{to}\"]` would allow it, or the name of that host"
            ),
            Some(special) => format!(
                "to connect to {to}, which is {special} and reached neither by a name nor in a range; \
                 `grants.tcp: [\"{to}\"]` alone would allow it"
            ),
        }))
    }

    /// What a guest may have resolved.
    pub(super) fn ask(&self, text: &str) -> Result<Asked, ErrorCode> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            let address = address.to_canonical();
            let is_granted = |grant: &TcpGrant| {
                grant.is_address(address) || (special(address).is_none() && grant.has_in_range(address))
            };
            if self.grants.iter().any(is_granted) {
                return Ok(Asked::Address(address));
            }
            let shown = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
            return Err(self
                .refuse(format!("{shown}; `grants.tcp: [\"{shown}:PORT\"]` would allow it"))
                .into());
        }
        let Some(name) = grant::name(text) else { return Err(ErrorCode::InvalidArgument) };
        if self.grants.iter().any(|grant| grant.name() == Some(&*name)) {
            return Ok(Asked::Name(name));
        }
        let refused = self
            .refuse(format!("to resolve the name {name}; `grants.tcp: [\"{name}:PORT\"]` would allow it"));
        Err(refused.into())
    }

    /// Resolves a granted name and remembers the answer. What the name may not lead to is left out of it.
    pub(super) async fn resolve(self: Arc<Self>, name: String) -> Result<Vec<IpAddr>, ErrorCode> {
        let found = look_up(&self.resolver, &self.lookups, name.clone()).await;
        let found = found.map_err(|error| self.unresolved(&name, &error))?;
        let mut addresses = Vec::new();
        let mut refused = None;
        for address in found {
            let address = address.to_canonical();
            let leads = |grant: &TcpGrant| grant.name() == Some(&*name) && may_lead(grant, special(address));
            // One that is granted by itself is no secret to the plugin.
            let is_granted = |grant: &TcpGrant| leads(grant) || grant.is_address(address);
            if !self.grants.iter().any(is_granted) {
                refused = Some(address);
            } else if !addresses.contains(&address) && addresses.len() < ADDRESSES_MAX {
                addresses.push(address);
            }
        }
        if let Some(address) = refused {
            let to = SocketAddr::new(address, 0);
            let shown = to.to_string();
            let shown = shown.strip_suffix(":0").unwrap_or(&shown);
            let what = special(address).map_or_else(String::new, |special| format!(", {special}"));
            let refused = self.refuse(format!(
                "the name {name} led to {shown}{what}; `grants.tcp: [\"{shown}:PORT\"]` alone would allow it"
            ));
            if addresses.is_empty() {
                return Err(refused.into());
            }
        }
        if addresses.is_empty() {
            return Err(ErrorCode::NameUnresolvable);
        }
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        resolved.remember(name, &addresses, Instant::now());
        Ok(addresses)
    }

    fn unresolved(&self, name: &str, error: &io::Error) -> ErrorCode {
        tracing::debug!(plugin = self.refusals.plugin(), name, "a granted name has no address: {error}");
        ErrorCode::NameUnresolvable
    }

    fn was_resolved(&self, grant: &TcpGrant, address: IpAddr) -> bool {
        let resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        grant.name().is_some_and(|name| resolved.has(name, address, Instant::now()))
    }

    /// Keeps a refusal for the error of the call, and logs it.
    fn refuse(&self, what: String) -> Refused {
        self.refusals.add(what);
        Refused
    }
}

/// Whether a granted name may lead to an address of this sort.
fn may_lead(grant: &TcpGrant, special: Option<Special>) -> bool {
    grant.name().map_or(special.is_none(), |name| may_be_led_to(name, special))
}
