//! What is asked of etcd, and what its answers are taken for; the contract as a whole is held against a real server.

use larder_sdk::http::{Cause, Client, Failure, Scripted};
use larder_sdk::kv::{Change, Check, Expectation, KvBackend as _, Outcome, Put, Scan, Write};
use larder_sdk::{Error, Settings};
use serde_json::{Value, json};

use crate::{
    KvEtcd,
    envelope::{Envelope, seal},
    lease,
    wire::{TXN_OPS_MAX, encode, put, responses, txn, unchanged},
};

const URL: (&str, &str) = ("url", "http://one:2379");

fn answer(scripted: &Scripted, body: &Value) {
    scripted.answer(200, &[("content-type", "application/json")], body.to_string().as_bytes());
}

fn refuse(scripted: &Scripted, code: i64) {
    let body = json!({"error": "said", "message": "said", "code": code}).to_string();
    scripted.answer(503, &[("content-type", "application/json")], body.as_bytes());
}

/// A plugin that has looked around.
fn plugin(settings: &[(&str, &str)]) -> (KvEtcd, Scripted) {
    let scripted = Scripted::default();
    answer(&scripted, &json!({}));
    (open(settings, &scripted).unwrap(), scripted)
}

fn open(settings: &[(&str, &str)], scripted: &Scripted) -> Result<KvEtcd, Error> {
    let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    KvEtcd::with_client(Settings::new(settings), Client::with_transport(scripted.clone()))
}

fn write(key: &str, change: Change) -> Write {
    Write { key: key.into(), change }
}

fn lasting(value: &str, ttl_ms: Option<u64>) -> Change {
    Change::Put(Put { value: value.into(), ttl_ms })
}

/// The answer of a read of one key.
fn holding(revision: u64, number: i64, expires_at_ms: Option<u64>, value: &str) -> Value {
    json!({"kvs": [{
        "key": encode(b"larder/a"), "mod_revision": revision.to_string(), "lease": number.to_string(),
        "value": encode(&seal(expires_at_ms, value.as_bytes())),
    }]})
}

fn read(found: &Value) -> Value {
    json!({"succeeded": true, "responses": [{"response_range": found}]})
}

fn done(revision: u64) -> Value {
    json!({"header": {"revision": revision.to_string()}, "succeeded": true, "responses": [{"response_put": {}}]})
}

/// Path and body of what was sent, without the look around.
fn sent(scripted: &Scripted) -> Vec<(String, Value)> {
    let parsed = |body: &[u8]| serde_json::from_slice(body).unwrap();
    scripted.sent().iter().skip(1).map(|sent| (sent.path.clone(), parsed(&sent.body))).collect()
}

fn paths(scripted: &Scripted) -> Vec<String> {
    sent(scripted).into_iter().map(|(path, _)| path).collect()
}

