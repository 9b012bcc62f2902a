//! What a plugin does with a network that it was granted a part of.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use larder_core::{BoxFuture, Commit, Error, ErrorKind, Expectation, KvStore, Result};
use larder_tests::{attacks::Attack, plugin, servers::memcached::MemcachedServer};
use larder_wasm::{Engine, KvPlugin, Mode, PluginLimits, PluginOptions, Resolver, Source, inspect};

use crate::{component, engine, is_alive, key};

/// Answers what it is told to, the last answer again and again.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<Vec<IpAddr>>>);

impl Told {
    fn to_answer(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().rev().map(parse).collect())))
    }
}

impl Resolver for Told {
    fn resolve(&self, _name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let answer =
            if answers.len() > 1 { answers.pop() } else { answers.last().cloned() }.unwrap_or_default();
        Box::pin(async move { Ok(answer) })
    }
}

/// Listens on the loopback, and takes no connection off its queue: whoever connects is connected.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn options(grants: &[String]) -> PluginOptions {
    let mut limits = PluginLimits::default();
    limits.deadline = Duration::from_secs(5);
    let options = PluginOptions::new("network").with_limits(limits).with_supervision(crate::patient());
    grants.iter().fold(options, |options, grant| options.with_tcp(grant.parse().unwrap()))
}

async fn load(engine: &Arc<Engine>, options: PluginOptions) -> KvPlugin {
    KvPlugin::load(engine, &component("kv-network"), options).await.unwrap()
}

async fn act(plugin: &KvPlugin, deed: &str) -> Result<String> {
    let entry = plugin.get(&key(deed)).await?.expect("each deed has an answer");
    Ok(String::from_utf8(entry.value.to_vec()).unwrap())
}

