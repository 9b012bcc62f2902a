//! What a case is: a sentence, when it applies, and the steps that show whether it is true.

use larder_core::BoxFuture;
use opendal::{Capability, Error, ErrorKind, Operator};

use super::Options;

/// A sentence of the contract and how to see whether it is true.
pub(super) struct Case {
    pub(super) feature: &'static str,
    pub(super) name: &'static str,
    /// Whether the case applies to what a store declares.
    pub(super) needs: fn(&Capability) -> bool,
    /// The case is about a refusal.
    pub(super) is_refusal: bool,
    pub(super) run: Steps,
}

type Steps = for<'a> fn(&'a Stage) -> BoxFuture<'a, Verdict>;

/// An empty store.
pub(super) struct Stage {
    pub(super) operator: Operator,
    pub(super) options: Options,
}

/// Whether a case held.
pub(super) type Verdict<T = ()> = Result<T, Failure>;

/// What was seen instead of what the contract says.
#[derive(Debug)]
pub(super) struct Failure(pub(super) String);

impl From<Error> for Failure {
    /// An error where the contract allows none.
    fn from(error: Error) -> Self {
        Self(format!("an error where there must be none: {error}"))
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self(format!("a task of the case panicked: {error}"))
    }
}

/// Ends the case unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)+) => {
        if !$holds {
            return Err($crate::blob::case::Failure(format!($($seen)+)));
        }
    };
}

pub(super) use ensure;

/// Ends the case unless the call failed with this kind.
pub(super) fn refused<T>(what: &str, result: Result<T, Error>, kind: ErrorKind) -> Verdict {
    match result {
        Ok(_) => Err(Failure(format!("{what}: succeeded, and must be refused as {kind}"))),
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(Failure(format!("{what}: must be refused as {kind}: {error}"))),
    }
}

/// Bytes that differ by place and by `seed`, so that no part passes for another.
pub(super) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        // xorshift64*: enough to tell any two places apart.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

impl Stage {
    /// Ends the case unless the blob has these bytes, by `read` and by `stat`.
    pub(super) async fn holds(&self, path: &str, expected: &[u8]) -> Verdict {
        let read = self.operator.read(path).await?.to_bytes();
        let (got, wanted) = (read.len(), expected.len());
        ensure!(read == expected, "{path}: {got} bytes were read, not the {wanted} that were written");
        let size = self.operator.stat(path).await?.content_length();
        ensure!(size == wanted as u64, "{path}: stat says {size} bytes of {wanted}");
        Ok(())
    }

    /// Ends the case unless there is no blob.
    pub(super) async fn missing(&self, path: &str) -> Verdict {
        refused("stat of what is not there", self.operator.stat(path).await, ErrorKind::NotFound)?;
        refused("read of what is not there", self.operator.read(path).await, ErrorKind::NotFound)
    }
}
