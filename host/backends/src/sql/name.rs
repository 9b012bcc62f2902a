//! Names of tables and schemas: any text a database can take, always quoted.

use std::fmt;

use larder_core::{Error, Result};

/// Longest name in bytes. PostgreSQL cuts longer ones off in silence, so that two of them would be one table.
const NAME_BYTES_MAX: usize = 63;

/// What larder keeps of its stores beside them; no store may be called so.
const RESERVED: [&str; 2] = [super::migrate::MIGRATIONS, super::migrate::VERSIONS];

/// A checked name.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Checks the name of a `table` or a `schema`.
    ///
    /// # Errors
    /// `config`, saying what is wrong with it.
    pub(super) fn new(what: &'static str, name: &str) -> Result<Self> {
        let refused = |why: String| Err(Error::config(format!("the {what} {name:?} {why}")));
        if name.is_empty() {
            return refused("is empty; a name such as \"larder\" is expected".to_owned());
        }
        if name.len() > NAME_BYTES_MAX {
            return refused(format!("has {} bytes, more than {NAME_BYTES_MAX}", name.len()));
        }
        if name.contains('\0') {
            return refused("holds a NUL, which no database takes in a name".to_owned());
        }
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("sqlite_") || lower.starts_with("pg_") || RESERVED.contains(&lower.as_str()) {
            return refused("is a name that the database or larder keeps for itself".to_owned());
        }
        Ok(Self(name.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it stands in a statement.
    pub(super) fn quoted(&self) -> String {
        quote(&self.0)
    }
}

/// A name as it stands in a statement: in quotes, and the quotes in it doubled.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use larder_core::ErrorKind;

    use super::*;

    #[test]
    fn a_quote_in_a_name_ends_no_quote() {
        assert_eq!(
            Name::new("table", "a\"; DROP TABLE b; --").unwrap().quoted(),
            "\"a\"\"; DROP TABLE b; --\""
        );
    }

    #[test]
    fn what_no_database_takes_is_refused() {
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for name in ["", "a\0b", "sqlite_master", "PG_class", "larder_migrations", long.as_str()] {
            assert_eq!(Name::new("table", name).unwrap_err().kind(), ErrorKind::Config, "{name:?}");
        }
    }
}
