//! What a plugin sends by HTTP with the origins that it was granted, and what it can't.

mod server;

use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use larder_core::{BoxFuture, Commit, Error, ErrorKind, KvStore, Result};
use larder_tests::attacks::Attack;
use larder_wasm::{Engine, HttpGrant, KvPlugin, PluginLimits, PluginOptions, Resolver, inspect};

use self::server::{Identity, Server};
use crate::{component, engine, is_alive, key};

/// Answers what it is told to, the last answer again and again.
#[derive(Debug)]
struct Told(Mutex<Vec<IpAddr>>);

impl Told {
    fn to_answer(answers: &[&str]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(answers.iter().rev().map(|text| text.parse().unwrap()).collect())))
    }
}

impl Resolver for Told {
    fn resolve(&self, _name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop() } else { answers.last().copied() };
        Box::pin(async move { Ok(answer.into_iter().collect()) })
    }
}

fn grant(url: &str) -> HttpGrant {
    url.parse().unwrap()
}

fn options(grants: &[HttpGrant]) -> PluginOptions {
    let mut limits = PluginLimits::default();
    limits.deadline = Duration::from_secs(20);
    let options = PluginOptions::new("http")
        .with_limits(limits)
        .with_supervision(crate::patient())
        .with_supervision(crate::patient());
    grants.iter().fold(options, |options, grant| options.with_http(grant.clone()))
}

/// With a grant of the server's own address.
async fn granted(engine: &Arc<Engine>, server: &Server) -> KvPlugin {
    load(engine, options(&[grant(&server.url(""))])).await
}

async fn load(engine: &Arc<Engine>, options: PluginOptions) -> KvPlugin {
    KvPlugin::load(engine, &component("kv-http"), options).await.unwrap()
}

async fn act(plugin: &KvPlugin, deed: &str) -> Result<String> {
    let entry = plugin.get(&key(deed)).await?.expect("each deed has an answer");
    Ok(String::from_utf8(entry.value.to_vec()).unwrap())
}

async fn fails(plugin: &KvPlugin, deed: &str, kind: ErrorKind, words: &str) -> Error {
    let error: Error = act(plugin, deed).await.expect_err(deed);
    assert_eq!(error.kind(), kind, "{deed}: {}", error.chain());
    assert!(error.chain().contains(words), "{deed}: {words:?} is not in {}", error.chain());
    error
}

/// The deed is denied, and the error names what would allow it.
async fn denied(plugin: &KvPlugin, deed: &str, words: &str) -> Error {
    let error = fails(plugin, deed, ErrorKind::Denied, "").await;
    let refused = error.context("refused").unwrap_or_default();
    assert!(refused.contains(words), "{deed}: {words:?} is not in {refused:?}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_grant_it_is_not_linked_and_the_grant_is_named() {
    let engine = engine();
    for options in [options(&[]), options(&[]).with_tcp("127.0.0.1:*".parse().unwrap())] {
        let loaded = KvPlugin::load(&engine, &component("kv-http"), options).await;
        let error = loaded.expect_err("http is not granted");
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().contains("wasi:http/") && error.message().contains("grants.http"), "{error}");
    }
    // A grant of HTTP is none of TCP.
    let network =
        KvPlugin::load(&engine, &component("kv-network"), options(&[grant("http://127.0.0.1:1")])).await;
    assert!(network.expect_err("sockets are not granted").message().contains("grants.tcp"));
    is_alive(&engine).await;
}

