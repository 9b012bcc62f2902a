//! Grants are read, addresses told apart, names kept where they may lead.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use larder_core::BoxFuture;
use tokio::time::Instant;
use wasmtime_wasi::{p2::bindings::sockets::network::ErrorCode, sockets::SocketAddrUse};

use super::{
    guard::{Asked, Guard},
    lookup::Lookup,
    resolved::{RESOLVED_FOR, Resolved},
    *,
};
use crate::options::{LOOKUPS_MAX, PluginOptions};

/// Answers the same to each name, until told otherwise.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<IpAddr>>);

impl Told {
    fn tell(&self, addresses: &[&str]) {
        *self.0.lock().unwrap() = addresses.iter().map(|a| a.parse().unwrap()).collect();
    }
}

impl Resolver for Told {
    fn resolve(&self, _name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let found = self.0.lock().unwrap().clone();
        Box::pin(async move { Ok(found) })
    }
}

fn options(grants: &[&str]) -> PluginOptions {
    grants.iter().fold(PluginOptions::new("p"), |options, text| options.with_tcp(text.parse().unwrap()))
}

fn guard(grants: &[&str]) -> (Arc<Guard>, Arc<Told>) {
    let told = Arc::new(Told::default());
    (Guard::new(&options(grants).with_resolver(told.clone())).unwrap(), told)
}

fn allows(guard: &Guard, to: &str) -> bool {
    guard.arm();
    let to: SocketAddr = to.parse().unwrap();
    let allowed = guard.allows(to, SocketAddrUse::TcpConnect);
    assert_eq!(allowed, guard.refusal().is_none(), "{to}");
    if let Some(refusal) = guard.refusal() {
        assert!(refusal.contains("grants.tcp"), "{refusal}");
    }
    allowed
}

async fn resolve(guard: &Arc<Guard>, name: &str) -> Result<Vec<IpAddr>, ErrorCode> {
    match guard.ask(name)? {
        Asked::Address(address) => Ok(vec![address]),
        Asked::Name(name) => guard.clone().resolve(name).await,
    }
}

#[test]
fn grants_are_read_and_shown_as_they_are_written() {
    for text in [
        "cache.internal:11211",
        "127.0.0.1:80",
        "[::1]:80",
        "10.0.0.0/8:6379",
        "[fd00::/8]:1-5",
        "0.0.0.0/0:443",
        "h:*",
    ] {
        assert_eq!(text.parse::<TcpGrant>().unwrap().to_string(), text);
    }
    assert_eq!("Cache.Internal.:1".parse::<TcpGrant>().unwrap().to_string(), "cache.internal:1");
    assert_eq!("[::ffff:10.0.0.1]:1".parse::<TcpGrant>().unwrap().to_string(), "10.0.0.1:1");
}

#[test]
fn what_is_no_grant_is_refused_and_said_why() {
    for text in [
        "",
        "host",
        "host:",
        "host:0",
        "host:65536",
        "host:9-3",
        ":80",
        "::1:80",
        "[::1]",
        "[host]:80",
        "127.1:80",
        "0x7f.1:80",
        "2130706433:80",
        "10.0.0.1/8:80",
        "10.0.0.0/33:80",
        "[::ffff:0:0/96]:80",
        "b\u{fc}cher:80",
        "a b:80",
        "http://host:80",
        "*.host:80",
        "user@host:80",
        "a..b:80",
    ] {
        let refused = text.parse::<TcpGrant>().expect_err(text);
        assert!(refused.message().contains("cache.internal:11211"), "{text}: {refused}");
    }
}

#[test]
fn a_granted_address_is_reached_on_its_port_in_any_form() {
    let (guard, _) = guard(&["127.0.0.1:11211", "[::1]:80", "10.0.0.0/8:6379-6380"]);
    for to in
        ["127.0.0.1:11211", "[::ffff:127.0.0.1]:11211", "[::1]:80", "10.9.8.7:6379", "[::ffff:10.0.0.1]:6380"]
    {
        assert!(allows(&guard, to), "{to}");
    }
    for to in [
        "127.0.0.1:11212",
        "127.0.0.2:11211",
        "[::ffff:127.0.0.1]:80",
        "[::1]:81",
        "10.0.0.1:6381",
        "11.0.0.1:6379",
        "[::7f00:1]:11211",
        "[64:ff9b::7f00:1]:11211",
    ] {
        assert!(!allows(&guard, to), "{to}");
    }
}

