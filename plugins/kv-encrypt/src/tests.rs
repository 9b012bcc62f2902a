//! The layer in front of the table of `kv-memory`.

use std::cell::{Cell, RefCell};

use larder_sdk::kv;

use super::*;

#[path = "../../kv-memory/src/table.rs"]
mod table;

use table::Table;

/// A store in memory that another writer can get in the way of.
#[derive(Default)]
struct Next {
    table: RefCell<Table>,
    without: Cell<Option<Features>>,
    /// How many of the next commits are preceded by somebody else's write of the key.
    intruders: Cell<u32>,
    intruded_key: &'static str,
}

impl NextKv for Next {
    fn describe(&self) -> Result<Description> {
        Ok(kv::description(Features::all() - self.without.get().unwrap_or(Features::empty())))
    }

    fn get(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.table.borrow().get(key, || 0))
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    fn scan(&self, scan: &Scan) -> Result<Page> {
        Ok(self.table.borrow().scan(scan, 0))
    }

    fn commit(&self, checks: &[Check], writes: &[Write]) -> Result<Vec<Outcome>> {
        if let Some(left) = self.intruders.get().checked_sub(1) {
            self.intruders.set(left);
            let value = layer().keys.seal(self.intruded_key, b"100")?;
            let intruder =
                Write { key: self.intruded_key.into(), change: Change::Put(Put { value, ttl_ms: None }) };
            self.table.borrow_mut().commit(&[], vec![intruder], 0)?;
        }
        self.table.borrow_mut().commit(checks, writes.to_vec(), 0)
    }
}

fn layer() -> KvEncrypt {
    let key = "07".repeat(32);
    KvEncrypt::configure(Settings::from([("key", &*key)])).unwrap()
}

fn put(key: &str, value: &str, ttl_ms: Option<u64>) -> Write {
    Write { key: key.into(), change: Change::Put(Put { value: value.into(), ttl_ms }) }
}

fn add(key: &str, delta: i64) -> Write {
    Write { key: key.into(), change: Change::Add(delta) }
}

fn value(next: &Next, key: &str) -> Vec<u8> {
    layer().get(next, key).unwrap().unwrap().value
}

#[test]
fn values_come_back_by_every_way_of_reading_and_are_not_readable_below() {
    let next = Next::default();
    layer().commit(&next, vec![], vec![put("a", "secret", None), put("b", "other", None)]).unwrap();
    assert!(!next.get("a").unwrap().unwrap().value.windows(6).any(|window| window == b"secret"));
    assert_eq!(value(&next, "a"), b"secret");
    let many = layer().get_many(&next, &["b".into(), "x".into(), "a".into()]).unwrap();
    let many: Vec<_> = many.into_iter().map(|entry| entry.map(|entry| entry.value)).collect();
    assert_eq!(many, [Some(b"other".to_vec()), None, Some(b"secret".to_vec())]);
    let scan = |keys_only| Scan { start: String::new(), end: None, limit: 10, keys_only };
    let page = layer().scan(&next, &scan(false)).unwrap();
    assert_eq!(
        page.entries.iter().map(|found| &*found.entry.value).collect::<Vec<_>>(),
        [&b"secret"[..], b"other"]
    );
    assert!(
        layer().scan(&next, &scan(true)).unwrap().entries.iter().all(|found| found.entry.value.is_empty())
    );
}

#[test]
fn a_value_moved_to_another_key_is_corrupt_by_every_way_of_reading() {
    let next = Next::default();
    layer().commit(&next, vec![], vec![put("a", "secret", None)]).unwrap();
    let moved = next.get("a").unwrap().unwrap().value;
    let write = Write { key: "b".into(), change: Change::Put(Put { value: moved, ttl_ms: None }) };
    next.commit(&[], &[write]).unwrap();
    let corrupt = |error: Error| assert!(matches!(error, Error::Corrupt(text) if text.contains("`b`")));
    corrupt(layer().get(&next, "b").unwrap_err());
    corrupt(layer().get_many(&next, &["a".into(), "b".into()]).unwrap_err());
    let all = Scan { start: String::new(), end: None, limit: 10, keys_only: false };
    corrupt(layer().scan(&next, &all).unwrap_err());
    corrupt(layer().commit(&next, vec![], vec![add("b", 1)]).unwrap_err());
}

#[test]
fn additions_are_done_under_the_version_that_was_read() {
    let next = Next { intruded_key: "n", ..Next::default() };
    let commit = |writes| layer().commit(&next, vec![], writes);
    assert_eq!(commit(vec![add("n", 2)]).unwrap(), [Outcome::Added(2)]);
    next.intruders.set(3);
    assert_eq!(commit(vec![add("n", 5)]).unwrap(), [Outcome::Added(105)]);
    next.intruders.set(TRIES_MAX);
    assert!(matches!(commit(vec![add("n", 5)]), Err(Error::Unavailable(_))));
    next.intruders.set(0);
    let outcomes = commit(vec![put("a", "1", None), add("n", 1), add("m", -1)]).unwrap();
    assert!(matches!(&*outcomes, [Outcome::Written(_), Outcome::Added(101), Outcome::Added(-1)]));
}

