//! The layer in front of the table of `kv-memory`.

use std::cell::{Cell, RefCell};

use larder_sdk::kv::{self, Put};
use serde_json::Value;

use super::*;

#[path = "../../kv-memory/src/table.rs"]
mod table;

use table::Table;

/// A store in memory that can lack features, fail, and be written by others.
#[derive(Default)]
struct Next {
    table: RefCell<Table>,
    without: Cell<Option<Features>>,
    /// What each commit to the parking answers.
    parking_fails: RefCell<Option<Error>>,
    /// How many of the next commits are preceded by somebody else's addition of 10 to `n`.
    intruders: Cell<u32>,
    commits: Cell<u32>,
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
        self.commits.set(self.commits.get() + 1);
        kv::refuse_undeclared(&self.describe()?, checks, writes)?;
        if writes.iter().any(|write| write.key.starts_with("parked:"))
            && let Some(error) = self.parking_fails.borrow().clone()
        {
            return Err(error);
        }
        if let Some(left) = self.intruders.get().checked_sub(1) {
            self.intruders.set(left);
            self.table.borrow_mut().commit(&[], vec![add("n", 10)], 0)?;
        }
        self.table.borrow_mut().commit(checks, writes.to_vec(), 0)
    }
}

const PAGE: &str = r#"{ "type": "object", "required": ["url"], "additionalProperties": false,
    "properties": { "url": { "type": "string", "pattern": "^https://" }, "depth": { "maximum": 9 } } }"#;

fn layer_with<const N: usize>(settings: [(&str, &str); N]) -> KvValidate {
    KvValidate::configure(Settings::from(settings)).unwrap()
}

