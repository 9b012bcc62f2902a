//! Addresses that no name and no range reaches: the machine itself, its link, its cloud's metadata service, and what is no
//! single host at all.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Why an address is granted only by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    Loopback,
    LinkLocal,
    Metadata,
    NoHost,
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "a loopback address",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "the address of a metadata service",
            Self::NoHost => "no address of a host",
        })
    }
}

/// Where clouds hand out credentials to whoever asks, besides 169.254.0.0/16: Alibaba, Oracle, Azure.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192), Ipv4Addr::new(168, 63, 129, 16)];

/// The same by IPv6: AWS and Google.
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
];

/// What an address is that only a grant of itself reaches, whatever form it is written in.
pub(super) fn special(address: IpAddr) -> Option<Special> {
    match address.to_canonical() {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

/// Whether a granted name may lead to an address of this sort. Names that mean this machine by definition lead to its loopback.
pub(super) fn may_be_led_to(name: &str, special: Option<Special>) -> bool {
    match special {
        None => true,
        Some(Special::Loopback) => name == "localhost" || name.ends_with(".localhost"),
        Some(_) => false,
    }
}

fn special_v4(address: Ipv4Addr) -> Option<Special> {
    let [first, ..] = address.octets();
    if address.is_loopback() {
        Some(Special::Loopback)
    } else if address.is_link_local() {
        Some(Special::LinkLocal)
    } else if METADATA_V4.contains(&address) {
        Some(Special::Metadata)
    } else if first == 0 || address.is_multicast() || address.is_broadcast() {
        Some(Special::NoHost)
    } else {
        None
    }
}

fn special_v6(address: Ipv6Addr) -> Option<Special> {
    if address.is_loopback() {
        Some(Special::Loopback)
    } else if address.is_unicast_link_local() {
        Some(Special::LinkLocal)
    } else if METADATA_V6.contains(&address) {
        Some(Special::Metadata)
    } else if address.is_unspecified() || address.is_multicast() {
        Some(Special::NoHost)
    } else {
        carried(address).and_then(special_v4)
    }
}

/// The IPv4 address that an IPv6 address leads to on the way: the compatible form, NAT64, 6to4. (The mapped form is the same
/// address, and canonical before it comes here.)
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}
