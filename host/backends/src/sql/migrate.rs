//! The schema's version: each store's is recorded in a table beside it, and moved on in a transaction.
//!
//! A store of a newer schema is refused: an older larder would read what it does not understand.

use larder_core::{Error, ErrorKind};

/// The table that records the schema of each store.
pub(super) const MIGRATIONS: &str = "larder_migrations";

/// The table from which SQLite stores reserve versions.
pub(super) const VERSIONS: &str = "larder_versions";

/// The schema that this larder reads and writes: how many [`Migration`]s there are.
pub(super) const SCHEMA: i64 = 1;

/// The statements that lead from one schema to the next; `{table}` stands for the quoted table.
pub(super) type Migration = &'static [&'static str];

/// What is to be done with a store whose recorded schema is `found`; none where there is no record.
///
/// # Errors
/// `unsupported` where it is newer than this larder's.
pub(super) fn pending(
    migrations: &'static [Migration],
    found: Option<i64>,
) -> Result<&'static [Migration], Error> {
    let found = found.unwrap_or(0);
    if found > SCHEMA {
        let message =
            "the table was written by a newer larder: open it with that, or copy it with `larder migrate`";
        return Err(Error::unsupported(message).with("schema", found).with("known", SCHEMA));
    }
    usize::try_from(found).ok().and_then(|done| migrations.get(done..)).ok_or_else(|| {
        Error::new(ErrorKind::Corrupt, "the recorded schema is none that ever was").with("schema", found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE_UP: [Migration; SCHEMA as usize] = [&["CREATE TABLE {table} (key)"]];

    #[test]
    fn a_newer_schema_is_refused_and_an_older_one_moved_on() {
        assert_eq!(pending(&MADE_UP, None).unwrap().len(), 1);
        assert_eq!(pending(&MADE_UP, Some(SCHEMA)).unwrap().len(), 0);
        assert_eq!(pending(&MADE_UP, Some(SCHEMA + 1)).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(pending(&MADE_UP, Some(-1)).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