fn layer() -> KvValidate {
    layer_with([("schema.page/", PAGE), ("schema.page/raw/", "true"), ("schema.n", r#"{"maximum": 50}"#)])
}

fn put(key: &str, value: &[u8]) -> Write {
    Write { key: key.into(), change: Change::Put(Put { value: value.into(), ttl_ms: None }) }
}

fn add(key: &str, delta: i64) -> Write {
    Write { key: key.into(), change: Change::Add(delta) }
}

fn refusal(layer: &mut KvValidate, next: &Next, writes: Vec<Write>) -> String {
    match layer.commit(next, vec![], writes) {
        Err(Error::Invalid(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn keys(page: &Page) -> Vec<&str> {
    page.entries.iter().map(|found| &*found.key).collect()
}

fn all(start: &str, limit: u32) -> Scan {
    Scan { start: start.into(), end: None, limit, keys_only: false }
}

/// All parked documents, by their slots.
fn parked(next: &Next) -> Vec<Value> {
    let page = next.scan(&Scan { end: Some("parked;".into()), ..all("parked:", 1_000) }).unwrap();
    page.entries.iter().map(|found| serde_json::from_slice(&found.entry.value).unwrap()).collect()
}

#[test]
fn what_fits_and_what_no_schema_covers_passes_unchanged() {
    let (mut layer, next) = (layer(), Next::default());
    let good = br#"{ "url": "https://a/", "depth": 3 }"#;
    layer
        .commit(&next, vec![], vec![put("page/a", good), put("other", b"\xff"), put("page/raw/x", b"\xff")])
        .unwrap();
    assert_eq!(layer.get(&next, "page/a").unwrap().unwrap().value, good);
    assert!(parked(&next).is_empty());
    let deleted = layer.commit(&next, vec![], vec![Write { key: "page/a".into(), change: Change::Delete }]);
    assert_eq!(deleted.unwrap(), [Outcome::Deleted(true)]);
}

#[test]
fn one_bad_value_refuses_the_whole_commit_and_each_is_parked_once() {
    let (mut layer, next) = (layer(), Next::default());
    let bad = br#"{"url":"http://hunter2/","depth":"hunter2"}"#;
    let writes = || vec![put("page/a", bad), put("page/b", b"{}"), put("other", b"1")];
    let text = refusal(&mut layer, &next, writes());
    for part in
        ["`page/a`", "`page/b`", "`page/`", "`/url`", "\"url\" is a required property", "parked as `parked:"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(
        layer.get_many(&next, &["page/a".into(), "page/b".into(), "other".into()]).unwrap(),
        [None, None, None]
    );
    refusal(&mut layer, &next, writes());
    let mut documents = parked(&next);
    documents.sort_by_key(|document| document["key"].to_string());
    assert_eq!(documents.len(), 2);
    let [a, b] = &*documents else { unreachable!() };
    assert_eq!(
        (&a["key"], &a["text"]),
        (&"page/a".into(), &String::from_utf8_lossy(bad).into_owned().into())
    );
    assert_eq!((&a["times"], &a["bytes"], &a["cut"]), (&2.into(), &bad.len().into(), &Value::Null));
    assert!(a["first_ms"].as_u64().unwrap() > 0 && a["last_ms"].as_u64() >= a["first_ms"].as_u64());
    assert_eq!(b["why"][0]["why"], "\"url\" is a required property");
}

#[test]
fn the_schema_of_the_longest_prefix_is_the_one_that_counts() {
    let mut layer =
        layer_with([("schema.", "false"), ("schema.a", r#"{"type":"string"}"#), ("schema.a/b", "true")]);
    let next = Next::default();
    assert!(refusal(&mut layer, &next, vec![put("b", b"1")]).contains("of ``"));
    assert!(refusal(&mut layer, &next, vec![put("a/a", b"1")]).contains("of `a`"));
    layer.commit(&next, vec![], vec![put("a/b", b"not JSON"), put("a/a", b"\"text\"")]).unwrap();
}

#[test]
fn no_text_repeats_a_value_or_the_names_that_stand_for_data() {
    let schema = r#"{ "additionalProperties": false, "propertyNames": { "maxLength": 3 }, "properties": {
        "e": { "enum": [1] }, "f": { "format": "date" }, "c": { "const": 1 }, "n": { "not": { "type": "string" } },
        "o": { "oneOf": [{ "type": "null" }] }, "u": { "uniqueItems": true }, "m": { "maxLength": 1 }, "t": { "type": "null" } } }"#;
    let (mut layer, next) = (layer_with([("schema.", schema)]), Next::default());
    let mut bad = vec!["hunter2".to_owned(), "\"hunter2".to_owned(), r#"{"hunter2":1}"#.to_owned()];
    bad.extend("efcnomt".chars().map(|name| format!(r#"{{"{name}":"hunter2"}}"#)));
    bad.push(r#"{"u":["hunter2","hunter2"]}"#.to_owned());
    for value in bad {
        let text = refusal(&mut layer, &next, vec![put("k", value.as_bytes())]);
        assert!(!text.contains("hunter2"), "{value}: {text}");
        assert!(text.len() < 1_000, "{text}");
    }
}

#[test]
fn a_refusal_stands_and_says_so_when_nothing_can_be_parked() {
    let (mut layer, next) = (layer(), Next::default());
    *next.parking_fails.borrow_mut() = Some(Error::unavailable("the disk is full"));
    let text = refusal(&mut layer, &next, vec![put("page/a", b"{}")]);
    assert!(text.contains("not parked") && text.contains("the disk is full"), "{text}");
    let mut layer = layer_with([("schema.", "false"), ("parking", "")]);
    assert!(refusal(&mut layer, &Next::default(), vec![put("parked:x", b"1")]).contains("parking is off"));
}

#[test]
fn the_parking_is_bounded_and_keeps_what_came_last() {
    let settings = [("schema.", "false"), ("parking_slots", "19"), ("parking_value_bytes", "4")];
    let (mut layer, next) = (layer_with(settings), Next::default());
    for round in 0..100 {
        refusal(&mut layer, &next, vec![put(&format!("k{round}"), "äöü\"".as_bytes())]);
        let documents = parked(&next);
        assert!(documents.len() <= 16, "{}", documents.len());
        assert!(documents.iter().any(|document| document["key"] == format!("k{round}")));
        assert!(documents.iter().all(|document| document["text"] == "äö" && document["cut"] == true));
    }
    refusal(&mut layer, &next, vec![put("binary", &[0xff, 0, 1, 2, 3])]);
    assert!(parked(&next).iter().any(|document| document["base64"] == "/wABAg=="));
    let many: Vec<Write> = (0..100).map(|n| put(&format!("m{n}"), b"1")).collect();
    next.commits.set(0);
    assert!(refusal(&mut layer, &next, many).contains("97 more"));
    assert_eq!(next.commits.get() as usize, PARKED_PER_COMMIT_MAX);
}

#[test]
fn parked_values_expire_where_the_store_has_times_to_live_and_need_no_feature() {
    let (mut layer, next) = (layer(), Next::default());
    refusal(&mut layer, &next, vec![put("page/a", b"1")]);
    let only = next.scan(&all("parked:", 1)).unwrap();
    assert_eq!(only.entries[0].entry.expires_in_ms, Some(7 * 24 * 3_600_000));
    let bare = Next::default();
    bare.without.set(Some(Features::all()));
    assert!(refusal(&mut layer, &bare, vec![put("page/a", b"1")]).contains("parked as"));
    assert_eq!(bare.scan(&all("parked:", 1)).unwrap().entries[0].entry.expires_in_ms, None);
}

#[test]
fn scans_go_around_parked_values_unless_they_begin_there() {
    let (mut layer, next) = (layer(), Next::default());
    layer
        .commit(
            &next,
            vec![],
            vec![put("a", b"1"), put("parked", b"2"), put("parked;", b"3"), put("z", b"4")],
        )
        .unwrap();
    refusal(&mut layer, &next, vec![put("page/a", b"1")]);
    for limit in [1, 2, 3, 100] {
        let (mut seen, mut from) = (Vec::new(), Some(String::new()));
        while let Some(start) = from {
            let page = layer.scan(&next, &all(&start, limit)).unwrap();
            seen.extend(page.entries.iter().map(|found| found.key.clone()));
            from = page.next;
        }
        assert_eq!(seen, ["a", "parked", "parked;", "z"], "{limit} a page");
    }
    let page = layer.scan(&next, &all("", 4)).unwrap();
    assert_eq!((keys(&page).len(), page.next), (4, None));
    let page = layer.scan(&Next::default(), &all("", 4)).unwrap();
    assert_eq!((keys(&page).len(), page.next), (0, None));
    let end = |end: &str| Scan { end: Some(end.into()), ..all("", 100) };
    for (until, seen) in [("parked:9", 2), ("parked;", 2), ("parked:", 2), ("b", 1)] {
        let page = layer.scan(&next, &end(until)).unwrap();
        assert_eq!((keys(&page).len(), page.next), (seen, None), "{until}");
    }
    let page = layer.scan(&next, &all("parked:", 100)).unwrap();
    assert_eq!(keys(&page).len(), 3);
    let slot = keys(&page)[0].to_owned();
    assert!(layer.get(&next, &slot).unwrap().is_some());
    layer.commit(&next, vec![], vec![Write { key: slot, change: Change::Delete }]).unwrap();
    for write in [put("parked:x", b"1"), add("parked:x", 1)] {
        assert!(refusal(&mut layer, &next, vec![write]).contains("not written"));
    }
}

#[test]
fn a_page_around_parked_values_is_no_larger_than_any_other() {
    let (mut layer, next) = (layer(), Next::default());
    let half = vec![0; kv::PAGE_BYTES_MAX / 2];
    for key in ["a", "x", "y"] {
        layer.commit(&next, vec![], vec![put(key, &half[1..])]).unwrap();
    }
    refusal(&mut layer, &next, vec![put("page/a", b"1")]);
    let page = layer.scan(&next, &all("", 10)).unwrap();
    assert_eq!((keys(&page), page.next.as_deref()), (vec!["a", "x"], Some("y")));
}

#[test]
fn a_sum_is_held_to_the_schema_whoever_adds_meanwhile() {
    let (mut layer, next) = (layer(), Next::default());
    next.intruders.set(3);
    assert_eq!(
        layer.commit(&next, vec![], vec![add("n", 1), add("free", 99)]).unwrap(),
        [Outcome::Added(31), Outcome::Added(99)]
    );
    next.intruders.set(1);
    let text = refusal(&mut layer, &next, vec![add("n", 10)]);
    assert!(text.contains("maximum of 50"), "{text}");
    assert_eq!(next.get("n").unwrap().unwrap().value, b"41");
    assert_eq!(parked(&next)[0]["text"], "51");
    let absent = vec![Check { key: "n".into(), expect: Expectation::Absent }];
    assert_eq!(layer.commit(&next, absent, vec![add("n", 1)]), Err(Error::conflict("n")));
    next.intruders.set(TRIES_MAX);
    assert!(matches!(
        layer_with([("schema.n", "{}")]).commit(&next, vec![], vec![add("n", 0)]),
        Err(Error::Unavailable(_))
    ));
}

#[test]
fn without_versions_there_are_no_counters_once_there_is_a_schema() {
    let next = Next::default();
    next.without.set(Some(Features::VERSIONS));
    assert!(!layer().describe(&next).unwrap().features.contains(Features::COUNTERS));
    assert!(matches!(layer().commit(&next, vec![], vec![add("n", 1)]), Err(Error::Unsupported(_))));
    assert!(layer_with([("schema.", "true")]).describe(&next).unwrap().features.contains(Features::COUNTERS));
    next.without.set(None);
    assert_eq!(layer().describe(&next).unwrap(), next.describe().unwrap());
}

#[test]
fn reporting_writes_what_is_bad_and_parks_it_once_it_is_written() {
    let settings = [("schema.", r#"{"type":"object"}"#), ("on_bad", "report")];
    let (mut layer, next) = (layer_with(settings), Next::default());
    layer.commit(&next, vec![], vec![put("a", b"1"), add("n", 2), put("b", b"{}")]).unwrap();
    assert_eq!(layer.get(&next, "a").unwrap().unwrap().value, b"1");
    assert_eq!(parked(&next).len(), 2);
    let absent = vec![Check { key: "a".into(), expect: Expectation::Absent }];
    assert_eq!(layer.commit(&next, absent, vec![put("c", b"1")]), Err(Error::conflict("a")));
    assert_eq!(parked(&next).len(), 2);
}

#[test]
fn schemas_of_each_draft_are_read_and_what_can_not_be_used_is_refused_by_its_setting() {
    for draft in [
        "http://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-06/schema#",
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        let schema = format!(r#"{{ "$schema": "{draft}", "minimum": 3 }}"#);
        assert!(
            refusal(&mut layer_with([("schema.", &schema)]), &Next::default(), vec![put("k", b"2")])
                .contains('3')
        );
    }
    for bad in [
        "{",
        "1",
        r#"{"type":"strnig"}"#,
        r#"{"$ref":"https://example.org/other.json"}"#,
        r#"{"$ref":"file:///etc/passwd"}"#,
        r##"{"$ref":"#/$defs/none"}"##,
        r#"{"$schema":"https://example.org/draft"}"#,
        r#"{"format":"dtae"}"#,
        r#"{"pattern":"(?=a)b"}"#,
        r#"{"pattern":"((a{1000}){1000}){1000}"}"#,
    ] {
        let error = KvValidate::configure(Settings::from([("schema.page/", bad)])).unwrap_err();
        assert!(matches!(&error, Error::Invalid(text) if text.contains("`schema.page/`")), "{bad}: {error}");
    }
    for (name, bad) in
        [("parking_slots", "0"), ("on_bad", "ignore"), ("parking_ttl_s", "-1"), ("schemas", "x")]
    {
        let error = KvValidate::configure(Settings::from([(name, bad)])).unwrap_err();
        assert!(matches!(&error, Error::Invalid(text) if text.contains(&format!("`{name}`"))), "{error}");
    }
}

#[test]
fn hostile_values_are_refused_in_bounded_work() {
    let settings =
        [("schema.", r#"{"pattern":"^(a+)+$","maxLength":1000000}"#), ("max_value_bytes", "100000")];
    let (mut layer, next) = (layer_with(settings), Next::default());
    let deep = [b"[".repeat(50_000), b"]".repeat(50_000)].concat();
    let backtracking = format!("\"{}!\"", "a".repeat(90_000)).into_bytes();
    for (value, why) in
        [(deep, "not JSON"), (backtracking, "does not match"), (vec![b'1'; 100_001], "more than 100000")]
    {
        let text = refusal(&mut layer, &next, vec![put("k", &value)]);
        assert!(text.contains(why), "{why}: {text}");
    }
}
