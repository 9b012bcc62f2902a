//! An entry's bytes: what it says of itself, its authentication, the code.
//!
//! ```text
//! "LARDERC1"   8
//! fingerprint 32   of the component
//! engine      32   hash of what decides the code
//! sha256      32   of the component
//! length       8   of the code, little-endian
//! MAC         32   BLAKE3 with the folder's key, over all of the above and the code
//! code
//! ```

use std::{fmt, fs::File, io::Read};

use super::{
    code::{Authenticated, Collecting},
    key::Key,
};
use crate::source::{Fingerprint, hex};

const MAGIC: [u8; 8] = *b"LARDERC1";
/// What the MAC is over, besides the code.
const STATED_BYTES: usize = 8 + 32 + 32 + 32 + 8;
const MAC_BYTES: usize = 32;
pub(super) const HEADER_BYTES: usize = STATED_BYTES + MAC_BYTES;

/// Most code of one entry in bytes: CPython's has 30 MB.
const CODE_BYTES_MAX: u64 = 512 << 20;

/// How much is read at once: stays in the processor's cache between being read, hashed and copied.
const PIECE_BYTES: usize = 256 << 10;

/// What an entry is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) fingerprint: Fingerprint,
    pub(super) engine: [u8; 32],
}

/// The end of the names of entries.
pub(super) const SUFFIX: &str = ".compiled";

impl Address {
    pub(super) fn file_name(&self) -> String {
        let engine = self.engine.first_chunk::<8>().copied().unwrap_or_default();
        format!("{}-{}{SUFFIX}", hex(&self.fingerprint.0), hex(&engine))
    }
}

/// An entry that is what larder wrote.
pub(super) struct Entry {
    pub(super) code: Authenticated,
    /// The component's SHA-256 in hexadecimal.
    pub(super) digest: String,
}

/// Why an entry is not used.
#[derive(Debug)]
pub(super) struct Fault(String);

impl Fault {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Everything that stands before the code of a new entry.
pub(super) fn header(key: &Key, address: &Address, digest: &str, code: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&address.fingerprint.0);
    header.extend_from_slice(&address.engine);
    header.extend_from_slice(&unhex(digest).ok_or_else(|| Fault::new("the digest is no SHA-256"))?);
    header.extend_from_slice(&(code.len() as u64).to_le_bytes());
    let mut mac = key.mac();
    mac.update(&header).update(code);
    header.extend_from_slice(mac.finalize().as_bytes());
    Ok(header)
}

/// Reads an entry and authenticates it. What is executed later are the bytes that were hashed here, not what the file
/// has by then.
pub(super) fn read(mut file: &File, key: &Key, address: &Address) -> Result<Entry, Fault> {
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header).map_err(|_| Fault::new("it is cut short"))?;
    let (stated, mac) = header.split_at(STATED_BYTES);
    let (names, rest) = stated.split_at(8 + 32 + 32);
    let (digest, length) = rest.split_at(32);
    if !names.starts_with(&MAGIC) {
        return Err(Fault::new("it is no entry of this version of larder"));
    }
    let (_, names) = names.split_at(MAGIC.len());
    let (fingerprint, engine) = names.split_at(32);
    if *fingerprint != address.fingerprint.0 || *engine != address.engine {
        return Err(Fault::new("it is of another component or another engine"));
    }
    let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
    if length > CODE_BYTES_MAX || file.metadata()?.len() != length + HEADER_BYTES as u64 {
        return Err(Fault::new("its length is not what it says"));
    }
    let mut hasher = key.mac();
    hasher.update(stated);
    let mut code = Collecting::new(usize::try_from(length).map_err(|_| Fault::new("it is too large"))?);
    let mut left = length;
    let mut buffer = vec![0; PIECE_BYTES.min(usize::try_from(length).unwrap_or(PIECE_BYTES))];
    while left > 0 {
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let piece = buffer.get_mut(..wanted).unwrap_or_default();
        file.read_exact(piece).map_err(|_| Fault::new("it is cut short"))?;
        hasher.update(piece);
        code.push(piece)?;
        left -= wanted as u64;
    }
    // Compared in constant time.
    if !mac.try_into().is_ok_and(|mac: [u8; MAC_BYTES]| hasher.finalize() == mac) {
        return Err(Fault::new("it is damaged, or was not written with the key of this folder"));
    }
    Ok(Entry { code: code.authenticated()?, digest: hex(digest) })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let pairs = text.as_bytes().chunks_exact(2);
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
