//! Comparing two blob stores: metadata, then the bytes, range by range, by digest. Both sides are read as streams at the
//! same time, so that memory is a piece of each and a digest per range.

use futures::{StreamExt, TryStreamExt};
use larder_core::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};

use super::{BLOBS_AT_ONCE, Copy, difference, sight};
use crate::{
    blobs::{Blobs, Depth, Listed, Metadata},
    migrate::{CHECKPOINT, Existing, Task, Verification, digest::Digest},
};

/// Bytes of a blob that have a digest of their own: how finely a difference is named.
const RANGE_BYTES: u64 = 16 << 20;

/// What a comparison found at a path.
struct Compared {
    path: String,
    ours: Metadata,
    ranges: u64,
    digest: Sha256,
    what: Option<String>,
}

/// `seen` is what the copy saw of the source.
pub(super) async fn run(
    task: &Task<'_>,
    source: &Blobs,
    target: &Blobs,
    seen: Digest,
) -> Result<Verification> {
    let mut found = Verification::default();
    let (mut whole, mut seen_now) = (Digest::default(), Digest::default());
    let listed = source.list("", Depth::All).await?;
    let mut compared = listed
        .map(|item| async {
            let Listed { path, .. } = item?;
            task.pace.take(1, 0).await;
            compare(task, source, target, path).await
        })
        .buffer_unordered(BLOBS_AT_ONCE);
    let mut in_both = 0;
    while let Some(one) = compared.try_next().await? {
        let Some(Compared { path, ours, ranges, digest, what }) = one else { continue };
        found.compared += 1;
        found.ranges += ranges;
        sight(&mut seen_now, &path, &ours);
        whole.member(&[path.as_bytes(), &digest.finalize()]);
        match what {
            Some(what) => found.differ(&path, what),
            None => in_both += 1,
        }
    }
    drop(compared);
    extras(task, source, target, in_both, &mut found).await?;
    found.digest = whole.to_string();
    found.source_changed = seen_now != seen;
    Ok(found)
}

async fn compare(task: &Task<'_>, source: &Blobs, target: &Blobs, path: String) -> Result<Option<Compared>> {
    let Some(ours) = source.stat(&path).await? else { return Ok(None) };
    let mut one = Compared { path, ours, ranges: 0, digest: Sha256::new(), what: None };
    let what = match target.stat(&one.path).await? {
        None => Some("missing in the target".to_owned()),
        Some(theirs) => difference(&one.ours, &theirs),
    };
    let Some(ours) = digests(task, source, &one.path).await? else { return Ok(None) };
    one.ranges = ours.len() as u64;
    ours.iter().for_each(|range| one.digest.update(range));
    one.what = match what {
        Some(what) => Some(what),
        None => match digests(task, target, &one.path).await? {
            None => Some("missing in the target".to_owned()),
            Some(theirs) => first_difference(&ours, &theirs),
        },
    };
    task.tally.add(1, one.ours.size_bytes);
    tracing::debug!(path = one.path, "a blob is compared");
    Ok(Some(one))
}

/// The first range of bytes at which the blob in the target is another, if there is one.
pub(super) async fn differing_range(
    copy: &Copy<'_, '_>,
    path: &str,
    ours: &Metadata,
) -> Result<Option<String>> {
    if ours.size_bytes == 0 {
        return Ok(None);
    }
    let (ours, theirs) =
        (digests(copy.task, copy.source, path).await?, digests(copy.task, copy.target, path).await?);
    Ok(match (ours, theirs) {
        (Some(ours), Some(theirs)) => first_difference(&ours, &theirs),
        _ => Some("missing".to_owned()),
    })
}

fn first_difference(ours: &[[u8; 32]], theirs: &[[u8; 32]]) -> Option<String> {
    let same = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count() as u64;
    let differs = ours.len() != theirs.len() || same < ours.len() as u64;
    differs.then(|| format!("other bytes in {}..{}", same * RANGE_BYTES, (same + 1) * RANGE_BYTES))
}

/// The digests of a blob's ranges; none where there is no blob.
async fn digests(task: &Task<'_>, blobs: &Blobs, path: &str) -> Result<Option<Vec<[u8; 32]>>> {
    let Some(mut reader) = blobs.read(path, ..).await? else { return Ok(None) };
    let (mut digests, mut hash, mut left) = (Vec::new(), Sha256::new(), RANGE_BYTES);
    loop {
        let mut piece = match reader.try_next().await {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            // Replaced meanwhile. Its bytes are none of those that were copied.
            Err(error) if error.kind() == ErrorKind::Conflict => return Err(moving(error)),
            Err(error) => return Err(error),
        };
        task.pace.take(0, piece.len() as u64).await;
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            hash.update(&part);
            left -= part.len() as u64;
            if left == 0 {
                digests.push(std::mem::take(&mut hash).finalize().into());
                left = RANGE_BYTES;
            }
        }
    }
    if left < RANGE_BYTES || digests.is_empty() {
        digests.push(hash.finalize().into());
    }
    Ok(Some(digests))
}

fn moving(error: Error) -> Error {
    error.with("source", "is being written to; stop its writers and verify again")
}

/// What the target has and the source has not. Looked for only where the numbers don't fit.
async fn extras(
    task: &Task<'_>,
    source: &Blobs,
    target: &Blobs,
    in_both: u64,
    found: &mut Verification,
) -> Result<()> {
    let mut count = 0;
    let mut listed = target.list("", Depth::All).await?;
    while let Some(item) = listed.try_next().await? {
        count += u64::from(item.path != CHECKPOINT);
    }
    if count == in_both {
        return Ok(());
    }
    let mut listed = target.list("", Depth::All).await?;
    while let Some(item) = listed.try_next().await? {
        if item.path == CHECKPOINT || source.exists(&item.path).await? {
            continue;
        }
        match task.options.existing {
            Existing::Refuse => found.differ(&item.path, "only in the target"),
            Existing::Merge | Existing::Overwrite => found.only_in_target += 1,
        }
    }
    Ok(())
}