#[test]
fn an_addition_keeps_the_expiry_and_refuses_what_is_no_counter() {
    let next = Next::default();
    layer().commit(&next, vec![], vec![put("n", "1", Some(1_000)), put("t", "text", None)]).unwrap();
    layer().commit(&next, vec![], vec![add("n", 1)]).unwrap();
    assert_eq!(next.get("n").unwrap().unwrap().expires_in_ms, Some(1_000));
    assert!(matches!(layer().commit(&next, vec![], vec![add("t", 1)]), Err(Error::Invalid(_))));
}

#[test]
fn a_callers_own_check_on_a_counter_is_a_conflict() {
    let next = Next::default();
    let absent = || vec![Check { key: "n".into(), expect: Expectation::Absent }];
    layer().commit(&next, absent(), vec![add("n", 1)]).unwrap();
    assert_eq!(layer().commit(&next, absent(), vec![add("n", 1)]), Err(Error::conflict("n")));
    assert_eq!(value(&next, "n"), b"1");
}

#[test]
fn what_the_next_store_can_is_what_the_layer_can_but_for_counters() {
    let next = Next::default();
    let description = layer().describe(&next).unwrap();
    assert_eq!(description.features, Features::all());
    assert_eq!(description.max_value_bytes, kv::VALUE_BYTES_MAX - 41);
    next.without.set(Some(Features::COUNTERS | Features::SCAN));
    assert_eq!(layer().describe(&next).unwrap().features, Features::all() & !Features::SCAN);
    next.without.set(Some(Features::VERSIONS));
    assert!(!layer().describe(&next).unwrap().features.intersects(Features::COUNTERS | Features::VERSIONS));
    assert!(matches!(layer().commit(&next, vec![], vec![add("n", 1)]), Err(Error::Unsupported(_))));
}

#[test]
fn a_missing_key_and_an_unknown_setting_are_refused() {
    assert!(
        matches!(KvEncrypt::configure(Settings::from([])), Err(Error::Invalid(text)) if text.contains("`key`"))
    );
    let key = "07".repeat(32);
    let refused = KvEncrypt::configure(Settings::from([("key", &*key), ("cipher", "rot13")]));
    assert!(
        matches!(refused, Err(Error::Invalid(text)) if text.contains("`cipher`") && !text.contains(&key))
    );
}

const NEW: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// Layers of one rotation, in its order: the old key alone, both with the old one writing, both with the new one, the new alone.
fn rotation() -> [KvEncrypt; 4] {
    let old = "07".repeat(32);
    let made = |settings: &[(&str, &str)]| {
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        KvEncrypt::configure(Settings::new(settings)).unwrap()
    };
    [
        made(&[("key", &old)]),
        made(&[("key", &old), ("key.new", NEW)]),
        made(&[("key", &old), ("key.new", NEW), ("current", "new")]),
        made(&[("key.new", NEW), ("current", "new")]),
    ]
}

#[test]
fn a_rotation_under_live_writes_loses_nothing_and_breaks_no_condition() {
    let next = Next::default();
    // Hosts are one step apart at most. Before the old key goes, all is written once while the new one is current.
    for (one, other) in [(0, 1), (1, 2), (2, 2), (2, 3)] {
        let mut layers = rotation();
        for round in 0..20 {
            let (writer, reader) = if round % 2 == 0 { (one, other) } else { (other, one) };
            let text = format!("{one}-{other}-{round}");
            layers[writer].commit(&next, vec![], vec![put("k", &text, None), add("n", 1)]).unwrap();
            let entry = layers[reader].get(&next, "k").unwrap().unwrap();
            assert_eq!(entry.value, text.as_bytes());
            // Reading is no write: a condition on the version still holds, whoever reads in between.
            layers[writer].get(&next, "k").unwrap();
            let check = Check { key: "k".into(), expect: Expectation::Version(entry.version) };
            layers[reader].commit(&next, vec![check], vec![put("k", "conditional", Some(1_000))]).unwrap();
            assert_eq!(layers[writer].get(&next, "k").unwrap().unwrap().value, b"conditional");
        }
    }
    let mut layers = rotation();
    assert_eq!(layers[3].get(&next, "n").unwrap().unwrap().value, b"80");
}

#[test]
fn a_key_removed_too_early_is_named_by_every_way_of_reading_and_gives_all_back_when_it_returns() {
    let next = Next::default();
    let mut layers = rotation();
    layers[0].commit(&next, vec![], vec![put("a", "1", None), put("n", "5", None)]).unwrap();
    layers[2].commit(&next, vec![], vec![put("b", "2", None)]).unwrap();
    let denied =
        |error: Error| assert!(matches!(error, Error::Denied(text) if text.contains("setting `key`")));
    let early = &mut layers[3];
    denied(early.get(&next, "a").unwrap_err());
    denied(early.get_many(&next, &["b".into(), "a".into()]).unwrap_err());
    denied(
        early
            .scan(&next, &Scan { start: String::new(), end: None, limit: 10, keys_only: false })
            .unwrap_err(),
    );
    denied(early.commit(&next, vec![], vec![add("n", 1)]).unwrap_err());
    assert_eq!(early.get(&next, "b").unwrap().unwrap().value, b"2");
    assert_eq!(layers[2].get(&next, "a").unwrap().unwrap().value, b"1");
    assert_eq!(layers[2].commit(&next, vec![], vec![add("n", 1)]).unwrap(), [Outcome::Added(6)]);
    assert_eq!(layers[3].get(&next, "n").unwrap().unwrap().value, b"6");
}
