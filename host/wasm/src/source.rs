//! Where a component comes from, and its digest.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    path::PathBuf,
};

use bytes::Bytes;
use larder_core::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};

/// How much of a file is read at once to take its fingerprint: stays in the processor's cache while it is hashed.
const PIECE_BYTES: usize = 256 << 10;

/// What a compiled component is found by: the BLAKE3 of its bytes, which takes two fifths of the time of a SHA-256. Two
/// components with the same one can't be made, so that the SHA-256 that was taken of one is that of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) [u8; 32]);

impl Fingerprint {
    fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// A component: a file, or bytes that somebody has already.
#[derive(Clone)]
pub enum Source {
    /// A `.wasm` file.
    File(PathBuf),
    /// The component itself, with a name for errors.
    Bytes {
        /// What to call it.
        name: String,
        /// The component.
        bytes: Bytes,
    },
}

impl Source {
    /// A file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    /// Bytes.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self::Bytes { name: name.into(), bytes: bytes.into() }
    }

    /// Reads through a component without keeping it, and checks what can be seen so.
    pub(crate) fn fingerprint(&self, limit_bytes: usize) -> Result<Fingerprint> {
        let path = match self {
            Self::Bytes { bytes, .. } => {
                self.check_size(bytes.len() as u64, limit_bytes)?;
                self.check_kind(bytes)?;
                return Ok(Fingerprint::of(bytes));
            }
            Self::File(path) => path,
        };
        let (mut file, size) = self.open(path, limit_bytes)?;
        let mut buffer = vec![0; PIECE_BYTES.min(usize::try_from(size).unwrap_or(PIECE_BYTES)).max(8)];
        let mut hasher = blake3::Hasher::new();
        let mut total = 0_u64;
        loop {
            let read = fill(&mut file, &mut buffer).map_err(|e| self.unreadable(e))?;
            let piece = buffer.get(..read).unwrap_or_default();
            if total == 0 {
                self.check_kind(piece)?;
            }
            total += read as u64;
            // A file may grow while it is read.
            self.check_size(total, limit_bytes)?;
            if read == 0 {
                return Ok(Fingerprint(*hasher.finalize().as_bytes()));
            }
            hasher.update(piece);
        }
    }

    /// Reads the component and checks all that can be seen without compiling it. The digest is that of the
    /// bytes that are compiled, not of the file at another moment.
    pub(crate) fn load(&self, limit_bytes: usize, sha256: Option<&str>) -> Result<Loaded> {
        let bytes = match self {
            Self::Bytes { bytes, .. } => bytes.clone(),
            Self::File(path) => {
                let (file, size) = self.open(path, limit_bytes)?;
                let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
                let whole = file.take(limit_bytes as u64 + 1).read_to_end(&mut bytes);
                whole.map_err(|e| self.unreadable(e))?;
                Bytes::from(bytes)
            }
        };
        self.check_size(bytes.len() as u64, limit_bytes)?;
        self.check_kind(&bytes)?;
        let digest = hex(&Sha256::digest(&bytes));
        self.check_pin(&digest, sha256)?;
        Ok(Loaded { fingerprint: Fingerprint::of(&bytes), bytes, digest })
    }

    /// Refuses a component that is not the pinned one.
    pub(crate) fn check_pin(&self, digest: &str, sha256: Option<&str>) -> Result<()> {
        match sha256 {
            Some(pinned) if !pinned.trim().eq_ignore_ascii_case(digest) => {
                Err(Error::new(ErrorKind::Denied, "the component's digest is not the pinned one")
                    .with("component", self)
                    .with("pinned", pinned)
                    .with("found", digest))
            }
            _ => Ok(()),
        }
    }

    fn open(&self, path: &PathBuf, limit_bytes: usize) -> Result<(File, u64)> {
        // Looked at first: to open a pipe would wait.
        if !std::fs::metadata(path).map_err(|e| self.unreadable(e))?.is_file() {
            return Err(self.error("the path is no file"));
        }
        let file = File::open(path).map_err(|e| self.unreadable(e))?;
        let size = file.metadata().map_err(|e| self.unreadable(e))?.len();
        self.check_size(size, limit_bytes)?;
        Ok((file, size))
    }

    /// Tells a component from a core module and from anything else by its first eight bytes.
    fn check_kind(&self, bytes: &[u8]) -> Result<()> {
        match bytes.get(..8) {
            Some([0, b'a', b's', b'm', 0x0d, 0, 1, 0]) => Ok(()),
            Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Err(self.error(
                "this is a core module, not a component; build it for wasm32-wasip2, or wrap it with `wasm-tools component new`",
            )),
            Some([0, b'a', b's', b'm', ..]) => {
                Err(self.error("this is WebAssembly of a version that larder does not know"))
            }
            Some([0x7f, b'E', b'L', b'F', ..]) => Err(self.error(
                "this is compiled code, such as a .cwasm; larder runs only what it has compiled itself: give it the component",
            )),
            _ => Err(self.error("this is no WebAssembly")),
        }
    }

    fn error(&self, message: &'static str) -> Error {
        Error::config(message).with("component", self)
    }

    fn unreadable(&self, error: std::io::Error) -> Error {
        self.error("the component can't be read").caused_by(error)
    }

    fn check_size(&self, size: u64, limit: usize) -> Result<()> {
        if size <= limit as u64 {
            return Ok(());
        }
        Err(Error::config(format!("the component has {size} bytes, more than {limit}"))
            .with("component", self))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Bytes { name, .. } => f.write_str(name),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}

/// A component's bytes with their digest.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) bytes: Bytes,
    pub(crate) digest: String,
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String can't fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
