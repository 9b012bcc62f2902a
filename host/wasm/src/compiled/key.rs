//! The folder's key: 32 random bytes in a file that nobody else may read, made by the first who needs it.

use std::{fmt, io::Read as _};

use larder_core::{Error, ErrorKind, Result};

use super::folder::{self, Folder};

const NAME: &str = "key";
const BYTES: usize = 32;

/// What the key is for; another use of the same bytes would give another key.
const CONTEXT: &str = "larder 2026-11 cache of compiled components, MAC of an entry";

/// The key of a folder. Shown by nothing.
pub(super) struct Key([u8; 32]);

impl Key {
    /// The key of a folder, made if there is none. Of several processes that make it at once, all get the same.
    pub(super) fn of(folder: &Folder) -> Result<Self> {
        let failed = |e: std::io::Error| {
            Error::new(ErrorKind::Unavailable, "the key of the cache of compiled components can't be had")
                .caused_by(e)
        };
        if let Some(key) = Self::read(folder)? {
            return Ok(key);
        }
        let mut fresh = [0; BYTES];
        getrandom::fill(&mut fresh).map_err(|e| failed(std::io::Error::other(e)))?;
        folder.write_file_once(NAME, &fresh).map_err(failed)?;
        Self::read(folder)?.ok_or_else(|| failed(std::io::Error::other("it was removed at once")))
    }

    fn read(folder: &Folder) -> Result<Option<Self>> {
        let refused = |why: String| {
            Error::config(format!(
                "the file `{NAME}` of the cache of compiled components is not to be believed ({why}); remove the folder, or name another one"
            ))
        };
        let Some(mut file) = folder.open_file(NAME).map_err(|e| refused(e.to_string()))? else {
            return Ok(None);
        };
        folder::check_private(&file).map_err(|e| refused(e.to_string()))?;
        folder::check_secret(&file).map_err(|e| refused(e.to_string()))?;
        let mut bytes = Vec::new();
        // One more than there should be, so that a longer file is seen as one.
        (&mut file).take(BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|e| refused(e.to_string()))?;
        if bytes.len() != BYTES {
            return Err(refused(format!("it has not {BYTES} bytes")));
        }
        Ok(Some(Self(blake3::derive_key(CONTEXT, &bytes))))
    }

    /// A hasher of the key.
    pub(super) fn mac(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
