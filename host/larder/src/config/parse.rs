//! YAML and TOML text into one tree.
//!
//! The parsers' own messages are cut down to message and place: they quote the line at fault, and a
//! line may hold a secret.

use std::path::Path;

use larder_core::{Error, Result};
use serde_json::Value;

/// A language of configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Yaml,
    Toml,
}

impl Format {
    pub(super) fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("yaml" | "yml") => Ok(Self::Yaml),
            Some("toml") => Ok(Self::Toml),
            _ => {
                Err(Error::config("expected a file named .yaml, .yml or .toml").with("file", path.display()))
            }
        }
    }

    pub(super) fn parse(self, text: &str) -> Result<Value> {
        match self {
            Self::Yaml => yaml(text),
            Self::Toml => toml(text),
        }
    }
}

fn yaml(text: &str) -> Result<Value> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location();
        let message = error.without_snippet().to_string();
        let message = message.lines().next().unwrap_or("not YAML").to_owned();
        let refusal = Error::config(format!("not YAML as it should be: {message}"));
        match place {
            Some(place) if !message.contains("line") => refusal.with("line", place.line()),
            _ => refusal,
        }
    })
}

fn toml(text: &str) -> Result<Value> {
    toml::from_str(text).map_err(|error| {
        let refusal = Error::config(format!("not TOML as it should be: {}", error.message()));
        match error.span() {
            Some(span) => {
                refusal.with("line", text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1)
            }
            None => refusal,
        }
    })
}
