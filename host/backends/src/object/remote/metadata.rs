//! Metadata on its way through HTTP headers, which hold printable ASCII and nothing else.
//!
//! A value that a header can't hold as it stands travels as one encoded word of RFC 2047 (`=?UTF-8?B?…?=`), which
//! is how S3 itself tells such values, so that other clients understand it. Anything else travels as it is.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use opendal::{Error, ErrorKind, Metadata, Result};

use super::Traits;

/// The name under which a write that may have to be recognised carries its token. Letters alone: Azure allows no
/// others.
pub(super) const TOKEN: &str = "larderwrite";

const WORD_BEGIN: &str = "=?UTF-8?B?";
const WORD_END: &str = "?=";

/// A token that no other write has, in this process or another.
pub(super) fn token() -> String {
    // The standard library's hasher is seeded at random, which is all that telling writes apart needs.
    static PROCESS: LazyLock<(u64, u64)> = LazyLock::new(|| {
        (RandomState::new().hash_one(std::process::id()), RandomState::new().hash_one("larder"))
    });
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}{:016x}-{number:x}", PROCESS.0, PROCESS.1)
}

/// User metadata as the service keeps it.
///
/// # Errors
/// `Unsupported` for a name that is no lower-case header name, which the service would change or refuse, and where
/// there is more of it than the service keeps.
pub(super) fn encode<'a>(
    user: impl IntoIterator<Item = (&'a str, &'a str)>,
    traits: &Traits,
) -> Result<HashMap<String, String>> {
    let unsupported = |what: String| Err(Error::new(ErrorKind::Unsupported, what));
    let mut encoded = HashMap::new();
    let mut bytes = 0;
    for (name, value) in user {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            return unsupported(format!(
                "the blob store keeps names of user metadata in lower-case letters, digits, `-`, `_` and `.` \
                 alone; {name:?} is none"
            ));
        }
        if name == TOKEN {
            return unsupported(format!("user metadata can't be named {TOKEN}: larder's own is kept there"));
        }
        let value = if travels_as_it_is(value) { value.to_owned() } else { word(value) };
        bytes += name.len() + value.len();
        encoded.insert(name.to_owned(), value);
    }
    if bytes > traits.user_metadata_bytes_max {
        return unsupported(format!(
            "the blob store keeps {} bytes of user metadata, not {bytes}",
            traits.user_metadata_bytes_max
        ));
    }
    Ok(encoded)
}

/// Metadata as it was written: without what the service or this layer made up.
pub(super) fn decode(metadata: Metadata, traits: &Traits) -> Metadata {
    let made_up =
        traits.default_content_type.is_some() && metadata.content_type() == traits.default_content_type;
    let has_user = metadata.user_metadata().is_some_and(|user| !user.is_empty());
    if !made_up && !has_user {
        return metadata;
    }
    let user: Vec<(String, String)> = metadata
        .user_metadata()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != TOKEN)
        .map(|(name, value)| (name.to_owned(), unword(value).unwrap_or_else(|| value.to_owned())))
        .collect();
    let mut builder = opendal::MetadataBuilder::unknown();
    if metadata.is_file() {
        builder.set_file(metadata.content_length());
    } else if metadata.is_dir() {
        builder.set_dir();
    }
    builder.is_current(metadata.is_current()).is_deleted(metadata.is_deleted());
    if let Some(value) = metadata.content_type().filter(|_| !made_up) {
        builder.content_type(value);
    }
    if let Some(value) = metadata.etag() {
        builder.etag(value);
    }
    if let Some(value) = metadata.last_modified() {
        builder.last_modified(value);
    }
    if let Some(value) = metadata.version() {
        builder.version(value);
    }
    if let Some(value) = metadata.content_md5() {
        builder.content_md5(value);
    }
    if let Some(value) = metadata.content_encoding() {
        builder.content_encoding(value);
    }
    if let Some(value) = metadata.content_disposition() {
        builder.content_disposition(value);
    }
    if let Some(value) = metadata.cache_control() {
        builder.cache_control(value);
    }
    if !user.is_empty() {
        builder.user_metadata(user);
    }
    builder.build()
}

/// Whether a value survives a header: printable ASCII without white space at its ends, not empty (some services
/// drop it then), and nothing that reads like an encoded word.
fn travels_as_it_is(value: &str) -> bool {
    !value.is_empty()
        && value.trim() == value
        && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && !value.starts_with("=?")
}

fn word(value: &str) -> String {
    format!("{WORD_BEGIN}{}{WORD_END}", BASE64_STANDARD.encode(value))
}

/// What an encoded word of ours says; none where it is no such word.
fn unword(value: &str) -> Option<String> {
    let inner = value.strip_prefix(WORD_BEGIN)?.strip_suffix(WORD_END)?;
    String::from_utf8(BASE64_STANDARD.decode(inner).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAITS: Traits = Traits {
        default_content_type: Some("binary/octet-stream"),
        key_bytes_max: 1_024,
        user_metadata_bytes_max: 2_048,
        parts_max: 10_000,
    };

    fn through(value: &str) -> String {
        let encoded = encode([("name", value)], &TRAITS).unwrap();
        let kept = encoded.get("name").unwrap();
        assert!(kept.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && !kept.is_empty(), "{kept:?}");
        let mut builder = opendal::MetadataBuilder::file(1);
        builder.user_metadata(encoded).content_type("binary/octet-stream").etag("\"e\"");
        let metadata = decode(builder.build(), &TRAITS);
        assert_eq!(metadata.content_type(), None);
        assert_eq!(metadata.etag(), Some("\"e\""));
        metadata.user_metadata().unwrap().get("name").unwrap().to_owned()
    }

    #[test]
    fn any_text_comes_back_as_it_went() {
        for value in
            ["plain", "", " a ", "a\nb", "ä?b", "日本語", "=?UTF-8?B?YQ==?=", "=?", "a", "ab", "abc", "abcd"]
        {
            assert_eq!(through(value), value);
        }
    }

    #[test]
    fn a_plain_value_is_told_as_it_is_and_a_broken_word_too() {
        assert_eq!(encode([("a", "http://a/?b=c")], &TRAITS).unwrap()["a"], "http://a/?b=c");
        assert_eq!(word("ä"), "=?UTF-8?B?w6Q=?=");
        for broken in ["=?UTF-8?B?w6Q?=", "=?UTF-8?B?/w==?=", "=?UTF-8?B?====?=", "=?UTF-8?B?ä===?="] {
            assert_eq!(unword(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_a_header_cannot_name_is_refused() {
        for (name, value) in
            [("Upper", "x"), ("a b", "x"), ("ä", "x"), ("", "x"), (TOKEN, "x"), ("a", &"x".repeat(2_048))]
        {
            assert_eq!(
                encode([(name, value)], &TRAITS).unwrap_err().kind(),
                ErrorKind::Unsupported,
                "{name}"
            );
        }
    }

    #[test]
    fn no_two_tokens_are_the_same() {
        let tokens: std::collections::HashSet<String> = (0..1_000).map(|_| token()).collect();
        assert_eq!(tokens.len(), 1_000);
    }
}
