//! The tables of the database and the one row of settings. Keys are bytes everywhere: redb panics on
//! text that is not UTF-8, and a damaged file may hold such text.

use larder_core::{Error, ErrorKind, Timestamp};
use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::error::Fault;

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Key to envelope.
pub(super) const ENTRIES: Definition = TableDefinition::new("entries");

/// Deadline (milliseconds, 8 bytes, big-endian) and key, to nothing.
pub(super) const EXPIRIES: Definition = TableDefinition::new("expiries");

/// Name to number.
pub(super) const SETTINGS: Definition = TableDefinition::new("settings");

/// The format of the whole database.
const FORMAT: &[u8] = b"format";

/// The last version that may have been handed out.
const VERSIONS_RESERVED: &[u8] = b"versions-reserved";

/// The only format there is so far.
const FORMAT_NOW: u64 = 1;

/// Bytes of the deadline in front of the key in [`EXPIRIES`].
pub(super) const DEADLINE_BYTES: usize = 8;

/// Makes the tables of an empty database.
pub(super) fn create(transaction: &WriteTransaction) -> Result<(), Fault> {
    transaction.open_table(ENTRIES)?;
    transaction.open_table(EXPIRIES)?;
    let mut settings = transaction.open_table(SETTINGS)?;
    settings.insert(FORMAT, setting(FORMAT, FORMAT_NOW).as_slice())?;
    settings.insert(VERSIONS_RESERVED, setting(VERSIONS_RESERVED, 0).as_slice())?;
    Ok(())
}

/// Checks the format, and answers the last version that may have been handed out.
pub(super) fn check(settings: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Result<u64, Fault> {
    let format = read_setting(settings, FORMAT)?;
    if format != FORMAT_NOW {
        return Err(Error::unsupported("the store was written by a newer larder")
            .with("format", format)
            .into());
    }
    read_setting(settings, VERSIONS_RESERVED)
}

/// Writes down that versions up to `last` may be handed out.
pub(super) fn reserve_versions(transaction: &WriteTransaction, last: u64) -> Result<(), Fault> {
    let mut settings = transaction.open_table(SETTINGS)?;
    settings.insert(VERSIONS_RESERVED, setting(VERSIONS_RESERVED, last).as_slice())?;
    Ok(())
}

/// The row of the expiry index for a key.
pub(super) fn expiry_row(deadline: Timestamp, key: &[u8], row: &mut Vec<u8>) {
    row.clear();
    row.extend_from_slice(&deadline.0.to_be_bytes());
    row.extend_from_slice(key);
}

/// The deadline and key of a row of the expiry index.
pub(super) fn parse_expiry_row(row: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (deadline, key) = row.split_first_chunk::<DEADLINE_BYTES>()?;
    Some((Timestamp(u64::from_be_bytes(*deadline)), key))
}

fn setting(name: &[u8], value: u64) -> Vec<u8> {
    let value = value.to_le_bytes();
    let sum = crc32c::crc32c_append(crc32c::crc32c(name), &value);
    [value.as_slice(), sum.to_le_bytes().as_slice()].concat()
}

fn read_setting(
    settings: &impl ReadableTable<&'static [u8], &'static [u8]>,
    name: &'static [u8],
) -> Result<u64, Fault> {
    let row = settings.get(name)?;
    let value = row.and_then(|row| {
        let value = u64::from_le_bytes(*row.value().first_chunk()?);
        (setting(name, value) == row.value()).then_some(value)
    });
    value.ok_or_else(|| {
        Error::new(ErrorKind::Corrupt, "a setting of the store is missing or damaged")
            .with("setting", String::from_utf8_lossy(name))
            .into()
    })
}
