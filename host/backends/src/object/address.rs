//! URLs of stores, taken apart: `scheme://place/prefix?name=value`.
//!
//! A `+` stays a `+`: secrets have them, and the rule of HTML forms would turn them into spaces.

use std::collections::BTreeMap;

use larder_core::{Error, Result};
use percent_encoding::percent_decode_str;

/// A URL of a store.
pub(super) struct Address {
    pub(super) scheme: String,
    /// What comes before the query, as it was given.
    pub(super) base: String,
    /// A bucket, a container, a host.
    pub(super) place: String,
    /// The path without its first `/`, decoded.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
}

impl Address {
    /// # Errors
    /// `config`, with what would be right and without the URL, which may hold secrets.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let Some((scheme, rest)) = base.split_once("://") else {
            return Err(Error::config("not a URL: expected `scheme://bucket/prefix?name=value`"));
        };
        let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
        if place.contains('@') {
            return Err(Error::config(
                "credentials do not stand before the `@` of this URL: give them by name behind the `?`, or leave \
                 them to the environment",
            ));
        }
        let mut pairs = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name)?;
            let value = decoded(value)?;
            if pairs.insert(name.clone(), value).is_some() {
                return Err(Error::config(format!("the URL names `{}` twice", name.escape_debug())));
            }
        }
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            base: base.to_owned(),
            place: decoded(place)?,
            path: decoded(path)?,
            query: pairs,
        })
    }
}

fn decoded(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| Error::config("the URL holds `%` escapes that are no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_falls_into_its_parts() {
        let address = Address::parse("S3://b.c/a%20b/c/?x=1&y=a+b%2Fc&z").unwrap();
        assert_eq!(
            (address.scheme.as_str(), address.place.as_str(), address.path.as_str()),
            ("s3", "b.c", "a b/c/")
        );
        let query: Vec<_> =
            address.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(query, [("x", "1"), ("y", "a+b/c"), ("z", "")]);
        assert_eq!(Address::parse("s3://b").unwrap().path, "");
    }

    #[test]
    fn what_is_wrong_is_told_without_secrets() {
        for url in ["b/secret", "s3://key:secret@b/", "s3://b?a=secret&a=secret", "s3://b?secret=%ff"] {
            let error = Address::parse(url).err().unwrap().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
