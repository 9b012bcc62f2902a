use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use larder_core::{
    Capabilities, Change, Commit, Effect, Error, ErrorKind, Key, KeyRange, Outcome, Scan, Timestamp, Version,
};

use super::*;

const NOW: Timestamp = Timestamp(1_000);
const LIMIT: usize = 16;

fn wit_entry(value: &str) -> WitEntry {
    WitEntry { value: Bytes::copy_from_slice(value.as_bytes()), version: 7, expires_in_ms: None }
}

fn wit_page(keys: &[&str], next: Option<&str>) -> WitPage {
    let entries = keys.iter().map(|key| WitKeyedEntry { key: Arc::from(*key), entry: wit_entry("v") });
    WitPage { entries: entries.collect(), next: next.map(Arc::from) }
}

fn scan() -> Scan {
    Scan::new(KeyRange::between("b", "m")).limit(3)
}

fn page_kind(keys: &[&str], next: Option<&str>) -> Option<ErrorKind> {
    page(wit_page(keys, next), &scan(), NOW, LIMIT).err().map(|e| e.kind())
}

#[test]
fn a_page_must_lie_in_the_range_ascend_and_hold_no_more_than_was_asked() {
    assert_eq!(page_kind(&["b", "c", "l"], Some("l1")), None);
    for bad in [&["a"][..], &["m"], &["c", "b"], &["b", "b"], &["b", "c", "d", "e"], &[""]] {
        assert_eq!(page_kind(bad, None), Some(ErrorKind::Plugin), "{bad:?}");
    }
}

#[test]
fn a_next_key_goes_forward_or_the_scan_would_never_end() {
    assert_eq!(page_kind(&["c"], Some("c")), Some(ErrorKind::Plugin));
    assert_eq!(page_kind(&[], Some("b")), Some(ErrorKind::Plugin));
    assert_eq!(page_kind(&[], Some("c")), None);
    let done = page(wit_page(&["c"], Some("z")), &scan(), NOW, LIMIT).unwrap();
    assert_eq!(done.next, None, "a next key past the range says that the range is done");
}

#[test]
fn a_scan_of_keys_returns_no_values_whatever_the_guest_sends() {
    let page = page(wit_page(&["c"], None), &scan().keys_only(), NOW, LIMIT).unwrap();
    assert!(page.entries.iter().all(|(_, entry)| entry.value.is_empty()));
}

#[test]
fn an_entry_past_the_plugins_own_limit_is_a_broken_promise() {
    let found = entry(wit_entry(&"x".repeat(LIMIT + 1)), || NOW, LIMIT);
    assert_eq!(found.unwrap_err().kind(), ErrorKind::Plugin);
}

#[test]
fn an_entry_without_time_left_is_expired() {
    let expired = WitEntry { expires_in_ms: Some(0), ..wit_entry("v") };
    assert_eq!(entry(expired, || NOW, LIMIT).unwrap(), None);
    let short = WitEntry { expires_in_ms: Some(5), ..wit_entry("v") };
    assert_eq!(entry(short, || NOW, LIMIT).unwrap().unwrap().expires_at, Some(Timestamp(1_005)));
}

#[test]
fn outcomes_fit_their_writes_or_the_commit_is_in_doubt() {
    let key = |text: &str| Key::new(text).unwrap();
    let commit = Commit::new().put(key("a"), "1").delete(key("b")).add(key("c"), 1);
    let good = vec![WitOutcome::Written(1), WitOutcome::Deleted(true), WitOutcome::Added(1)];
    let expected = vec![Outcome::Written(Version(1)), Outcome::Deleted(true), Outcome::Added(1)];
    assert_eq!(outcomes(good.clone(), &commit).unwrap(), expected);
    let mut swapped = good.clone();
    swapped.swap(0, 1);
    for bad in [swapped, good[..2].to_vec(), Vec::new()] {
        let error = outcomes(bad, &commit).unwrap_err();
        assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Plugin, true));
    }
}

#[test]
fn a_description_past_the_contracts_limits_is_refused() {
    let good = WitDescription {
        features: Features::SCAN | Features::TTL,
        instances: Instances::One,
        max_key_bytes: 100,
        max_value_bytes: 1_000,
    };
    let described = description(&good).unwrap();
    assert_eq!(described.capabilities, Capabilities::SCAN | Capabilities::TTL);
    assert_eq!(description_to_guest(described).features, good.features);
    for (key, value) in [(0, 1), (1, 0), (2_049, 1), (1, (8 << 20) + 1)] {
        let bad = WitDescription { max_key_bytes: key, max_value_bytes: value, ..good.clone() };
        assert_eq!(description(&bad).unwrap_err().kind(), ErrorKind::Plugin);
    }
}

#[test]
fn a_guests_text_is_cut_and_forges_no_line() {
    assert_eq!(printable("a\nERROR b\u{1b}[31m", 100), "a ERROR b [31m");
    assert_eq!(printable("ää", 3), "ä");
}

#[test]
fn errors_keep_their_kind_and_effect_through_a_layer() {
    let unknown = Error::new(ErrorKind::Timeout, "slow").effect(Effect::Unknown);
    let cases = [
        (Error::invalid("x"), ErrorKind::Invalid, false),
        (Error::unsupported("x"), ErrorKind::Unsupported, false),
        (Error::conflict("x", "k"), ErrorKind::Conflict, false),
        (Error::new(ErrorKind::Corrupt, "x"), ErrorKind::Corrupt, false),
        (Error::new(ErrorKind::Unavailable, "x"), ErrorKind::Unavailable, false),
        (unknown, ErrorKind::Unavailable, true),
    ];
    for (error, kind, is_unknown) in cases {
        let back = error_from_guest(error_to_guest(&error), Access::Writes);
        assert_eq!((back.kind(), back.is_effect_unknown()), (kind, is_unknown), "{error}");
    }
    let conflict = error_from_guest(WitError::Conflict("k".into()), Access::Writes);
    assert_eq!(conflict.context("key"), Some("k"));
}

#[test]
fn a_failed_write_of_kind_other_is_in_doubt_and_a_failed_read_is_not() {
    for (access, in_doubt) in [(Access::Writes, true), (Access::Reads, false)] {
        assert_eq!(error_from_guest(WitError::Other("x".into()), access).is_effect_unknown(), in_doubt);
    }
}

#[test]
fn a_time_to_live_is_rounded_up_on_its_way_into_a_guest() {
    let key = Key::new("a").unwrap();
    let commit = Commit::new().put_with_ttl(key, "1", Duration::from_micros(1_500));
    let (_, writes) = commit_to_guest(&commit);
    assert!(matches!(&writes[0].change, WitChange::Put(WitPut { ttl_ms: Some(2), .. })));
    let back = commit_from_guest(Vec::new(), writes).unwrap();
    assert!(
        matches!(back.writes[0].change, Change::Put { ttl: Some(ttl), .. } if ttl == Duration::from_millis(2))
    );
}