#[test]
fn what_is_special_is_reached_by_no_range() {
    let (guard, _) = guard(&["0.0.0.0/0:*", "[::/0]:*"]);
    assert!(allows(&guard, "93.184.216.34:443") && allows(&guard, "[2606:2800::1]:443"));
    for to in [
        "127.0.0.1:80",
        "127.9.9.9:80",
        "169.254.169.254:80",
        "169.254.170.2:80",
        "100.100.100.200:80",
        "192.0.0.192:80",
        "168.63.129.16:80",
        "0.0.0.0:80",
        "0.1.2.3:80",
        "224.0.0.1:80",
        "255.255.255.255:80",
        "[::1]:80",
        "[::]:80",
        "[fe80::1]:80",
        "[febf::1]:80",
        "[fd00:ec2::254]:80",
        "[fd20:ce::254]:80",
        "[ff02::1]:80",
        "[::ffff:169.254.169.254]:80",
        "[::ffff:127.0.0.1]:80",
        "[::a9fe:a9fe]:80",
        "[64:ff9b::a9fe:a9fe]:80",
        "[2002:a9fe:a9fe::1]:80",
        "[2002:7f00:1::]:80",
    ] {
        assert!(!allows(&guard, to), "{to}");
        assert!(guard.refusal().unwrap().contains("neither by a name nor in a range"), "{to}");
    }
    let (named, _) = self::guard(&["169.254.169.254:80", "[fe80::1]:1"]);
    assert!(allows(&named, "169.254.169.254:80") && allows(&named, "[::ffff:169.254.169.254]:80"));
    assert!(allows(&named, "[fe80::1]:1") && !allows(&named, "169.254.169.253:80"));
}

#[tokio::test]
async fn a_name_opens_what_it_was_resolved_to_and_nothing_else() {
    let (guard, told) = guard(&["cache.internal:11211", "other.internal:80"]);
    told.tell(&["10.0.0.7", "fd00::7"]);
    assert!(!allows(&guard, "10.0.0.7:11211"), "before it was resolved");
    assert_eq!(resolve(&guard, "Cache.Internal.").await.unwrap().len(), 2);
    assert!(allows(&guard, "10.0.0.7:11211") && allows(&guard, "[fd00::7]:11211"));
    // The port of another grant, another address, another instance.
    assert!(!allows(&guard, "10.0.0.7:80") && !allows(&guard, "10.0.0.8:11211"));
    let (another, _) = self::guard(&["cache.internal:11211"]);
    assert!(!allows(&another, "10.0.0.7:11211"));
}

#[tokio::test]
async fn a_name_leads_neither_home_nor_to_metadata() {
    let (guard, told) = guard(&["rebind.example:*", "localhost:11211"]);
    for address in [
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "0.0.0.0",
        "fe80::1",
    ] {
        told.tell(&[address]);
        guard.arm();
        assert_eq!(resolve(&guard, "rebind.example").await, Err(ErrorCode::AccessDenied), "{address}");
        let refusal = guard.refusal().unwrap();
        assert!(refusal.contains("rebind.example led to") && refusal.contains("grants.tcp"), "{refusal}");
        assert!(!allows(&guard, &SocketAddr::new(address.parse().unwrap(), 80).to_string()));
    }
    // What is harmless of a mixed answer remains.
    told.tell(&["127.0.0.1", "10.0.0.7"]);
    assert_eq!(resolve(&guard, "rebind.example").await.unwrap(), ["10.0.0.7".parse::<IpAddr>().unwrap()]);
    assert!(!allows(&guard, "127.0.0.1:80"));
    // This name means the machine itself, and on its own port alone.
    told.tell(&["127.0.0.1", "::1"]);
    assert_eq!(resolve(&guard, "localhost").await.unwrap().len(), 2);
    assert!(allows(&guard, "127.0.0.1:11211") && !allows(&guard, "127.0.0.1:80"));
}

