//! The rows of the table: their checksums, and entries made of them.
//!
//! SQLite has no checksums of its own, so a row carries two, of CRC-32C, in one number: the low half is that of the
//! value, the high half that of key, version, expiry and the low half. So a scan for keys is verified without its values.

use bytes::Bytes;
use larder_core::{Entry, Timestamp, Version};
use sqlx::{Row as _, sqlite::SqliteRow};

use crate::sql::{
    driver::Answer,
    error::{Fault, Stake, corrupt},
};

/// What a row says of itself, its header verified; the value not looked at yet.
#[derive(Debug)]
pub(super) struct Stored<'r> {
    pub(super) key: &'r [u8],
    pub(super) version: Version,
    pub(super) expires_at: Option<Timestamp>,
    value_sum: u32,
    row: &'r SqliteRow,
}

impl<'r> Stored<'r> {
    /// Reads the columns that all statements have: key, version, expiry, checksum, and the value or null.
    ///
    /// # Errors
    /// `corrupt` where the checksum of the header does not match.
    pub(super) fn read(row: &'r SqliteRow) -> Answer<Self> {
        let key: &[u8] = column(row, 0)?;
        let version = column::<i64>(row, 1)?;
        let expires_at = column::<Option<i64>>(row, 2)?;
        let checksum = column::<i64>(row, 3)?;
        let value_sum = checksum as u32;
        if sealed(key, version, expires_at, value_sum) != checksum {
            return Err(corrupt("the checksum of the stored entry does not match", key).into());
        }
        let expires_at = expires_at.map(|at| Timestamp(u64::try_from(at).unwrap_or(0)));
        Ok(Self { key, version: Version(version.cast_unsigned()), expires_at, value_sum, row })
    }

    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }

    /// The value; none where the statement left it out.
    ///
    /// # Errors
    /// `corrupt` where its checksum does not match.
    pub(super) fn value(&self) -> Answer<Option<&'r [u8]>> {
        let value: Option<&[u8]> = column(self.row, 4)?;
        if value.is_some_and(|value| crc32c::crc32c(value) != self.value_sum) {
            return Err(corrupt("the checksum of the stored value does not match", self.key).into());
        }
        Ok(value)
    }

    /// The entry with its value, or with an empty one where the statement left it out.
    pub(super) fn entry(&self) -> Answer<Entry> {
        let value = self.value()?.map(Bytes::copy_from_slice).unwrap_or_default();
        Ok(Entry { value, version: self.version, expires_at: self.expires_at })
    }
}

/// The checksum of a row.
pub(super) fn checksum(key: &[u8], version: i64, expires_at: Option<i64>, value: &[u8]) -> i64 {
    sealed(key, version, expires_at, crc32c::crc32c(value))
}

fn sealed(key: &[u8], version: i64, expires_at: Option<i64>, value_sum: u32) -> i64 {
    let mut header = [0; 21];
    let (head, sum) = header.split_at_mut(17);
    let (flag, numbers) = head.split_at_mut(1);
    flag.fill(u8::from(expires_at.is_some()));
    let (first, second) = numbers.split_at_mut(8);
    first.copy_from_slice(&version.to_le_bytes());
    second.copy_from_slice(&expires_at.unwrap_or_default().to_le_bytes());
    sum.copy_from_slice(&value_sum.to_le_bytes());
    let header_sum = crc32c::crc32c_append(crc32c::crc32c(key), &header);
    ((u64::from(header_sum) << 32) | u64::from(value_sum)).cast_signed()
}

pub(super) fn column<'r, T>(row: &'r SqliteRow, index: usize) -> Answer<T>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(index).map_err(|error| Fault::new(error, Stake::Nothing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_row_is_in_its_checksum() {
        let sum = checksum(b"k", 7, Some(9), b"value");
        for other in [
            checksum(b"l", 7, Some(9), b"value"),
            checksum(b"k", 8, Some(9), b"value"),
            checksum(b"k", 7, Some(8), b"value"),
            checksum(b"k", 7, None, b"value"),
            checksum(b"k", 7, Some(9), b"valuf"),
        ] {
            assert_ne!(sum, other);
        }
        assert_ne!(checksum(b"k", 7, Some(0), b""), checksum(b"k", 7, None, b""));
        assert_eq!(sum as u32, crc32c::crc32c(b"value"));
    }
}
