//! What a guest returns is checked before anyone builds on it.

use larder_core::{ErrorKind, limits::BLOB_METADATA_BYTES_MAX};

use super::convert::{self, PAGE_ENTRIES_MAX, TOKEN_BYTES_MAX};
use crate::bindings::blob::{Features, Instances, WitDescription, WitListed, WitMetadata, WitPage};

fn metadata(size: u64) -> WitMetadata {
    WitMetadata { size, etag: None, content_type: None, modified_ms: None, user: Vec::new() }
}

fn page(paths: &[&str]) -> WitPage {
    let listed = |path: &&str| WitListed { path: (*path).to_owned(), metadata: metadata(1) };
    WitPage { entries: paths.iter().map(listed).collect(), next: None }
}

#[test]
fn a_page_ascends_below_its_prefix_behind_the_last_one() {
    assert_eq!(convert::page(page(&["a/b", "a/c"]), "a/", Some("a/a")).unwrap().len(), 2);
    for (paths, last) in [
        (&["a/c", "a/b"][..], None),
        (&["a/b", "a/b"][..], None),
        (&["a/b"][..], Some("a/b")),
        (&["b"][..], None),
        (&["a/../b"][..], None),
        (&["a//b"][..], None),
        (&["a/b//"][..], None),
        (&["a/ "][..], None),
    ] {
        let error = convert::page(page(paths), "a/", last).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Plugin, "{paths:?}");
    }
    let many: Vec<String> = (0..=PAGE_ENTRIES_MAX).map(|number| format!("a/{number:06}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(convert::page(page(&many), "a/", None).is_err());
    let endless = WitPage { next: Some("x".repeat(TOKEN_BYTES_MAX + 1).into()), ..page(&[]) };
    assert!(convert::page(endless, "", None).is_err());
}

#[test]
fn metadata_that_would_be_opendals_end_is_refused() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let kept = convert::metadata(WitMetadata { user: vec![pair("a", "1")], ..metadata(5) }).unwrap();
    assert_eq!(kept.content_length(), 5);
    for bad in [
        WitMetadata { user: vec![pair("a", "1"), pair("a", "2")], ..metadata(0) },
        WitMetadata { user: vec![pair("a", &"x".repeat(BLOB_METADATA_BYTES_MAX))], ..metadata(0) },
        WitMetadata { content_type: Some("x".repeat(1 << 20)), ..metadata(0) },
        WitMetadata { etag: Some("x".repeat(1 << 20)), ..metadata(0) },
        WitMetadata { modified_ms: Some(u64::MAX), ..metadata(0) },
    ] {
        assert_eq!(convert::metadata(bad).unwrap_err().kind(), ErrorKind::Plugin);
    }
}

#[test]
fn a_write_that_answers_another_size_may_have_happened() {
    assert!(convert::written(metadata(5), 5).is_ok());
    let error = convert::written(metadata(4), 5).unwrap_err();
    assert!(error.is_effect_unknown());
}

#[test]
fn part_sizes_make_sense() {
    let about = |part_bytes_min, part_bytes_max| {
        let (features, instances) = (Features::MULTIPART, Instances::Many);
        convert::description(&WitDescription { features, instances, part_bytes_min, part_bytes_max })
    };
    assert!(
        about(0, 8 << 20).is_ok_and(|about| about.has(Features::MULTIPART) && !about.has(Features::COPY))
    );
    for (min, max) in [(0, 0), (2, 1), (0, (8 << 20) + 1)] {
        assert!(about(min, max).is_err(), "{min} to {max}");
    }
}
