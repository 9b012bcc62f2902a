//! A run of a blob: a few pieces, read one after the other in one instance, and the look at the version behind them.

use std::sync::Arc;

use bytes::Bytes;
use larder_core::Result;
use opendal::{Metadata, raw::Timestamp};

use super::{
    convert::BlobDescription,
    request::{Read, Stat},
    shadow::BlobProbe,
};
use crate::{
    bindings::blob::BlobExports,
    file_read,
    instance::Access,
    job::{Caller, Job},
};

/// How much is asked for in one call, in bytes: what a plugin over a folder reads at once, so that it need not put its answer
/// together from several.
const PIECE_BYTES: u32 = file_read::READ_BYTES_MAX as u32;

/// Most pieces of a run: enough that the trip to the plugin and the look at the version cost little besides, and a bound
/// of what a reader holds (twice that, with the run that is under way).
const PIECES_MAX: u32 = 2;

/// What is read next.
#[derive(Clone)]
pub(super) struct Pieces {
    pub(super) path: Arc<str>,
    pub(super) offset: u64,
    /// How much is wanted at all; none to the end.
    pub(super) left: Option<u64>,
    /// The version that the blob must have, if more of it was read before.
    pub(super) version: Option<Version>,
}

/// What came of it.
pub(super) enum Run {
    Bytes {
        bytes: Vec<Bytes>,
        /// The version that the bytes are of, and whether the blob ends with them; none where one call brought all.
        version: Option<(Version, bool)>,
    },
    /// There is no such blob.
    Missing,
    /// The blob has another version than before.
    Replaced,
}

/// What is the same of all pieces.
#[derive(Clone, PartialEq)]
pub(super) struct Version {
    etag: Option<String>,
    size_bytes: u64,
    modified: Option<Timestamp>,
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            etag: metadata.etag().map(str::to_owned),
            size_bytes: metadata.content_length(),
            modified: metadata.last_modified(),
        }
    }
}

impl Job<BlobExports> for Pieces {
    type Output = Run;
    const OPERATION: &'static str = "read";
    const ACCESS: Access = Access::Reads;
    // The first piece may be read twice, and the version is looked at before and behind.
    const CALLS_MAX: u32 = PIECES_MAX + 3;

    // What the operator passes on was checked against the same description.
    fn fits(&self, _: &BlobDescription) -> Result<()> {
        Ok(())
    }

    fn again(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn probe(&self) -> Option<BlobProbe> {
        Some(BlobProbe(self.path.clone()))
    }

    async fn run(mut self, caller: &mut Caller<'_, BlobExports>) -> Result<Run> {
        if self.version.is_none() {
            if self.left.is_none_or(|left| left <= PIECE_BYTES.into()) {
                let Some(first) = self.read(caller, 0, self.wanted(0)).await? else {
                    return Ok(Run::Missing);
                };
                let is_all = first.len() < PIECE_BYTES as usize || self.left == Some(PIECE_BYTES.into());
                if is_all {
                    return Ok(Run::Bytes { bytes: vec![first], version: None });
                }
                // There is more: from here on it counts which version this is, and the piece is read again.
            }
            let Some(version) = self.look(caller).await? else { return Ok(Run::Missing) };
            self.version = Some(version);
        }
        let (mut bytes, mut got, mut is_last) = (Vec::new(), 0, false);
        while !is_last && bytes.len() < PIECES_MAX as usize {
            let length = self.wanted(got);
            if length == 0 {
                break;
            }
            let Some(piece) = self.read(caller, got, length).await? else { return Ok(Run::Replaced) };
            is_last = piece.len() < length as usize;
            got += piece.len() as u64;
            if !piece.is_empty() {
                bytes.push(piece);
            }
        }
        let seen = self.look(caller).await?;
        match seen.filter(|seen| self.version.as_ref() == Some(seen)) {
            Some(version) => Ok(Run::Bytes { bytes, version: Some((version, is_last)) }),
            None => Ok(Run::Replaced),
        }
    }
}

impl Pieces {
    /// How much the next call asks for, once `got` bytes are there.
    fn wanted(&self, got: u64) -> u32 {
        let left = self.left.map_or(u64::MAX, |left| left.saturating_sub(got));
        u32::try_from(left).unwrap_or(u32::MAX).min(PIECE_BYTES)
    }

    async fn read(
        &self,
        caller: &mut Caller<'_, BlobExports>,
        got: u64,
        length: u32,
    ) -> Result<Option<Bytes>> {
        let offset = self.offset.saturating_add(got);
        caller.call(&mut Read { path: self.path.clone(), offset, length }).await
    }

    async fn look(&self, caller: &mut Caller<'_, BlobExports>) -> Result<Option<Version>> {
        let found = caller.call(&mut Stat(self.path.clone())).await?;
        Ok(found.as_ref().map(Version::of))
    }
}
