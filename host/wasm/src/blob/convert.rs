//! Between a component's types and OpenDAL's, and the checks of what a component returns: guests are not trusted
//! with sizes, counts, order, paths or texts. OpenDAL panics on metadata that is too large or names a thing twice.

use larder_core::{Effect, Result, check_blob_metadata, check_blob_path, limits::BLOB_PATH_BYTES_MAX};
use opendal::{
    Metadata, MetadataBuilder,
    raw::{OpWrite, Timestamp, oio},
};

use crate::{
    bindings::blob::{
        Features, Instances, WitCondition, WitDescription, WitListed, WitMetadata, WitPage, WitPutOptions,
    },
    convert::broken,
};

/// Largest part, and largest `put`, of the contract.
const PART_BYTES_MAX: u32 = 8 << 20;

/// Longest entity tag, cursor, token and answer of a part, in bytes: none of them needs more, and all are kept.
pub(super) const TOKEN_BYTES_MAX: usize = 4 << 10;

/// Most entries of a page.
pub(super) const PAGE_ENTRIES_MAX: u32 = 1_000;

/// What a blob plugin says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlobDescription {
    pub(crate) features: Features,
    pub(crate) instances: Instances,
    pub(crate) part_bytes_min: usize,
    pub(crate) part_bytes_max: usize,
    /// Whether parts come one after the other.
    pub(crate) in_order: bool,
}

impl BlobDescription {
    pub(crate) fn has(&self, feature: Features) -> bool {
        self.features & feature == feature
    }
}

pub(super) fn description(wit: &WitDescription) -> Result<BlobDescription> {
    let (min, max) = (wit.part_bytes_min, wit.part_bytes_max);
    if max == 0 || max > PART_BYTES_MAX || min > max {
        return Err(broken(format!(
            "the plugin wants parts of {min} to {max} bytes; the largest must have 1 to {PART_BYTES_MAX}"
        )));
    }
    Ok(BlobDescription {
        features: wit.features,
        instances: wit.instances,
        part_bytes_min: min as usize,
        part_bytes_max: max as usize,
        in_order: false,
    })
}

/// What goes with a blob, from OpenDAL's arguments.
pub(super) fn put_options(args: &OpWrite) -> WitPutOptions {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let condition = match args.if_match() {
        Some(etag) => Some(WitCondition::Etag(etag.to_owned())),
        None => args.if_not_exists().then_some(WitCondition::Absent),
    };
    WitPutOptions {
        content_type: args.content_type().map(str::to_owned),
        user: args.user_metadata().map(|user| user.into_iter().map(owned).collect()).unwrap_or_default(),
        condition,
    }
}

pub(super) fn metadata(wit: WitMetadata) -> Result<Metadata> {
    let user = wit.user.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    check_blob_metadata(wit.content_type.as_deref(), user)
        .map_err(|e| broken(format!("the plugin returned bad metadata: {}", e.message())))?;
    let mut builder = MetadataBuilder::file(wit.size);
    if let Some(etag) = wit.etag {
        short("entity tag", &etag)?;
        builder.etag(etag);
    }
    if let Some(content_type) = wit.content_type {
        builder.content_type(content_type);
    }
    if let Some(ms) = wit.modified_ms {
        let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        builder.last_modified(at.ok_or_else(|| broken("the plugin returned a time far off".to_owned()))?);
    }
    if !wit.user.is_empty() {
        builder.user_metadata(wit.user);
    }
    Ok(builder.build())
}

/// Metadata that answers a write: the blob is there, whatever is wrong with the answer.
pub(super) fn written(wit: WitMetadata, size_bytes: u64) -> Result<Metadata> {
    if wit.size != size_bytes {
        let answered = wit.size;
        return Err(
            broken(format!("the plugin stored {answered} bytes of {size_bytes}")).effect(Effect::Unknown)
        );
    }
    metadata(wit).map_err(|e| e.effect(Effect::Unknown))
}

/// Refuses a text that is kept and handed back, where it is too long.
pub(super) fn short(what: &str, text: &str) -> Result<()> {
    if text.len() > TOKEN_BYTES_MAX {
        let bytes = text.len();
        return Err(broken(format!(
            "the plugin returned a {what} of {bytes} bytes, more than {TOKEN_BYTES_MAX}"
        )));
    }
    Ok(())
}

/// A page: bounded, with good paths, below the prefix, ascending, and behind the last page.
pub(super) fn page(wit: WitPage, prefix: &str, last: Option<&str>) -> Result<Vec<oio::Entry>> {
    if wit.entries.len() > PAGE_ENTRIES_MAX as usize {
        let entries = wit.entries.len();
        return Err(broken(format!("the plugin listed {entries} blobs of at most {PAGE_ENTRIES_MAX}")));
    }
    if let Some(next) = &wit.next {
        short("cursor", next)?;
    }
    let mut before = last.map(str::to_owned);
    let mut entries = Vec::with_capacity(wit.entries.len());
    for WitListed { path, metadata: wit } in wit.entries {
        let named = |message: &str| {
            let shown: String = path.chars().take(BLOB_PATH_BYTES_MAX).flat_map(char::escape_debug).collect();
            broken(message.to_owned()).with("path", shown)
        };
        let (own, is_folder) = match path.strip_suffix('/') {
            Some(folder) => (folder, true),
            None => (path.as_str(), false),
        };
        check_blob_path(own).map_err(|_| named("the plugin listed what is no path"))?;
        if !path.starts_with(prefix) {
            return Err(named("the plugin listed a path outside of the prefix"));
        }
        if before.as_deref().is_some_and(|before| before >= path.as_str()) {
            return Err(named("the plugin listed paths that do not ascend"));
        }
        let metadata = if is_folder { MetadataBuilder::dir().build() } else { metadata(wit)? };
        before = Some(path.clone());
        entries.push(oio::Entry::with(path, metadata));
    }
    Ok(entries)
}
