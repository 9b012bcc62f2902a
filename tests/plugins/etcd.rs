//! The plugin kv-etcd and a real server: killed, cut off in the middle of a call, and what it keeps of leases.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use larder_core::{Commit, ErrorKind, Expectation, KvStore, Outcome};
use larder_tests::servers::etcd::EtcdServer;
use larder_wasm::{KvPlugin, PluginOptions};
use serde_json::Value;

use crate::{component, engine, key};

async fn load(url: &str) -> KvPlugin {
    let options = PluginOptions::new("kv-etcd")
        .with_supervision(crate::patient())
        .with_setting("url", url)
        // A server that was started again takes a second or two to choose itself as the leader.
        .with_setting("timeout_ms", "5000")
        .with_http(url.parse().unwrap());
    KvPlugin::load(&engine(), &component("kv-etcd"), options).await.unwrap()
}

/// How many leases the server has.
async fn leases(server: &EtcdServer) -> usize {
    larder_backends::tls::choose_provider();
    let response = reqwest::Client::new()
        .post(format!("{}/v3/lease/leases", server.url()))
        .body("{}")
        .send()
        .await
        .unwrap();
    let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    answer.get("leases").and_then(Value::as_array).map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_etcd_outlives_its_server_and_finds_what_it_wrote() {
    let mut server = EtcdServer::start().unwrap();
    let store = load(&server.url()).await;
    let put = |value: &'static str| Commit::new().put(key("k"), value);
    store.commit(&put("before")).await.unwrap();
    server.restart().unwrap();
    let entry = store.get(&key("k")).await.unwrap().unwrap();
    assert_eq!(entry.value, "before");
    let checked = put("after").check(key("k"), Expectation::Version(entry.version));
    store.commit(&checked).await.unwrap();
    // A server that hangs: a write may have happened, a read has not harmed.
    server.process().freeze();
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
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
    server.restart().unwrap();
    store.commit(&put("again")).await.unwrap();
    assert_eq!(store.get(&key("k")).await.unwrap().unwrap().value, "again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_etcd_leaves_no_lease_behind() {
    let server = EtcdServer::start().unwrap();
    let store = load(&server.url()).await;
    let lasting =
        |value: &'static str| Commit::new().put_with_ttl(key("k"), value, Duration::from_secs(3_600));
    for value in ["1", "2", "3"] {
        store.commit(&lasting(value)).await.unwrap();
        assert_eq!(leases(&server).await, 1, "{value}");
    }
    store.commit(&Commit::new().add(key("k"), 1)).await.unwrap();
    assert!(store.get(&key("k")).await.unwrap().unwrap().expires_at.is_some());
    let refused = store.commit(&lasting("4").check(key("k"), Expectation::Absent)).await.unwrap_err();
    assert_eq!((refused.kind(), leases(&server).await), (ErrorKind::Conflict, 1));
    store.commit(&Commit::new().put(key("k"), "for ever")).await.unwrap();
    assert_eq!(leases(&server).await, 0);
    store.commit(&lasting("5")).await.unwrap();
    store.commit(&Commit::new().delete(key("k"))).await.unwrap();
    assert_eq!(leases(&server).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_addition_of_many_at_once_is_lost_in_etcd() {
    const CALLERS: usize = 4;
    const EACH: usize = 10;
    let server = EtcdServer::start().unwrap();
    let store = Arc::new(load(&server.url()).await);
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let both = Commit::new().add(key("a"), 1).add(key("b"), -1);
                for _ in 0..EACH {
                    let outcomes = store.commit(&both).await.unwrap();
                    let [Outcome::Added(a), Outcome::Added(b)] = outcomes[..] else { panic!("{outcomes:?}") };
                    assert_eq!(a, -b, "both or none");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let total = (CALLERS * EACH).to_string();
    assert_eq!(store.get(&key("a")).await.unwrap().unwrap().value, total);
}

/// Stands between a plugin and its server; the answer to the first transaction that puts something goes nowhere, with its
/// connection.
fn swallower(server: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut has_swallowed = false;
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            // One request at a time, each with an answer that comes at once: both are short.
            while let Some(request) = message(&mut client) {
                server.write_all(&request).unwrap();
                let answer = message(&mut server).unwrap();
                if !has_swallowed && String::from_utf8_lossy(&request).contains("request_put") {
                    has_swallowed = true;
                    break;
                }
                client.write_all(&answer).unwrap();
            }
            // The other side may have ended it already.
            drop(client.shutdown(Shutdown::Both));
        }
    });
    port
}

/// A whole message: its head, and as much of a body as that says.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text[..end].lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |text| text.trim().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(bytes);
            }
        }
        let mut piece = [0; 16 << 10];
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend(piece.iter().take(count)),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_has_an_unknown_effect_and_is_not_repeated() {
    let server = EtcdServer::start().unwrap();
    let port = swallower(server.port());
    let store = load(&format!("http://127.0.0.1:{port}")).await;
    let error = store.commit(&Commit::new().add(key("k"), 1)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_effect_unknown()),
        (ErrorKind::Unavailable, true),
        "{}",
        error.chain()
    );
    // It had happened, once.
    assert_eq!(store.get(&key("k")).await.unwrap().unwrap().value, "1");
}
