//! What one generation hands to the next: a magic word with the format's version, the last version given, the
//! entries, and a checksum over all of it. Numbers are little-endian.
//!
//! ```text
//! "larder kv-memory" format:u32 version_last:u64 count:u64 entry* sum:u64
//! entry = key_bytes:u32 value_bytes:u32 version:u64 expires_at_ms:u64 (0: never) key value
//! ```

use larder_sdk::{Error, Result};

use crate::table::{OrderedKey, Stored, Table};

const MAGIC: &[u8; 16] = b"larder kv-memory";

/// Changes when the layout does. An older one is read as long as this plugin promises to.
const FORMAT: u32 = 1;

const SUM_BYTES: usize = 8;

/// Everything in the table.
pub(crate) fn save(table: &Table) -> Vec<u8> {
    let mut bytes = Vec::from(MAGIC);
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend(table.version_last.to_le_bytes());
    bytes.extend((table.entries.len() as u64).to_le_bytes());
    for (OrderedKey(key), stored) in &table.entries {
        // Keys and values are bounded by the contract, far below 4 GiB.
        bytes.extend((key.len() as u32).to_le_bytes());
        bytes.extend((stored.value.len() as u32).to_le_bytes());
        bytes.extend(stored.version.to_le_bytes());
        bytes.extend(stored.expires_at.unwrap_or(0).to_le_bytes());
        bytes.extend(key.as_bytes());
        bytes.extend(&stored.value);
    }
    let sum = sum(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// The table that was saved.
///
/// # Errors
/// `unsupported` for another format, naming both; `corrupt` where the bytes are not what was saved.
pub(crate) fn restore(bytes: &[u8]) -> Result<Table> {
    let Some(body) = bytes.strip_prefix(MAGIC) else {
        return Err(Error::unsupported("the snapshot is none of kv-memory's"));
    };
    let damaged = || Error::corrupt("the snapshot is damaged");
    let format = u32::from_le_bytes(*body.first_chunk().ok_or_else(damaged)?);
    if format != FORMAT {
        return Err(Error::unsupported(format!(
            "the snapshot has format {format}; this plugin reads {FORMAT}"
        )));
    }
    let (summed, expected) = bytes.split_last_chunk::<SUM_BYTES>().ok_or_else(damaged)?;
    if sum(summed) != u64::from_le_bytes(*expected) {
        return Err(damaged());
    }
    let body = summed.get(MAGIC.len() + size_of::<u32>()..).ok_or_else(damaged)?;
    entries(body).ok_or_else(damaged)
}

fn entries(bytes: &[u8]) -> Option<Table> {
    let mut rest = bytes;
    let mut table = Table::default();
    table.version_last = number(&mut rest)?;
    for _ in 0..number(&mut rest)? {
        let (key_bytes, value_bytes) = (length(&mut rest)?, length(&mut rest)?);
        let (version, expires_at) = (number(&mut rest)?, number(&mut rest)?);
        let key = std::str::from_utf8(rest.split_off(..key_bytes)?).ok()?;
        let value = rest.split_off(..value_bytes)?.to_vec();
        let expires_at = (expires_at != 0).then_some(expires_at);
        table.insert(key.to_owned(), Stored { value, version, expires_at });
    }
    rest.is_empty().then_some(table)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*rest.split_off(..8)?.first_chunk()?))
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    Some(u32::from_le_bytes(*rest.split_off(..4)?.first_chunk()?) as usize)
}

/// FNV-1a: enough against truncation and mixed-up bytes between two generations in one host.
fn sum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use larder_sdk::kv::{Change, Put, Write};

    use super::*;

    fn table() -> Table {
        let mut table = Table::default();
        let put = |key: &str, ttl_ms| Write {
            key: key.into(),
            change: Change::Put(Put { value: b"value".to_vec(), ttl_ms }),
        };
        table.commit(&[], vec![put("a", None), put("ü", Some(10))], 5).unwrap();
        table
    }

    #[test]
    fn what_was_saved_is_restored_with_versions_and_expiries() {
        let restored = restore(&save(&table())).unwrap();
        assert_eq!(restored.entries, table().entries);
        assert_eq!(restored.version_last, 2);
        assert_eq!(restored.get("ü", || 15), None);
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_refused() {
        let saved = save(&table());
        for cut in 0..saved.len() {
            assert!(restore(&saved[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..saved.len() {
            let mut flipped = saved.clone();
            flipped[at] ^= 1;
            assert!(restore(&flipped).is_err(), "flipped at {at}");
        }
    }
}
