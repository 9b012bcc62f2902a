//! Where a component comes from, and its digest.

use std::{fmt, path::PathBuf};

use bytes::Bytes;
use larder_core::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};

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

    /// Reads the component and checks all that can be seen without compiling it. The digest is that of the
    /// bytes that are compiled, not of the file at another moment.
    pub(crate) fn load(&self, limit_bytes: usize, sha256: Option<&str>) -> Result<Loaded> {
        let bytes = match self {
            Self::Bytes { bytes, .. } => bytes.clone(),
            Self::File(path) => {
                let size = std::fs::metadata(path).map_err(|e| self.unreadable(e))?;
                if !size.is_file() {
                    return Err(self.error("the path is no file"));
                }
                if size.len() > limit_bytes as u64 {
                    return Err(self.too_large(size.len(), limit_bytes));
                }
                Bytes::from(std::fs::read(path).map_err(|e| self.unreadable(e))?)
            }
        };
        if bytes.len() > limit_bytes {
            return Err(self.too_large(bytes.len() as u64, limit_bytes));
        }
        self.check_kind(&bytes)?;
        let digest = hex(&Sha256::digest(&bytes));
        if let Some(pinned) = sha256
            && !pinned.trim().eq_ignore_ascii_case(&digest)
        {
            return Err(Error::new(ErrorKind::Denied, "the component's digest is not the pinned one")
                .with("component", self)
                .with("pinned", pinned)
                .with("found", &digest));
        }
        Ok(Loaded { bytes, digest })
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
            _ => Err(self.error("this is no WebAssembly")),
        }
    }

    fn error(&self, message: &'static str) -> Error {
        Error::config(message).with("component", self)
    }

    fn unreadable(&self, error: std::io::Error) -> Error {
        self.error("the component can't be read").caused_by(error)
    }

    fn too_large(&self, size: u64, limit: usize) -> Error {
        Error::config(format!("the component has {size} bytes, more than {limit}")).with("component", self)
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
    pub(crate) bytes: Bytes,
    pub(crate) digest: String,
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String can't fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
