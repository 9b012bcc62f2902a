//! The seam for environment variables: everything behind it asks this value, never the process.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
};

use larder_core::{Error, Result};

/// A set of environment variables. Empty by default, so that nothing depends on the machine unless
/// the caller says so.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The variables of this process, as they are now.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The value of a variable that a configuration refers to.
    ///
    /// # Errors
    /// `config` where it is not set or not UTF-8.
    pub(crate) fn required(&self, name: &str) -> Result<&str> {
        let value = self.0.get(OsString::from(name).as_os_str()).ok_or_else(|| {
            Error::config(format!("the environment variable `{name}` is not set; set it, or write the value"))
        })?;
        value
            .to_str()
            .ok_or_else(|| Error::config(format!("the environment variable `{name}` is not UTF-8 text")))
    }

    /// The value of a variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Variables whose names begin with `prefix`, without it. Values that are not UTF-8 come back as none.
    pub(crate) fn with_prefix<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.0
            .iter()
            .filter_map(move |(name, value)| Some((name.to_str()?.strip_prefix(prefix)?, value.to_str())))
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

// Values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}
