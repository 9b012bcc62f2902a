//! Reading a table: which keys it may have, and what type each value is. Every refusal names the
//! key's whole path and what would be right.

use std::time::Duration;

use larder_core::{Error, Result};
use serde_json::{Map, Value};

use super::{Environment, Origin, reference::Text, units};

/// A table of the configuration and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    map: &'a Map<String, Value>,
    origin: &'a Origin,
    environment: &'a Environment,
    path: Path<'a>,
}

#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Below(&'a str),
}

impl<'a> Table<'a> {
    /// The whole configuration.
    pub(super) fn root(
        map: &'a Map<String, Value>,
        origin: &'a Origin,
        environment: &'a Environment,
        known: &[&str],
    ) -> Result<Self> {
        let table = Self { map, origin, environment, path: Path::Root };
        table.deny_unknown(known)?;
        Ok(table)
    }

    /// Reads the table under `key` with `read`; none where there is nothing.
    pub(super) fn table<T>(
        &self,
        key: &str,
        known: &[&str],
        read: impl FnOnce(&Table<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        self.any_table(key, |table| {
            table.deny_unknown(known)?;
            read(table)
        })
    }

    /// Reads a table whose keys are names that the user chose.
    pub(super) fn any_table<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Table<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(map)) => {
                let path = self.at(key);
                let table = Table {
                    map,
                    origin: self.origin,
                    environment: self.environment,
                    path: Path::Below(&path),
                };
                read(&table).map(Some)
            }
            Some(other) => Err(self.wrong(key, "a table", other)),
        }
    }

    /// The text under `key` if there is text and no table: how a URL stands where a table would.
    pub(super) fn text_instead(&self, key: &str) -> Option<&'a str> {
        self.map.get(key)?.as_str()
    }

    /// The keys, in their order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.map.keys().map(String::as_str)
    }

    /// The tables of a list, each read with `read`.
    pub(super) fn tables<T>(
        &self,
        key: &str,
        known: &[&str],
        read: impl Fn(&Table<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let items = match self.map.get(key) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(self.wrong(key, "a list of tables", other)),
        };
        let (origin, environment) = (self.origin, self.environment);
        items
            .iter()
            .enumerate()
            .map(|(i, item)| {
                let Value::Object(map) = item else {
                    return Err(self.wrong(&format!("{key}[{i}]"), "a table", item));
                };
                let path = self.at(&format!("{key}[{i}]"));
                let table = Table { map, origin, environment, path: Path::Below(&path) };
                table.deny_unknown(known)?;
                read(&table)
            })
            .collect()
    }

    /// A list of which each item is a text or a table, each read in its way; from the environment, texts parted by commas.
    pub(super) fn texts_or_tables<T>(
        &self,
        key: &str,
        known: &[&str],
        of_text: impl Fn(&str) -> T,
        read: impl Fn(&Table<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let Some(Value::Array(items)) = self.map.get(key) else {
            return Ok(self.texts(key)?.iter().map(|text| of_text(text)).collect());
        };
        let item = |(i, item): (usize, &Value)| {
            let at = format!("{key}[{i}]");
            match item {
                Value::String(text) => Ok(of_text(text)),
                Value::Object(map) => {
                    let path = self.at(&at);
                    let table = Table { map, path: Path::Below(&path), ..*self };
                    table.deny_unknown(known)?;
                    read(&table)
                }
                other => Err(self.wrong(&at, "text or a table", other)),
            }
        };
        items.iter().enumerate().map(item).collect()
    }

    /// Text as it was typed, references and all.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => {
                Err(self.refuse(key, "expected text, found an empty one".to_owned()))
            }
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong(key, "text", other)),
        }
    }

    /// Text, or `off`, which YAML reads as `false` where nobody quotes it.
    pub(super) fn text_or_off(&self, key: &str) -> Result<Option<String>> {
        match self.map.get(key) {
            Some(Value::Bool(false)) => Ok(Some("off".to_owned())),
            _ => self.text(key),
        }
    }

    /// A setting for a plugin: text, a number or a truth value, handed over as text.
    pub(super) fn setting(&self, key: &str) -> Result<String> {
        match self.map.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => Ok(value.to_string()),
            other => Err(self.wrong(key, "text, a number or true/false", other.unwrap_or(&Value::Null))),
        }
    }

    /// A list of texts; from the environment, parted by commas.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(i, item)| match item {
                    Value::String(text) => Ok(text.clone()),
                    other => Err(self.wrong(&format!("{key}[{i}]"), "text", other)),
                })
                .collect(),
            Some(Value::String(text)) if self.origin.variable(&self.at(key)).is_some() => Ok(text
                .split(',')
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect()),
            Some(other) => Err(self.wrong(key, "a list of texts", other)),
        }
    }

    /// One of several words.
    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.typed_text(key)? else {
            return match self.map.get(key) {
                None | Some(Value::Null) => Ok(None),
                Some(other) => Err(self.wrong(key, &one_of(words), other)),
            };
        };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => Err(self.refuse(key, format!("expected {}, found `{text}`", one_of(words)))),
        }
    }

    /// `true` or `false`.
    pub(super) fn truth(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "true or false", |value| value.as_bool(), |text| text.parse().ok())
    }

    /// A whole number from 0 to `max`.
    pub(super) fn number(&self, key: &str, max: u64) -> Result<Option<u64>> {
        let number = self.typed(key, "a whole number", Value::as_u64, |text| text.parse().ok())?;
        match number {
            Some(number) if number > max => {
                Err(self.refuse(key, format!("expected a whole number up to {max}, found {number}")))
            }
            number => Ok(number),
        }
    }

    /// Seconds as a number, or text with a unit.
    pub(super) fn duration(&self, key: &str) -> Result<Option<Duration>> {
        self.typed(key, units::DURATION, |value| value.as_f64().and_then(units::seconds), units::duration)
    }

    /// Bytes as a number, or text with a unit.
    pub(super) fn size(&self, key: &str) -> Result<Option<u64>> {
        self.typed(key, units::BYTES, Value::as_u64, units::size)
    }

    /// A value of a type other than text. Text is read as one if the file means it (`"30s"`), if it
    /// came from a variable, and after its references are put in.
    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        plain: impl Fn(&Value) -> Option<T>,
        from_text: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.map.get(key).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let units = expected == units::DURATION || expected == units::BYTES;
        let read = match self.typed_text(key)? {
            Some(text) if units || self.may_be_text(key, value) => from_text(text.trim()),
            Some(_) => None,
            None => plain(value),
        };
        // Such a value is no secret, so what was typed can be shown.
        read.map(Some).ok_or_else(|| match value {
            Value::String(text) => self.refuse(key, format!("expected {expected}, found {text:?}")),
            other => self.wrong(key, expected, other),
        })
    }

    fn may_be_text(&self, key: &str, value: &Value) -> bool {
        let reference = value.as_str().is_some_and(|text| Text(text).is_reference());
        reference || self.origin.variable(&self.at(key)).is_some()
    }

    fn typed_text(&self, key: &str) -> Result<Option<String>> {
        match self.map.get(key) {
            Some(Value::String(text)) => {
                let expanded = Text(text).expand(self.environment);
                expanded.map(Some).map_err(|error| self.origin.explain(error, &self.at(key)))
            }
            _ => Ok(None),
        }
    }

    fn deny_unknown(&self, known: &[&str]) -> Result<()> {
        let Some(unknown) = self.map.keys().find(|key| !known.contains(&key.as_str())) else {
            return Ok(());
        };
        let nearest = nearest(unknown, known.iter().copied()).unwrap_or_default();
        let message =
            format!("unknown key `{unknown}`; did you mean `{nearest}`? (known here: {})", known.join(", "));
        match self.origin.variable_inside(&self.at(unknown)) {
            Some(variable) => Err(self.refuse(unknown, message).with("variable", variable)),
            None => Err(self.refuse(unknown, message)),
        }
    }

    /// Refuses the value of a key, in a sentence.
    pub(super) fn refuse(&self, key: &str, message: String) -> Error {
        self.origin.explain(Error::config(message), &self.at(key))
    }

    fn wrong(&self, key: &str, expected: &str, found: &Value) -> Error {
        self.refuse(key, format!("expected {expected}, found {}", describe(found)))
    }

    fn at(&self, key: &str) -> String {
        match self.path {
            Path::Root => key.to_owned(),
            Path::Below(path) => format!("{path}.{key}"),
        }
    }
}

/// The name most like `typed`.
pub(crate) fn nearest<'k>(typed: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known.min_by_key(|name| strsim::damerau_levenshtein(&typed.to_ascii_lowercase(), name))
}

/// What was found, without what a text says: it may be a secret.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(truth) => format!("`{truth}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
    }
}

fn one_of<T>(words: &[(&str, T)]) -> String {
    let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
    words.join(" or ")
}