/// The deed is denied, and the error names what would allow it.
async fn denied(plugin: &KvPlugin, deed: &str, words: &str) -> Error {
    let error: Error = act(plugin, deed).await.expect_err(deed);
    assert_eq!(error.kind(), ErrorKind::Denied, "{deed}: {}", error.chain());
    let refused = error.context("refused").unwrap_or_default();
    assert!(refused.contains(words), "{deed}: {words:?} is not in {refused:?}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_grant_it_is_not_linked_and_the_grant_is_named() {
    let engine = engine();
    let loaded = KvPlugin::load(&engine, &component("kv-network"), options(&[])).await;
    let error = loaded.expect_err("sockets are not granted");
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("wasi:sockets/") && error.message().contains("grants.tcp"), "{error}");
    let inline = options(&["127.0.0.1:1".to_owned()]).with_mode(Mode::Inline);
    let error = KvPlugin::load(&engine, &component("kv-network"), inline).await.expect_err("it may wait");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    is_alive(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_granted_is_reached_and_nothing_beside_it() {
    let (engine, (_listener, port), (_other, closed)) = (engine(), listener(), listener());
    let plugin = load(&engine, options(&[format!("127.0.0.1:{port}")])).await;
    assert_eq!(act(&plugin, &format!("connect 127.0.0.1:{port}")).await.unwrap(), "connected");
    assert_eq!(act(&plugin, &format!("dial 127.0.0.1:{port}")).await.unwrap(), "connected");
    let mut attack = Attack::begin("connection to denied addresses");
    // All of these listen, or would be reached.
    for to in [
        format!("127.0.0.1:{closed}"),
        format!("[::ffff:127.0.0.1]:{closed}"),
        format!("127.0.0.2:{port}"),
        format!("[::1]:{port}"),
        format!("0.0.0.0:{port}"),
        format!("[::]:{port}"),
        "169.254.169.254:80".to_owned(),
        "[::ffff:169.254.169.254]:80".to_owned(),
        "[fe80::1]:80".to_owned(),
        "[fd00:ec2::254]:80".to_owned(),
        "100.100.100.200:80".to_owned(),
        "93.184.216.34:443".to_owned(),
    ] {
        attack.reported(&denied(&plugin, &format!("connect {to}"), "grants.tcp").await);
    }
    attack.held();
    let mut attack = Attack::begin("connection to a denied name");
    let localhost = format!("dial localhost:{port}");
    attack.reported(&denied(&plugin, &localhost, "grants.tcp: [\"localhost:PORT\"]").await);
    attack.held_with(&denied(&plugin, "resolve example.org", "grants.tcp: [\"example.org:PORT\"]").await);
    // What was refused once is not told again of a call that was refused nothing.
    let error = act(&plugin, "nothing").await.expect_err("no such deed");
    assert_eq!((error.kind(), error.context("refused")), (ErrorKind::Invalid, None));
    is_alive(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_grant_allows_ports_of_its_own_nor_datagrams() {
    let engine = engine();
    let grants = ["0.0.0.0/0:*".to_owned(), "127.0.0.1:*".to_owned(), "[::1]:*".to_owned()];
    let plugin = load(&engine, options(&grants)).await;
    let mut attack = Attack::begin("listening, binding, UDP");
    attack.reported(&denied(&plugin, "listen", "to listen").await);
    for local in ["0.0.0.0:8080", "127.0.0.1:0", "127.0.0.1:8080", "[::1]:0"] {
        attack.reported(&denied(&plugin, &format!("bind {local}"), "to bind").await);
    }
    assert_eq!(act(&plugin, "bind 0.0.0.0:0").await.unwrap(), "bound");
    attack.held_with(&denied(&plugin, "udp", "UDP").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_home_is_refused() {
    let (engine, (_listener, port)) = (engine(), listener());
    let mut attack = Attack::begin("name that leads home");
    for home in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fd00:ec2::254", "0.0.0.0"] {
        let options = options(&[format!("rebind.example:{port}")]).with_resolver(Told::to_answer(&[&[home]]));
        let plugin = load(&engine, options).await;
        denied(&plugin, &format!("dial rebind.example:{port}"), "rebind.example led to").await;
        attack.reported(&denied(&plugin, "resolve rebind.example", "alone would allow it").await);
    }
    attack.held();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_changes_opens_nothing_that_it_did_not_say() {
    let (engine, (_listener, port)) = (engine(), listener());
    // Harmless when it is looked at, home when it is used: the second answer is refused, and so is going there regardless.
    let mut attack = Attack::begin("DNS rebinding");
    let answers: [&[&str]; 2] = [&["192.0.2.7"], &["127.0.0.1"]];
    let options = options(&[format!("rebind.example:{port}")]).with_resolver(Told::to_answer(&answers));
    let plugin = load(&engine, options).await;
    let deed = format!("resolve-then-connect rebind.example 127.0.0.1:{port}");
    attack.reported(&denied(&plugin, &deed, &format!("grants.tcp: [\"127.0.0.1:{port}\"]")).await);
    attack.reported(&denied(&plugin, "resolve rebind.example", "rebind.example led to 127.0.0.1").await);
    attack.held_with(&denied(&plugin, &format!("connect 127.0.0.1:{port}"), "grants.tcp").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn localhost_leads_home_where_it_is_granted() {
    let (engine, (_listener, port)) = (engine(), listener());
    let options = options(&[format!("localhost:{port}")]);
    let plugin = load(&engine, options.with_resolver(Told::to_answer(&[&["127.0.0.1"]]))).await;
    // Not before it was resolved, since it is the name that is granted.
    denied(&plugin, &format!("connect 127.0.0.1:{port}"), "grants.tcp").await;
    assert_eq!(act(&plugin, &format!("dial LOCALHOST.:{port}")).await.unwrap(), "connected");
    assert_eq!(act(&plugin, "resolve localhost").await.unwrap(), "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_waits_for_a_socket_ends_at_its_deadline() {
    let (engine, (_listener, port)) = (engine(), listener());
    let mut options = options(&[format!("127.0.0.1:{port}")]);
    options.limits.deadline = Duration::from_millis(300);
    let plugin = load(&engine, options).await;
    let deed = format!("hold 127.0.0.1:{port}");
    let mut attack = Attack::begin("silent server");
    let error = act(&plugin, &deed).await.expect_err("nobody says a byte");
    attack.reported(&error);
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Timeout, false), "{}", error.chain());
    let error = plugin.commit(&Commit::new().put(key(&deed), "")).await.expect_err("nor here");
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Timeout, true), "{}", error.chain());
    assert_eq!(act(&plugin, &format!("connect 127.0.0.1:{port}")).await.unwrap(), "connected");
    attack.held_with(&error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_caller_went_away_ends_by_itself_and_its_instance_lives() {
    let (engine, (listener, port)) = (engine(), listener());
    let mut options = options(&[format!("127.0.0.1:{port}")]);
    options.limits.instances_max = 1;
    let plugin = load(&engine, options).await;
    let deed = key(&format!("hold 127.0.0.1:{port}"));
    let mut call = plugin.get(&deed);
    // It waits for the byte when its connection is here.
    let accepted = tokio::task::spawn_blocking(move || listener.accept().unwrap());
    let stream = tokio::select! {
        accepted = accepted => accepted.unwrap().0,
        answer = &mut call => panic!("answered without a byte: {answer:?}"),
    };
    drop(call);
    // The one instance is busy with the call that nobody waits for, until the server says something.
    io::Write::write_all(&mut &stream, b"x").unwrap();
    let error = act(&plugin, "nothing").await.expect_err("no such deed");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hoard_of_sockets_ends_with_the_instance() {
    let engine = engine();
    let plugin = load(&engine, options(&["127.0.0.1:1".to_owned()])).await;
    let mut attack = Attack::begin("hoard of sockets");
    for _ in 0..3 {
        let error = act(&plugin, "hoard").await.expect_err("it can't have all");
        assert_eq!(error.kind(), ErrorKind::Plugin, "{}", error.chain());
        attack.reported(&error);
    }
    is_alive(&engine).await;
    attack.held();
}

#[test]
fn what_a_plugin_wants_is_read_without_running_it() {
    let inspected = inspect(&engine(), &component("kv-network")).unwrap();
    let wants: Vec<String> = inspected.wants.iter().map(ToString::to_string).collect();
    assert_eq!(wants, ["tcp 127.0.0.1:1 to see what it may", "env HOME to look around"]);
    assert!(inspect(&engine(), &component("kv-memory")).unwrap().wants.is_empty());
}

/// A restart of the server loses what it kept, and no call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_memcached_outlives_its_server() {
    let mut server = MemcachedServer::start().unwrap();
    let address = server.address();
    let options = PluginOptions::new("kv-memcached")
        .with_setting("address", &address)
        .with_setting("timeout_ms", "500")
        .with_tcp(address.parse().unwrap());
    let store = KvPlugin::load(&engine(), &Source::file(plugin("kv-memcached")), options).await.unwrap();
    let put = |value: &'static str| Commit::new().put(key("k"), value);
    store.commit(&put("before")).await.unwrap();
    let old = store.get(&key("k")).await.unwrap().unwrap();
    server.restart().unwrap();
    assert_eq!(store.get(&key("k")).await.unwrap(), None);
    server.restart().unwrap();
    store.commit(&put("after")).await.unwrap();
    // The server's own numbers began again; an old version is not met again all the same.
    let checked = put("checked").check(key("k"), Expectation::Version(old.version));
    assert_eq!(store.commit(&checked).await.unwrap_err().kind(), ErrorKind::Conflict);
    // A server that hangs: reads are to be tried again, a write may have happened.
    server.freeze().unwrap();
    let error = store.get(&key("k")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_effect_unknown()),
        (ErrorKind::Unavailable, false),
        "{}",
        error.chain()
    );
    let error = store.commit(&put("lost")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_effect_unknown()),
        (ErrorKind::Unavailable, true),
        "{}",
        error.chain()
    );
    server.process().thaw();
    server.process().kill();
    let error = store.commit(&put("nobody")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_effect_unknown()),
        (ErrorKind::Unavailable, false),
        "{}",
        error.chain()
    );
    server.restart().unwrap();
    store.commit(&put("again")).await.unwrap();
    assert_eq!(store.get(&key("k")).await.unwrap().unwrap().value, "again");
}

/// What comes next on a stream; nothing at its end.
fn piece(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 64 << 10];
    let count = stream.read(&mut bytes).unwrap_or(0);
    bytes.truncate(count);
    bytes
}

/// Stands between a plugin and its server, and swallows the answer to the first write with its connection.
fn swallower(server: u16) -> u16 {
    let (listener, port) = listener();
    std::thread::spawn(move || {
        let mut has_swallowed = false;
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let swallows = Arc::new(AtomicBool::new(false));
            let (answers, back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let answering = std::thread::spawn({
                let swallows = swallows.clone();
                move || pass_answers(answers, back, &swallows)
            });
            // The plugin has one connection at a time, and reads each answer to its end.
            while let request = piece(&mut client)
                && !request.is_empty()
            {
                if request.starts_with(b"ms ") && !has_swallowed {
                    has_swallowed = true;
                    swallows.store(true, Ordering::SeqCst);
                }
                if server.write_all(&request).is_err() {
                    break;
                }
            }
            // Either side may have ended it already.
            drop(server.shutdown(Shutdown::Both));
            answering.join().unwrap();
        }
    });
    port
}

/// Passes on what the server answers, until it is to be swallowed.
fn pass_answers(mut server: TcpStream, mut client: TcpStream, swallows: &AtomicBool) {
    while let answer = piece(&mut server)
        && !answer.is_empty()
        && !swallows.load(Ordering::SeqCst)
    {
        if client.write_all(&answer).is_err() {
            break;
        }
    }
    drop(client.shutdown(Shutdown::Both));
}

/// A write whose answer was lost is looked for, and found by its version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_memcached_finds_a_write_whose_answer_was_lost() {
    let server = MemcachedServer::start().unwrap();
    for (i, commit) in
        [Commit::new().put(key("k"), "1"), Commit::new().add(key("k"), 1)].into_iter().enumerate()
    {
        let address = format!("127.0.0.1:{}", swallower(server.port()));
        let options = PluginOptions::new("kv-memcached")
            .with_setting("address", &address)
            .with_tcp(address.parse().unwrap());
        let engine = engine();
        let store = KvPlugin::load(&engine, &Source::file(plugin("kv-memcached")), options).await.unwrap();
        store.commit(&commit).await.unwrap_or_else(|e| panic!("commit {i}: {}", e.chain()));
        let entry = store.get(&key("k")).await.unwrap().unwrap();
        assert_eq!(entry.value, (i + 1).to_string());
    }
}
