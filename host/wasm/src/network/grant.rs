//! What a grant of TCP says: a host and its ports.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    ops::RangeInclusive,
    str::FromStr,
};

use larder_core::{Error, Result};

/// Longest name of a host, as DNS has it.
const NAME_BYTES_MAX: usize = 253;

/// A host and ports that a plugin may connect to by TCP.
///
/// Written `cache.internal:11211`, `10.0.0.7:6379`, `[fd00::7]:6379`, `10.0.0.0/8:6379`; the port may be a range
/// (`6379-6384`) or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpGrant {
    place: Place,
    ports: RangeInclusive<u16>,
}

/// Where the granted host is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// By name, which the host resolves.
    Name(String),
    /// This address alone, in its canonical form.
    Address(IpAddr),
    /// All addresses that begin with the same bits.
    Range { first: IpAddr, bits: u8 },
}

impl TcpGrant {
    /// Whether it grants all that another does.
    pub fn covers(&self, other: &Self) -> bool {
        let place = match &other.place {
            Place::Address(address) => self.is_address(*address) || self.has_in_range(*address),
            place => self.place == *place,
        };
        place && self.has_port(*other.ports.start()) && self.has_port(*other.ports.end())
    }

    /// Whether it grants this port.
    pub(super) fn has_port(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }

    /// The granted name, if it is one.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.place {
            Place::Name(name) => Some(name),
            Place::Address(_) | Place::Range { .. } => None,
        }
    }

    /// Whether it grants exactly this address.
    pub(super) fn is_address(&self, address: IpAddr) -> bool {
        matches!(self.place, Place::Address(granted) if granted == address)
    }

    /// Whether the address is in its range.
    pub(super) fn has_in_range(&self, address: IpAddr) -> bool {
        match (&self.place, address) {
            (Place::Range { first: IpAddr::V4(first), bits }, IpAddr::V4(address)) => {
                let rest = 32 - u32::from(*bits);
                u32::from(*first).checked_shr(rest) == u32::from(address).checked_shr(rest)
            }
            (Place::Range { first: IpAddr::V6(first), bits }, IpAddr::V6(address)) => {
                let rest = 128 - u32::from(*bits);
                u128::from(*first).checked_shr(rest) == u128::from(address).checked_shr(rest)
            }
            _ => false,
        }
    }
}

/// A name as it is compared: in lower case, without the dot that ends a full name. None where it is no name of a host.
pub(super) fn name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let fits = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
    };
    // The system reads `127.1`, `0x7f.1` and `2130706433` as addresses.
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    (name.len() <= NAME_BYTES_MAX && name.split('.').all(fits) && !is_number).then_some(name)
}

impl FromStr for TcpGrant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = |why: &str| {
            Error::config(format!(
                "expected a host and a port, such as cache.internal:11211, 10.0.0.7:6379 or [fd00::7]:6379, found `{text}`: {why}"
            ))
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(|| refused("there is no port"))?;
        let ports =
            ports(port).ok_or_else(|| refused("the port is a number from 1, a range of them, or `*`"))?;
        let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let place = match inside {
            None if host.contains(':') => return Err(refused("an IPv6 address stands in brackets")),
            None => place(host),
            Some(inside) if inside.contains(':') => place(inside),
            Some(_) => return Err(refused("only an IPv6 address stands in brackets")),
        };
        let place = place.ok_or_else(|| {
            refused("the host is a name in ASCII letters, an address, or a range whose address has no bits past it")
        })?;
        Ok(Self { place, ports })
    }
}

fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    match text.split_once('-') {
        None if text == "*" => Some(1..=u16::MAX),
        None => number(text).map(|port| port..=port),
        Some((first, last)) => {
            let ports = number(first)?..=number(last)?;
            (!ports.is_empty()).then_some(ports)
        }
    }
}

fn place(host: &str) -> Option<Place> {
    let Some((first, bits)) = host.split_once('/') else {
        return match host.parse::<IpAddr>() {
            Ok(address) => Some(Place::Address(address.to_canonical())),
            Err(_) => name(host).map(Place::Name),
        };
    };
    let (first, bits) = (first.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?);
    let is_whole = match first {
        IpAddr::V4(first) => {
            bits <= 32 && u32::from(first).checked_shl(bits.into()).is_none_or(|rest| rest == 0)
        }
        // A range of mapped addresses would be one that no canonical address is in.
        IpAddr::V6(first) => {
            bits <= 128
                && first.to_ipv4_mapped().is_none()
                && u128::from(first).checked_shl(bits.into()).is_none_or(|rest| rest == 0)
        }
    };
    is_whole.then_some(Place::Range { first, bits })
}

impl fmt::Display for TcpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Name(name) => f.write_str(name)?,
            Place::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Place::Address(address) => write!(f, "{address}")?,
            Place::Range { first: IpAddr::V6(first), bits } => bracketed(f, *first, *bits)?,
            Place::Range { first, bits } => write!(f, "{first}/{bits}")?,
        }
        match (*self.ports.start(), *self.ports.end()) {
            (1, u16::MAX) => f.write_str(":*"),
            (first, last) if first == last => write!(f, ":{first}"),
            (first, last) => write!(f, ":{first}-{last}"),
        }
    }
}

fn bracketed(f: &mut fmt::Formatter<'_>, first: Ipv6Addr, bits: u8) -> fmt::Result {
    write!(f, "[{first}/{bits}]")
}