#[test]
fn what_a_plugin_wants_is_read_without_running_it() {
    let inspected = inspect(&engine(), &component("kv-http")).unwrap();
    let wants: Vec<String> = inspected.wants.iter().map(ToString::to_string).collect();
    assert_eq!(wants, ["http http://127.0.0.1:1 to see what it may", "http setting:given to see more"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_granted_is_reached_and_nothing_beside_it() {
    let (engine, server, other) = (engine(), Server::start(), Server::start());
    let plugin = granted(&engine, &server).await;
    assert_eq!(act(&plugin, &format!("get {}", server.url("/a?b=c"))).await.unwrap(), "200 0 bytes");
    assert!(server.seen()[0].head.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{}", server.seen()[0].head);
    assert_eq!(server.seen()[0].header("host"), Some(&*format!("127.0.0.1:{}", server.port)));
    let port = server.port;
    let mut attack = Attack::begin("HTTP to denied origins");
    for url in [
        other.url("/"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://127.0.0.2:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://[::ffff:169.254.169.254]/".to_owned(),
        "http://metadata.google.internal/".to_owned(),
        "https://example.org/".to_owned(),
    ] {
        attack.reported(&denied(&plugin, &format!("get {url}"), "grants.http: [\"http").await);
    }
    for method in ["TRACE", "CONNECT"] {
        let deed = format!("ask {method} {}", server.url("/"));
        attack.reported(&denied(&plugin, &deed, "no grant allows it").await);
    }
    assert_eq!(other.connections(), 0);
    attack.held();
    // What was refused once is not told again of a call that was refused nothing.
    let error = act(&plugin, "nothing").await.expect_err("no such deed");
    assert_eq!((error.kind(), error.context("refused")), (ErrorKind::Invalid, None));
    is_alive(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_of_a_grant_is_kept_to() {
    let (engine, server) = (engine(), Server::start());
    let plugin = load(&engine, options(&[grant(&server.url("/v3"))])).await;
    assert_eq!(act(&plugin, &format!("get {}", server.url("/v3/kv"))).await.unwrap(), "200 0 bytes");
    let mut attack = Attack::begin("HTTP past the granted path");
    for path in ["/", "/v2", "/v33", "/v3/../v2", "/v3/%2e%2e/v2", "/v3/..%2fv2"] {
        let deed = format!("get {}", server.url(path));
        attack.reported(&denied(&plugin, &deed, "not below the path of a grant").await);
    }
    assert_eq!(server.seen().len(), 1);
    attack.held();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_that_a_guest_follows_is_checked_as_any_request() {
    let (engine, server, other) = (engine(), Server::start(), Server::start());
    let plugin = granted(&engine, &server).await;
    // The host follows none by itself.
    let to = server.url(&format!("/to?{}", other.url("/")));
    assert_eq!(act(&plugin, &format!("get {to}")).await.unwrap(), "302 ");
    assert_eq!(act(&plugin, &format!("follow {}", server.url("/to?/there"))).await.unwrap(), "200 0 bytes");
    let mut attack = Attack::begin("HTTP redirect to a denied origin");
    let granting = format!("grants.http: [\"{}\"]", other.url(""));
    attack.reported(&denied(&plugin, &format!("follow {to}"), &granting).await);
    let metadata = server.url("/to?http://169.254.169.254/latest");
    let granting = "grants.http: [\"http://169.254.169.254\"]";
    attack.reported(&denied(&plugin, &format!("follow {metadata}"), granting).await);
    assert_eq!(other.connections(), 0);
    attack.held();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_home_is_refused_also_when_its_answer_changes() {
    let (engine, server) = (engine(), Server::start());
    let url = format!("http://rebind.example:{}", server.port);
    let mut attack = Attack::begin("HTTP DNS rebinding");
    for home in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fd00:ec2::254", "0.0.0.0"] {
        let options = options(&[grant(&url)]).with_resolver(Told::to_answer(&[home]));
        let plugin = load(&engine, options).await;
        attack.reported(&denied(&plugin, &format!("get {url}/"), "rebind.example led to").await);
    }
    // Each connection is made to the very answer that was looked at: the second answer is not taken for the first.
    let mut slow = options(&[grant(&url)]).with_resolver(Told::to_answer(&["192.0.2.7", "127.0.0.1"]));
    slow.limits.deadline = Duration::from_millis(500);
    let plugin = load(&engine, slow).await;
    let error = act(&plugin, &format!("get {url}/")).await.expect_err("nobody is there");
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{}", error.chain());
    attack.reported(&denied(&plugin, &format!("get {url}/"), "alone would allow it").await);
    assert_eq!(server.connections(), 0);
    attack.held();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn localhost_leads_home_where_it_is_granted() {
    let (engine, server) = (engine(), Server::start());
    let url = format!("http://localhost:{}", server.port);
    let plugin = load(&engine, options(&[grant(&url)]).with_resolver(Told::to_answer(&["127.0.0.1"]))).await;
    assert_eq!(
        act(&plugin, &format!("get {}/", url.to_uppercase().replace("HTTP", "http"))).await.unwrap(),
        "200 0 bytes"
    );
    assert_eq!(server.seen()[0].header("host"), Some(&*format!("localhost:{}", server.port)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_header_smuggles_a_request_nor_names_another_host() {
    let (engine, server) = (engine(), Server::start());
    let plugin = granted(&engine, &server).await;
    let url = server.url("/");
    let mut attack = Attack::begin("HTTP header smuggling");
    for (name, value) in [
        ("x", "a\\r\\nhost:evil.example"),
        ("x", "a\\nb"),
        ("x\\r\\ny", "a"),
        ("Host", "evil.example"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "keep-alive,authorization"),
        ("Upgrade", "websocket"),
        ("Proxy-Authorization", "x"),
        ("Proxy-Anything", "x"),
        ("TE", "trailers"),
        ("Expect", "100-continue"),
    ] {
        let deed = format!("with {name} {value} {url}");
        attack.reported(&fails(&plugin, &deed, ErrorKind::Invalid, "headers").await);
    }
    assert_eq!(server.connections(), 0);
    attack.held();
    assert_eq!(act(&plugin, &format!("with x-own yes {url}")).await.unwrap(), "200 0 bytes");
    assert_eq!(server.seen()[0].header("x-own"), Some("yes"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_header_goes_to_its_origin_alone_and_the_guest_never_sees_it() {
    let attack = Attack::begin("secret header of a grant");
    let (engine, server, other) = (engine(), Server::start(), Server::start());
    let secret = grant(&server.url("")).with_header("Authorization", "Bearer s3cret").unwrap();
    let options = options(&[secret, grant(&other.url(""))]).with_setting("given", "setting");
    assert!(!format!("{options:?}").contains("s3cret"));
    let plugin = load(&engine, options).await;
    // Also in place of what the guest says.
    assert!(act(&plugin, &format!("with authorization mine {}", server.url("/"))).await.is_ok());
    assert_eq!(server.seen()[0].header("authorization"), Some("Bearer s3cret"));
    assert!(!server.seen()[0].head.contains("mine"));
    let to = server.url(&format!("/to?{}", other.url("/there")));
    assert_eq!(act(&plugin, &format!("follow {to}")).await.unwrap(), "200 0 bytes");
    assert_eq!(server.seen()[1].header("authorization"), Some("Bearer s3cret"));
    assert_eq!(other.seen()[0].header("authorization"), None);
    assert!(!act(&plugin, "look").await.unwrap().contains("s3cret"));
    for path in ["/nonsense", "/cut", "/headers"] {
        let error = act(&plugin, &format!("get {}", server.url(path))).await.expect_err(path);
        assert!(!format!("{error:?} {}", error.chain()).contains("s3cret"), "{error:?}");
    }
    attack.held();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_must_have_the_granted_name_and_a_known_authority() {
    let engine = engine();
    let identity = Identity::of(&["right.example"]);
    let server = Server::start_tls(&identity);
    let url = |name: &str| format!("https://{name}:{}", server.port);
    let known = |url: &str| grant(url).with_authorities(identity.authority.as_bytes()).unwrap();
    // By address, since a name never leads to loopback; the certificate has only the name.
    let plugin = load(&engine, options(&[known(&url("127.0.0.1"))])).await;
    fails(&plugin, &format!("get {}/", url("127.0.0.1")), ErrorKind::Unavailable, "TlsCertificateError")
        .await;
    let home = Told::to_answer(&["127.0.0.1"]);
    let plugin = load(&engine, options(&[known(&url("localhost"))]).with_resolver(home.clone())).await;
    fails(&plugin, &format!("get {}/", url("localhost")), ErrorKind::Unavailable, "TlsCertificateError")
        .await;
    assert!(server.seen().is_empty());

    let identity = Identity::of(&["localhost"]);
    let server = Server::start_tls(&identity);
    let url = format!("https://localhost:{}", server.port);
    let known = grant(&url).with_authorities(identity.authority.as_bytes()).unwrap();
    let plugin = load(&engine, options(&[known]).with_resolver(home.clone())).await;
    assert_eq!(act(&plugin, &format!("get {url}/")).await.unwrap(), "200 0 bytes");
    // The same server without its authority.
    let stranger = Identity::of(&["localhost"]);
    let unknown = grant(&url).with_authorities(stranger.authority.as_bytes()).unwrap();
    let plugin = load(&engine, options(&[unknown]).with_resolver(home)).await;
    fails(&plugin, &format!("get {url}/"), ErrorKind::Unavailable, "TlsCertificateError").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_go_both_ways_in_pieces_and_connections_are_used_again() {
    let (engine, server) = (engine(), Server::start());
    let mut options = options(&[grant(&server.url(""))]);
    // One instance has one connection at a time.
    options.limits.instances_max = 1;
    let plugin = load(&engine, options).await;
    let bytes = 20 << 20;
    let put = format!("put {} {bytes}", server.url("/up"));
    assert_eq!(act(&plugin, &put).await.unwrap(), format!("200 {bytes} bytes"));
    let get = format!("get {}", server.url(&format!("/size?{bytes}")));
    assert_eq!(act(&plugin, &get).await.unwrap(), format!("200 {bytes} bytes"));
    assert_eq!(act(&plugin, &format!("get {}", server.url("/"))).await.unwrap(), "200 0 bytes");
    assert_eq!(server.connections(), 1);
    // A server that closed it in between is connected to again.
    assert_eq!(act(&plugin, &format!("get {}", server.url("/closes"))).await.unwrap(), "200 ok");
    assert_eq!(act(&plugin, &format!("get {}", server.url("/"))).await.unwrap(), "200 0 bytes");
    assert_eq!(server.connections(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_call_sends_and_receives_is_bounded() {
    let mut attack = Attack::begin("HTTP without measure");
    let (engine, server) = (engine(), Server::start());
    let plugin = granted(&engine, &server).await;
    let (most, more) = (60 << 20, 70 << 20);
    let get = |bytes: usize| format!("get {}", server.url(&format!("/size?{bytes}")));
    // Each call has its own share.
    for _ in 0..2 {
        assert_eq!(act(&plugin, &get(most)).await.unwrap(), format!("200 {most} bytes"));
    }
    attack.reported(&fails(&plugin, &get(more), ErrorKind::Plugin, "HttpResponseBodySize").await);
    let put = format!("put {} {more}", server.url("/up"));
    attack.reported(&fails(&plugin, &put, ErrorKind::Invalid, "HttpRequestBodySize").await);
    assert!(!server.seen().last().unwrap().is_whole);
    fails(&plugin, &format!("large {} 40000", server.url("/")), ErrorKind::Invalid, "HeaderSectionSize")
        .await;
    fails(&plugin, &format!("get {}", server.url("/headers")), ErrorKind::Plugin, "HeaderSectionSize").await;
    assert_eq!(act(&plugin, &format!("large {} 30000", server.url("/"))).await.unwrap(), "200 0 bytes");
    is_alive(&engine).await;
    attack.held();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_drips_or_says_nothing_is_left_at_the_deadline() {
    let (engine, server) = (engine(), Server::start());
    let mut options = options(&[grant(&server.url(""))]);
    options.limits.deadline = Duration::from_millis(400);
    let plugin = load(&engine, options).await;
    for path in ["/drip", "/silent", "/stalls"] {
        let deed = format!("get {}", server.url(path));
        let error = act(&plugin, &deed).await.expect_err(path);
        assert!(
            matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable),
            "{path}: {}",
            error.chain()
        );
        assert!(!error.is_effect_unknown(), "{path}: {}", error.chain());
        let error = plugin.commit(&Commit::new().put(key(&deed), "")).await.expect_err(path);
        assert!(error.is_effect_unknown(), "{path}: {}", error.chain());
    }
    assert_eq!(act(&plugin, &format!("get {}", server.url("/"))).await.unwrap(), "200 0 bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_cut_or_no_http_is_never_taken_for_a_whole_one() {
    let (engine, server) = (engine(), Server::start());
    let plugin = granted(&engine, &server).await;
    fails(&plugin, &format!("get {}", server.url("/cut")), ErrorKind::Unavailable, "ended early").await;
    fails(&plugin, &format!("get {}", server.url("/nonsense")), ErrorKind::Plugin, "HttpProtocolError").await;
    let error = plugin.commit(&Commit::new().put(key(&format!("get {}", server.url("/cut"))), "")).await;
    assert!(error.expect_err("cut").is_effect_unknown());
    // Nobody listens there: nothing was sent, so a write has not happened.
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{free}");
    let plugin = load(&engine, options(&[grant(&url)])).await;
    let error = plugin.commit(&Commit::new().put(key(&format!("get {url}/")), "")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_effect_unknown()),
        (ErrorKind::Unavailable, false),
        "{}",
        error.chain()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_at_the_head_of_a_large_body_is_told() {
    let (engine, server) = (engine(), Server::start());
    let plugin = granted(&engine, &server).await;
    let put = format!("put {} {}", server.url("/early"), 20 << 20);
    assert_eq!(act(&plugin, &put).await.unwrap(), "413 no!");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_under_way_are_bounded() {
    let (engine, server) = (engine(), Server::start());
    let plugin = granted(&engine, &server).await;
    for _ in 0..3 {
        let hoarded = act(&plugin, &format!("hoard {}", server.url("/stalls"))).await;
        let all = hoarded.unwrap();
        assert!(all.starts_with("16 then") && all.contains("ConnectionLimitReached"), "{all}");
    }
    assert_eq!(act(&plugin, &format!("get {}", server.url("/"))).await.unwrap(), "200 0 bytes");
}

/// A body that is sent in chunks ends where the guest ends, unless somebody minds how.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_a_guest_leaves_half_written_never_comes_to_a_good_end() {
    let (engine, server) = (engine(), Server::start());
    let plugin = granted(&engine, &server).await;
    for _ in 0..20 {
        let error = act(&plugin, &format!("vanish {}", server.url("/up"))).await.expect_err("it traps");
        assert_eq!(error.kind(), ErrorKind::Plugin, "{}", error.chain());
        assert_eq!(act(&plugin, &format!("break-off {}", server.url("/up"))).await.unwrap(), "broken off");
    }
    assert_eq!(act(&plugin, &format!("get {}", server.url("/"))).await.unwrap(), "200 0 bytes");
    let ups: Vec<_> = server.seen().into_iter().filter(|seen| seen.head.starts_with("PUT")).collect();
    assert!(ups.iter().all(|seen| !seen.is_whole), "{ups:?}");
    is_alive(&engine).await;
}