#[test]
fn an_old_answer_opens_nothing() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let (mut resolved, start) = (Resolved::default(), Instant::now());
    resolved.remember("h".to_owned(), &[ip("10.0.0.1")], start);
    let later = start + RESOLVED_FOR / 2;
    resolved.remember("h".to_owned(), &[ip("10.0.0.2")], later);
    assert!(resolved.has("h", ip("10.0.0.1"), later) && resolved.has("h", ip("10.0.0.2"), later));
    let last = start + RESOLVED_FOR;
    assert!(!resolved.has("h", ip("10.0.0.1"), last) && resolved.has("h", ip("10.0.0.2"), last));
    assert!(!resolved.has("other", ip("10.0.0.2"), last));
    // The latest answers stay where there are too many.
    let many: Vec<IpAddr> = (0..=u8::MAX).map(|n| ip(&format!("10.1.0.{n}"))).collect();
    many.iter().for_each(|address| resolved.remember("h".to_owned(), &[*address], last));
    assert!(!resolved.has("h", many[0], last) && resolved.has("h", many[255], last));
}

#[tokio::test]
async fn only_granted_names_are_resolved() {
    let (guard, told) = guard(&["h.example:80", "10.0.0.0/8:80"]);
    told.tell(&["10.0.0.1"]);
    for name in
        ["example", "x.h.example", "h.example.org", "localhost", "127.0.0.1", "[::1]", "169.254.169.254"]
    {
        guard.arm();
        assert_eq!(resolve(&guard, name).await, Err(ErrorCode::AccessDenied), "{name}");
        assert!(guard.refusal().unwrap().contains("grants.tcp"), "{name}");
    }
    for name in ["", "h example", "127.1", "0x7f000001", "h.example/..", "\u{ff48}.example"] {
        assert_eq!(resolve(&guard, name).await, Err(ErrorCode::InvalidArgument), "{name}");
    }
    assert_eq!(resolve(&guard, "10.1.2.3").await.unwrap(), ["10.1.2.3".parse::<IpAddr>().unwrap()]);
    told.tell(&[]);
    assert_eq!(resolve(&guard, "h.example").await, Err(ErrorCode::NameUnresolvable));
}

/// Counts how often it was asked, and never answers.
#[derive(Debug, Default)]
struct Silent(AtomicUsize);

impl Resolver for Silent {
    fn resolve(&self, _name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn lookups_that_are_dropped_take_no_more_threads_than_those_that_are_not() {
    let silent = Arc::new(Silent::default());
    let options = options(&["h.example:80"]).with_resolver(silent.clone());
    for _ in 0..100 {
        // Each in an instance of its own, as after a trap.
        let guard = Guard::new(&options).unwrap();
        let lookup = Lookup::begin(guard.resolve("h.example".to_owned()));
        // On this one thread the lookup goes as far as it can.
        tokio::task::yield_now().await;
        drop(lookup);
    }
    assert_eq!(silent.0.load(Ordering::Relaxed), LOOKUPS_MAX);
}

#[test]
fn a_socket_binds_no_port_and_listens_on_none() {
    let (guard, _) = guard(&["0.0.0.0/0:*", "127.0.0.1:*"]);
    let any: SocketAddr = "0.0.0.0:0".parse().unwrap();
    assert!(
        guard.allows(any, SocketAddrUse::TcpBind)
            && guard.allows("[::]:0".parse().unwrap(), SocketAddrUse::TcpBind)
    );
    for local in ["0.0.0.0:80", "127.0.0.1:0", "127.0.0.1:80"] {
        assert!(!guard.allows(local.parse().unwrap(), SocketAddrUse::TcpBind), "{local}");
    }
    use SocketAddrUse::{TcpAccept, TcpListen, UdpBind, UdpReceive, UdpSend};
    for used in [TcpListen, TcpAccept, UdpBind, UdpSend, UdpReceive] {
        guard.arm();
        assert!(!guard.allows("127.0.0.1:1".parse().unwrap(), used), "{used:?}");
        assert!(guard.refusal().is_some());
    }
}
