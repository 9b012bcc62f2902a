//! Reads that two generations of a blob plugin are asked, and what is a difference between their answers.

use std::sync::Arc;

use bytes::Bytes;
use larder_core::Result;
use opendal::Metadata;

use super::{
    convert::BlobDescription,
    request::{Read, Stat},
};
use crate::{
    bindings::blob::{BlobExports, Features},
    generation::Generation,
    swap::ask,
};

/// How much of a blob is compared, in bytes: its beginning, where readers begin.
const COMPARED_BYTES: u32 = 64 << 10;

/// A path that was looked at or read.
#[derive(Debug, Clone)]
pub(crate) struct BlobProbe(pub(super) Arc<str>);

/// What is known of the blob, and how it begins.
#[derive(Debug)]
pub(crate) struct BlobAnswer {
    metadata: Option<Metadata>,
    beginning: Option<Bytes>,
}

pub(super) async fn answer(
    generation: &Arc<Generation<BlobExports>>,
    probe: &BlobProbe,
) -> Result<BlobAnswer> {
    let metadata = ask(generation, Stat(probe.0.clone())).await?;
    let beginning = match &metadata {
        Some(_) if generation.description.has(Features::READ_RANGE) => {
            let read = Read { path: probe.0.clone(), offset: 0, length: COMPARED_BYTES };
            ask(generation, read).await?
        }
        _ => None,
    };
    Ok(BlobAnswer { metadata, beginning })
}

/// Entity tags are the data's: readers hold pieces of a blob together by them, whichever generation answers.
pub(super) fn difference(
    about: (&BlobDescription, &BlobDescription),
    old: &BlobAnswer,
    new: &BlobAnswer,
) -> Option<&'static str> {
    let (then, now) = match (&old.metadata, &new.metadata) {
        (None, None) => return None,
        (Some(then), Some(now)) => (then, now),
        _ => return Some("presence"),
    };
    if then.content_length() != now.content_length() {
        return Some("size");
    }
    if then.etag() != now.etag() {
        return Some("entity tag");
    }
    if then.content_type() != now.content_type() {
        return Some("content type");
    }
    let both_read = about.0.has(Features::READ_RANGE) && about.1.has(Features::READ_RANGE);
    (both_read && old.beginning != new.beginning).then_some("content")
}
