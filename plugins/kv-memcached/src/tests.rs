//! Names of keys, envelopes, and what memcached is told about times.

use std::collections::BTreeSet;

use larder_sdk::{Error, Settings, kv::KvBackend as _};

use crate::{
    KvMemcached,
    address::Address,
    envelope::{Envelope, Head, kept_for, seal, value_bytes_max},
    key::Keys,
};

#[test]
fn two_keys_have_two_names_that_memcached_takes() {
    let keys = Keys::new("larder:").unwrap();
    let long = "\u{1f9c0}".repeat(keys.key_bytes_max() as usize / 4);
    let plain = "k".repeat(keys.key_bytes_max() as usize);
    let cases = [
        "a",
        "A",
        " ",
        "a b",
        "a\r\nb",
        "=a",
        "~a",
        "YSBi",
        "~YSBi",
        "\u{0}",
        "\u{7f}",
        "k\u{e4}se",
        &long,
        &plain,
    ];
    let names: BTreeSet<String> = cases.iter().map(|key| keys.encode(key)).collect();
    assert_eq!(names.len(), cases.len());
    for name in names {
        assert!(name.len() <= 250 && name.bytes().all(|b| b.is_ascii_graphic()), "{name:?}");
    }
    assert_eq!(keys.encode("https://example.org/a?b=%20"), "larder:=https://example.org/a?b=%20");
    for prefix in ["a b", "a\n", "\u{e4}", &"p".repeat(101)] {
        assert!(matches!(Keys::new(prefix), Err(Error::Invalid(text)) if text.contains("`prefix`")));
    }
}

#[test]
fn an_envelope_is_opened_to_what_was_sealed_and_nothing_else_is() {
    for head in [Head { version: 7, expires_at_ms: None }, Head { version: u64::MAX, expires_at_ms: Some(1) }]
    {
        for value in [&b""[..], b"x", &[0; 1_000]] {
            let sealed = seal(head, value);
            assert_eq!(Envelope::open(sealed.clone()), Ok(Envelope { head, value: value.to_vec() }));
            for cut in 0..20 {
                assert!(matches!(Envelope::open(sealed[..cut].to_vec()), Err(Error::Corrupt(_))));
            }
        }
    }
    assert!(matches!(Envelope::open(b"somebody else's value".to_vec()), Err(Error::Corrupt(_))));
    assert!(
        value_bytes_max(1 << 20) > 1_040_000
            && value_bytes_max(u32::MAX) == 8 << 20
            && value_bytes_max(3) == 0
    );
}

#[test]
fn memcached_never_drops_an_entry_before_it_expires() {
    assert_eq!(kept_for(1_001, 1_000), Some(61));
    assert_eq!(kept_for(2_001, 1_000), Some(62));
    // A larger number would be read as a date, in 1970.
    assert_eq!(kept_for(30 * 24 * 3_600_000, 0), None);
}

#[test]
fn settings_are_read_or_refused_by_name() {
    assert_eq!("[::1]:80".parse(), Ok(Address { host: "::1".into(), port: 80 }));
    for bad in ["", "host", "host:0", ":1", "::1:1"] {
        assert!(bad.parse::<Address>().is_err(), "{bad}");
    }
    let refused = |settings: &[(&str, &str)]| {
        let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        match KvMemcached::configure(Settings::new(settings)) {
            Err(Error::Invalid(text)) => text,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(&[]).contains("`address`"));
    assert!(refused(&[("address", "x")]).contains("`address`"));
    assert!(refused(&[("address", "127.0.0.1:1"), ("timeout_ms", "0")]).contains("`timeout_ms`"));
    assert!(refused(&[("address", "127.0.0.1:1"), ("adress", "x")]).contains("`adress`"));
}
