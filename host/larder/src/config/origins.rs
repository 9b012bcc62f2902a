//! `plugins.NAME.grants.http`: origins, each a text or a table with the headers that the host adds.

use std::{collections::BTreeMap, fmt};

use larder_core::Result;

use super::{reference::Text, table::Table};

/// An entry of `plugins.NAME.grants.http`.
#[derive(Clone, Default, PartialEq)]
pub struct HttpSection {
    /// The origin, such as `https://api.example.org`, perhaps with a path; references are not read.
    pub url: String,
    /// Headers that the host adds and the plugin never sees: each value has a reference, `${VAR}` or `file:PATH`.
    pub headers: BTreeMap<String, String>,
    /// A file of PEM with the authorities that the server's certificate is verified with, in place of the system's.
    pub ca: Option<String>,
}

impl fmt::Debug for HttpSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: BTreeMap<_, _> =
            self.headers.iter().map(|(name, value)| (name, Text(value).to_string())).collect();
        f.debug_struct("HttpSection")
            .field("url", &self.url)
            .field("headers", &headers)
            .field("ca", &self.ca)
            .finish()
    }
}

const KEYS: [&str; 3] = ["url", "headers", "ca"];

pub(super) fn read(grants: &Table<'_>) -> Result<Vec<HttpSection>> {
    let of_text = |url: &str| HttpSection { url: url.to_owned(), ..HttpSection::default() };
    grants.texts_or_tables("http", &KEYS, of_text, |table| {
        let url = table.text("url")?.ok_or_else(|| {
            table.refuse("url", "missing: the origin, such as https://api.example.org".to_owned())
        })?;
        let headers = table.any_table("headers", |headers| {
            headers.keys().map(|name| Ok((name.to_owned(), headers.setting(name)?))).collect()
        });
        Ok(HttpSection { url, headers: headers?.unwrap_or_default(), ca: table.text("ca")? })
    })
}