#[test]
fn settings_are_read_or_refused_by_name() {
    let scripted = Scripted::default();
    let refused = |settings: &[(&str, &str)]| match open(settings, &scripted) {
        Err(Error::Invalid(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(refused(&[]).contains("`url`"));
    for url in ["one:2379", "http://one/path", "http://one,", "ftp://one"] {
        assert!(refused(&[("url", url)]).contains("`url`"), "{url}");
    }
    for (name, value) in [
        ("prefix", "a"),
        ("prefix", ""),
        ("request_bytes", "1"),
        ("timeout_ms", "0"),
        ("user", "u"),
        ("urll", "x"),
    ] {
        assert!(refused(&[URL, (name, value)]).contains(&format!("`{name}`")), "{name}");
    }
    assert!(scripted.sent().is_empty());
}

#[test]
fn an_envelope_is_opened_to_what_was_sealed_and_nothing_else_is() {
    for expires_at_ms in [None, Some(1), Some(u64::MAX)] {
        let sealed = seal(expires_at_ms, b"value");
        assert_eq!(Envelope::open(sealed.clone()), Ok(Envelope { expires_at_ms, value: b"value".to_vec() }));
        for cut in 0..12 {
            assert!(matches!(Envelope::open(sealed[..cut].to_vec()), Err(Error::Corrupt(_))));
        }
    }
}

#[test]
fn a_lease_lasts_longer_than_its_entry_and_is_known_again() {
    assert_eq!((lease::seconds(1), lease::seconds(1_001)), (61, 62));
    for number in std::iter::repeat_with(lease::new_number).take(100) {
        assert!(number > 0 && lease::is_ours(number));
    }
    for other in [0, 1, -1, 5_498_932_874_123, i64::MAX, i64::MIN] {
        assert!(!lease::is_ours(other), "{other}");
    }
}

#[test]
fn a_long_commit_is_made_of_transactions_that_etcd_takes() {
    let body = txn(vec![unchanged("YQ==", 1)], vec![put("YQ==", b"", 0); 2_000]).unwrap();
    let outer = body["success"].as_array().unwrap();
    let inner: Vec<usize> =
        outer.iter().map(|op| op["request_txn"]["success"].as_array().unwrap().len()).collect();
    assert_eq!(inner.iter().sum::<usize>(), 2_000);
    assert!(inner.iter().all(|count| count + outer.len() <= TXN_OPS_MAX));
    let nested = json!({"responses": [{"response_txn": {"responses": [{"a": 1}, {"a": 2}]}}, {"a": 3}]});
    assert_eq!(responses(&nested), [&json!({"a": 1}), &json!({"a": 2}), &json!({"a": 3})]);
    let refused = txn(vec![unchanged("YQ==", 1); TXN_OPS_MAX + 1], Vec::new());
    assert!(matches!(refused, Err(Error::Unsupported(text)) if text.contains("--max-txn-ops")));
}

#[test]
fn a_put_with_a_time_to_live_revokes_the_lease_that_it_leaves_and_no_other() {
    for (old, is_revoked) in [(lease::new_number(), true), (77, false), (0, false)] {
        let (mut plugin, scripted) = plugin(&[URL]);
        answer(&scripted, &json!({"ID": "1"}));
        let found = holding(3, old, None, "");
        answer(
            &scripted,
            &json!({"header": {"revision": "9"}, "succeeded": true,
                "responses": [{"response_range": found}, {"response_put": {}}]}),
        );
        answer(&scripted, &json!({}));
        let outcomes = plugin.commit(Vec::new(), vec![write("a", lasting("1", Some(1_500)))]);
        assert_eq!(outcomes, Ok(vec![Outcome::Written(9)]));
        let sent = sent(&scripted);
        assert_eq!((sent[0].0.as_str(), &sent[0].1["TTL"]), ("/v3/lease/grant", &json!("62")));
        assert_eq!(sent[1].1["success"][1]["request_put"]["lease"], sent[0].1["ID"]);
        let revoked = sent.get(2).map(|(path, body)| (path.as_str(), body["ID"].clone()));
        assert_eq!(revoked, is_revoked.then(|| ("/v3/lease/revoke", json!(old.to_string()))));
    }
}

#[test]
fn an_expired_entry_is_absent_and_replaced_under_its_own_revision() {
    let (mut plugin, scripted) = plugin(&[URL]);
    answer(&scripted, &read(&holding(7, 0, Some(1), "old")));
    assert_eq!(plugin.get("a"), Ok(None));
    answer(&scripted, &read(&holding(7, 0, Some(1), "old")));
    answer(&scripted, &done(8));
    let absent = Check { key: "a".into(), expect: Expectation::Absent };
    assert_eq!(
        plugin.commit(vec![absent], vec![write("a", lasting("new", None))]),
        Ok(vec![Outcome::Written(8)])
    );
    let (_, body) = sent(&scripted).pop().unwrap();
    assert_eq!(body["compare"][0]["mod_revision"], "7");
    answer(&scripted, &json!({"kvs": holding(7, 0, Some(1), "old")["kvs"]}));
    let scan = Scan { start: String::new(), end: None, limit: 5, keys_only: false };
    let page = plugin.scan(&scan).unwrap();
    assert!(page.entries.is_empty() && page.next.is_none());
}

#[test]
fn a_counter_that_somebody_else_adds_to_is_read_again_and_keeps_its_lease() {
    let number = lease::new_number();
    let (mut plugin, scripted) = plugin(&[URL]);
    answer(&scripted, &read(&holding(3, number, Some(u64::MAX), "40")));
    answer(&scripted, &json!({}));
    answer(&scripted, &read(&holding(4, number, Some(u64::MAX), "41")));
    answer(&scripted, &done(5));
    assert_eq!(plugin.commit(Vec::new(), vec![write("a", Change::Add(1))]), Ok(vec![Outcome::Added(42)]));
    let sent = sent(&scripted);
    assert_eq!(sent.len(), 4, "no lease is revoked");
    assert_eq!(sent[3].1["compare"][0]["mod_revision"], "4");
    let put = &sent[3].1["success"][0]["request_put"];
    assert_eq!(put["lease"], number.to_string());
    assert_eq!(put["value"], encode(&seal(Some(u64::MAX), b"42")));
}

#[test]
fn a_lease_that_came_to_no_use_is_revoked_unless_the_write_may_have_happened() {
    for (code, is_revoked) in [(3, true), (7, true), (8, true), (14, false), (4, false), (2, false)] {
        let (mut plugin, scripted) = plugin(&[URL]);
        answer(&scripted, &json!({}));
        refuse(&scripted, code);
        answer(&scripted, &json!({}));
        let error = plugin.commit(Vec::new(), vec![write("a", lasting("1", Some(1)))]).unwrap_err();
        assert_eq!(matches!(error, Error::Indeterminate(_)), !is_revoked, "{code}: {error}");
        let revokes = paths(&scripted).iter().filter(|path| *path == "/v3/lease/revoke").count();
        assert_eq!(revokes, usize::from(is_revoked), "{code}");
    }
    // A check that does not hold costs no lease.
    let (mut plugin, scripted) = plugin(&[URL]);
    answer(&scripted, &read(&holding(7, 0, None, "1")));
    let absent = Check { key: "a".into(), expect: Expectation::Absent };
    let refused = plugin.commit(vec![absent], vec![write("a", lasting("1", Some(1)))]);
    assert_eq!((refused, paths(&scripted).len()), (Err(Error::conflict("a")), 1));
}

#[test]
fn reads_go_to_the_next_endpoint_and_writes_only_where_nothing_was_sent() {
    let two = [("url", "http://one:2379, http://two:2379")];
    let origins = |scripted: &Scripted| {
        scripted.sent().iter().skip(1).map(|sent| sent.origin.clone()).collect::<Vec<_>>()
    };
    let lost = || Failure::sent(Cause::Cut, "lost");
    let put = || vec![write("a", lasting("1", None))];

    let (mut reads, scripted) = plugin(&two);
    scripted.fail(lost());
    answer(&scripted, &read(&json!({})));
    assert_eq!((reads.get("a"), origins(&scripted).len()), (Ok(None), 2));
    assert_eq!(origins(&scripted)[1], "http://two:2379");

    let (mut writes, scripted) = plugin(&two);
    scripted.fail(Failure::unsent(Cause::Unreached, "nobody"));
    answer(&scripted, &done(2));
    assert_eq!(
        (writes.commit(Vec::new(), put()), origins(&scripted).len()),
        (Ok(vec![Outcome::Written(2)]), 2)
    );

    let (mut writes, scripted) = plugin(&two);
    scripted.fail(lost());
    assert!(matches!(writes.commit(Vec::new(), put()), Err(Error::Indeterminate(_))));
    assert_eq!(origins(&scripted).len(), 1);

    // A single endpoint: a read is asked once more, a write is not.
    let (mut reads, scripted) = plugin(&[URL]);
    scripted.fail(lost());
    scripted.fail(lost());
    assert!(matches!(reads.get("a"), Err(Error::Unavailable(_))));
    assert_eq!(origins(&scripted).len(), 2);
}

#[test]
fn an_answer_that_makes_no_sense_after_a_write_leaves_open_whether_it_happened() {
    for body in ["", "no json", r#"{"succeeded":true}"#] {
        let (mut plugin, scripted) = plugin(&[URL]);
        scripted.answer(200, &[], body.as_bytes());
        let error = plugin.commit(Vec::new(), vec![write("a", lasting("1", None))]).unwrap_err();
        assert!(matches!(error, Error::Indeterminate(_)), "{body:?}: {error}");
    }
}

#[test]
fn a_user_logs_in_and_once_more_when_its_token_is_too_old() {
    let scripted = Scripted::default();
    answer(&scripted, &json!({"token": "t0ken-1"}));
    answer(&scripted, &json!({}));
    let settings = [URL, ("user", "u"), ("password", "s3cret")];
    let mut plugin = open(&settings, &scripted).unwrap();
    refuse(&scripted, 16);
    answer(&scripted, &json!({"token": "t0ken-2"}));
    answer(&scripted, &done(3));
    assert_eq!(
        plugin.commit(Vec::new(), vec![write("a", lasting("1", None))]),
        Ok(vec![Outcome::Written(3)])
    );
    let sent = scripted.sent();
    let tokens: Vec<_> = sent.iter().map(|sent| sent.headers.get("authorization")).collect();
    assert_eq!(tokens, [None, Some("t0ken-1"), Some("t0ken-1"), None, Some("t0ken-2")]);
    let shown = format!("{plugin:?}");
    assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
    // Another password.
    let scripted = Scripted::default();
    refuse(&scripted, 3);
    let error = open(&settings, &scripted).unwrap_err();
    assert!(matches!(&error, Error::Denied(text) if !text.contains("s3cret")), "{error}");
}

#[test]
fn what_is_too_large_at_once_is_read_in_parts() {
    let (mut plugin, scripted) = plugin(&[URL]);
    refuse(&scripted, 8);
    for _ in 0..4 {
        answer(&scripted, &read(&json!({})));
    }
    let keys: Vec<String> = (0..4).map(|i| format!("k{i}")).collect();
    assert_eq!(plugin.get_many(&keys), Ok(vec![None, None, None, None]));
    assert_eq!(scripted.sent().len(), 6);
    let error = plugin.commit(Vec::new(), vec![write("a", lasting(&"x".repeat(2 << 20), None))]).unwrap_err();
    assert!(matches!(error, Error::Invalid(text) if text.contains("request_bytes")));
}
