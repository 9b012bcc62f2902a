//! Keys, headers, and what was stored before there were several keys.

use super::*;

const OLD: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const NEW: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// Written by the version that knew one key alone, under [`OLD`]: key, value, what was stored.
const WRITTEN_BEFORE: [(&str, &str, &str); 3] = [
    (
        "https://example.org/",
        "written by larder 0.1",
        "01abda8c0e392ad9868a3003c611061badc55739a4c68d156468b812568611168f54245e804444c2806f9ddc65\
         e7741ad6edd8bd57452ea053ff7fd2e678",
    ),
    ("empty", "", "018e226ad8801d3bb668f7f5bef0960b48cbae1c0131ab11c5cffd020e4e5b79f30058c0138bc4016d"),
    ("n", "41", "0125421eb27667d7447aac80a21a49bff16f945b5ff33b8e18431f35c50101f5eabed19453b1cdb2c9c715"),
];

fn ring<const N: usize>(settings: [(&str, &str); N]) -> KeyRing {
    let mut settings = Settings::from(settings);
    let ring = KeyRing::configure(&mut settings).unwrap();
    settings.finish().unwrap();
    ring
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn rings() -> [KeyRing; 2] {
    [ring([("key", OLD)]), ring([("key.new", NEW), ("current", "new")])]
}

#[test]
fn what_was_written_before_there_were_several_keys_is_read_with_and_without_others() {
    for (key, value, stored) in WRITTEN_BEFORE {
        let stored = bytes(stored);
        for ring in [
            ring([("key", OLD)]),
            ring([("key", OLD), ("key.new", NEW)]),
            ring([("key", OLD), ("key.new", NEW), ("current", "new")]),
        ] {
            assert_eq!(ring.open(key, &stored).unwrap(), value.as_bytes());
            assert!(matches!(ring.open("other", &stored), Err(Error::Corrupt(_))));
        }
        let without = ring([("key.new", NEW), ("current", "new")]);
        assert!(
            matches!(without.open(key, &stored), Err(Error::Denied(text)) if text.contains("setting `key`"))
        );
    }
}

#[test]
fn without_a_current_key_the_format_is_the_one_of_before() {
    let ring = ring([("key", OLD), ("key.new", NEW)]);
    let stored = ring.seal("a", b"value").unwrap();
    assert_eq!((stored.len(), stored[0], ring.overhead_bytes()), (5 + 41, 1, 41));
}

#[test]
fn what_was_sealed_opens_under_its_key_alone() {
    for ring in rings() {
        for value in [&b""[..], b"x", &[0; 100_000]] {
            let stored = ring.seal("a", value).unwrap();
            assert_eq!(stored.len(), value.len() + ring.overhead_bytes());
            assert_eq!(ring.open("a", &stored).unwrap(), value);
            assert!(matches!(ring.open("b", &stored), Err(Error::Corrupt(text)) if text.contains("`b`")));
        }
    }
}

#[test]
fn no_changed_and_no_cut_value_opens() {
    for ring in rings() {
        let stored = ring.seal("a", b"value").unwrap();
        for at in 0..stored.len() {
            for bit in 0..8 {
                let mut changed = stored.clone();
                changed[at] ^= 1 << bit;
                let error = ring.open("a", &changed).unwrap_err();
                assert!(
                    matches!(error, Error::Corrupt(_) | Error::Denied(_)),
                    "bit {bit} of byte {at}: {error}"
                );
            }
            let cut = ring.open("a", &stored[..at]).unwrap_err();
            assert!(matches!(cut, Error::Corrupt(_)), "cut at {at}: {cut}");
        }
    }
}

#[test]
fn a_header_that_names_another_key_or_format_opens_nothing_even_where_the_keys_are_the_same() {
    let both = ring([("key", NEW), ("key.aaa", NEW), ("key.bbb", NEW), ("current", "aaa")]);
    let stored = both.seal("a", b"value").unwrap();
    let mut renamed = stored.clone();
    renamed[2..5].copy_from_slice(b"bbb");
    assert!(matches!(both.open("a", &renamed), Err(Error::Corrupt(text)) if text.contains("`key.bbb`")));
    let unnamed = [&[1], &stored[5..]].concat();
    assert!(matches!(both.open("a", &unnamed), Err(Error::Corrupt(text)) if text.contains("setting `key`")));
    // The name and the key of the entry don't run into each other.
    let shifted = [&[2, 2], &stored[2..4], &stored[5..]].concat();
    let ring = ring([("key.aa", NEW), ("current", "aa")]);
    assert!(matches!(ring.open("aa", &shifted), Err(Error::Corrupt(_))));
}

#[test]
fn a_key_that_is_not_given_is_named_and_a_wrong_one_of_the_right_name_is_corrupt() {
    let stored = ring([("key.2025", OLD), ("current", "2025")]).seal("a", b"value").unwrap();
    let removed = ring([("key.2026", NEW), ("current", "2026")]);
    assert!(
        matches!(removed.open("a", &stored), Err(Error::Denied(text)) if text.contains("`key.2025`") && text.contains("`a`"))
    );
    let wrong = ring([("key.2025", NEW), ("current", "2025")]);
    assert!(matches!(wrong.open("a", &stored), Err(Error::Corrupt(text)) if text.contains("`key.2025`")));
}

#[test]
fn a_name_that_no_configuration_has_is_shown_to_nobody() {
    let long = "a".repeat(33);
    for id in ["", "a b", "ä", "a\n", &long] {
        let header = named_header(id);
        let stored = [&header[..], &[0; 64]].concat();
        let error = rings()[1].open("k", &stored).unwrap_err();
        assert!(matches!(&error, Error::Corrupt(text) if !text.contains("setting")), "{error}");
        let refused = KeyRing::configure(&mut Settings::new(vec![(format!("key.{id}"), NEW.into())]));
        assert!(matches!(refused, Err(Error::Invalid(text)) if text.contains("letters")));
    }
}

#[test]
fn what_is_missing_among_the_settings_is_named_and_no_key_is_shown() {
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[], "`key`"),
        (&[("key.new", NEW)], "`current`"),
        (&[("key", OLD), ("current", "new")], "`current`"),
        (&[("key.new", &NEW[1..]), ("current", "new")], "`key.new`"),
        (&[("key", &OLD[1..])], "`key`"),
    ];
    for (settings, named) in cases {
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let error = KeyRing::configure(&mut Settings::new(settings)).unwrap_err();
        let Error::Invalid(text) = &error else { panic!("{error}") };
        assert!(text.contains(named) && !text.contains(&NEW[2..20]) && !text.contains(&OLD[2..20]), "{text}");
    }
}
