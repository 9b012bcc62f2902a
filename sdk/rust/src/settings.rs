//! The plugin's table of settings, taken apart by name; what is left over is refused.

use std::{fmt, str::FromStr};

use crate::{Error, Result};

/// The plugin's settings from the configuration, as text.
///
/// Take each known setting, then call [`finish`](Settings::finish): the contract wants an unknown setting refused
/// by name, never ignored. `Debug` shows names only, since a value may be a secret.
///
/// ```
/// # use larder_sdk::{Error, Settings};
/// let mut settings = Settings::from([("folder", "/data"), ("limit", "10")]);
/// assert_eq!(settings.take("folder").as_deref(), Some("/data"));
/// assert_eq!(settings.parse("limit")?, Some(10_u32));
/// settings.finish()?;
///
/// let refused = Settings::from([("fodler", "/data")]).finish().unwrap_err();
/// assert!(matches!(refused, Error::Invalid(text) if text.contains("fodler")));
/// # Ok::<(), Error>(())
/// ```
pub struct Settings {
    entries: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl Settings {
    /// Settings by name and value.
    pub fn new(entries: Vec<(String, String)>) -> Self {
        Self { entries, known: Vec::new() }
    }

    /// A setting's text, where it is given.
    pub fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let at = self.entries.iter().position(|(known, _)| known == name)?;
        Some(self.entries.swap_remove(at).1)
    }

    /// A setting's text.
    ///
    /// # Errors
    /// `invalid`, naming the setting, where it is not given.
    pub fn require(&mut self, name: &'static str) -> Result<String> {
        self.take(name).ok_or_else(|| Error::invalid(format!("the setting `{name}` is missing")))
    }

    /// A setting as a number, or whatever else is read from text.
    ///
    /// # Errors
    /// `invalid`, naming the setting but not its text, where it can't be read.
    pub fn parse<T: FromStr>(&mut self, name: &'static str) -> Result<Option<T>>
    where
        T::Err: fmt::Display,
    {
        let Some(text) = self.take(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|why| Error::invalid(format!("the setting `{name}`: {why}")))
    }

    /// A setting that is one of a few words: answers the word's place in `words`.
    ///
    /// # Errors
    /// `invalid`, naming the setting and the words.
    pub fn one_of<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.take(name) else { return Ok(None) };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*meaning));
        }
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Err(Error::invalid(format!("the setting `{name}` is one of: {}", words.join(", "))))
    }

    /// The settings whose names begin with `prefix`, by the rest of their names and in the order of it.
    ///
    /// ```
    /// # use larder_sdk::Settings;
    /// let mut settings = Settings::from([("key.b", "2"), ("current", "b"), ("key.a", "1")]);
    /// assert_eq!(settings.take_below("key."), [("a".into(), "1".into()), ("b".into(), "2".into())]);
    /// ```
    pub fn take_below(&mut self, prefix: &'static str) -> Vec<(String, String)> {
        self.known.push(prefix);
        let (taken, left): (Vec<_>, _) =
            std::mem::take(&mut self.entries).into_iter().partition(|(name, _)| name.starts_with(prefix));
        self.entries = left;
        let rest =
            |(name, value): (String, String)| (name.chars().skip(prefix.chars().count()).collect(), value);
        let mut below: Vec<(String, String)> = taken.into_iter().map(rest).collect();
        below.sort();
        below
    }

    /// Refuses what was not taken.
    ///
    /// # Errors
    /// `invalid`, naming the settings that the plugin does not know and those that it does.
    pub fn finish(self) -> Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let unknown: Vec<&str> = self.entries.iter().map(|(name, _)| &**name).collect();
        let known = if self.known.is_empty() { "none".to_owned() } else { self.known.join(", ") };
        Err(Error::invalid(format!("unknown setting `{}` (known: {known})", unknown.join("`, `"))))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Settings {
    fn from(entries: [(&str, &str); N]) -> Self {
        Self::new(entries.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_shows_in_no_debug_and_no_error() {
        let mut settings = Settings::from([("key", "s3cret"), ("limit", "s3cret"), ("mode", "s3cret")]);
        assert!(!format!("{settings:?}").contains("s3cret"));
        assert!(!settings.parse::<u32>("limit").unwrap_err().to_string().contains("s3cret"));
        assert!(!settings.one_of("mode", &[("a", 1)]).unwrap_err().to_string().contains("s3cret"));
        assert!(!settings.finish().unwrap_err().to_string().contains("s3cret"));
    }

    #[test]
    fn a_missing_setting_is_named() {
        let error = Settings::from([]).require("key").unwrap_err();
        assert!(matches!(error, Error::Invalid(text) if text.contains("`key`")));
    }
}
