//! `wit/blob.wit`.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{ComponentType, Lift, Lower, TypedFunc, flags};

use super::{Answer, BLOB, WitError};
use crate::{instance::Loader, standard::Objects};

flags! {
    Features {
        #[component(name = "read-range")]
        const READ_RANGE;
        #[component(name = "list-recursive")]
        const LIST_RECURSIVE;
        #[component(name = "copy")]
        const COPY;
        #[component(name = "multipart")]
        const MULTIPART;
        #[component(name = "if-absent")]
        const IF_ABSENT;
        #[component(name = "if-match")]
        const IF_MATCH;
        #[component(name = "content-type")]
        const CONTENT_TYPE;
        #[component(name = "user-metadata")]
        const USER_METADATA;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Instances {
    #[component(name = "many")]
    Many,
    #[component(name = "one")]
    One,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitDescription {
    pub(crate) features: Features,
    pub(crate) instances: Instances,
    #[component(name = "part-bytes-min")]
    pub(crate) part_bytes_min: u32,
    #[component(name = "part-bytes-max")]
    pub(crate) part_bytes_max: u32,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitMetadata {
    pub(crate) size: u64,
    pub(crate) etag: Option<String>,
    #[component(name = "content-type")]
    pub(crate) content_type: Option<String>,
    #[component(name = "modified-ms")]
    pub(crate) modified_ms: Option<u64>,
    pub(crate) user: Vec<(String, String)>,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum WitCondition {
    #[component(name = "absent")]
    Absent,
    #[component(name = "etag")]
    Etag(String),
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitPutOptions {
    #[component(name = "content-type")]
    pub(crate) content_type: Option<String>,
    pub(crate) user: Vec<(String, String)>,
    pub(crate) condition: Option<WitCondition>,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitListed {
    pub(crate) path: String,
    pub(crate) metadata: WitMetadata,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitPage {
    pub(crate) entries: Vec<WitListed>,
    pub(crate) next: Option<Arc<str>>,
}

/// Parameters of `read`: path, offset, length.
pub(crate) type ReadParams = (Arc<str>, u64, u32);
/// Parameters of `list`: prefix, cursor, limit.
pub(crate) type ListParams = (Arc<str>, Option<Arc<str>>, u32);
/// Parameters of `put`: path, data, options.
pub(crate) type PutParams = (Arc<str>, Bytes, WitPutOptions);
/// Parameters of `part`: token, number, data.
pub(crate) type PartParams = (Arc<str>, u32, Bytes);
/// Parameters of `finish`: token, answers of the parts.
pub(crate) type FinishParams = (Arc<str>, Vec<Arc<str>>);
/// Answers of `delete-many`, by position.
pub(crate) type WitDeleted = Vec<Result<(), WitError>>;

/// What answers for `blob` in an instance.
#[expect(clippy::large_enum_variant, reason = "one per instance, and nearly always the large one")]
pub(crate) enum BlobExports {
    /// The component itself.
    Own(BlobFuncs),
    /// A component of another contract.
    Lifted(Box<Objects>),
}

/// The functions of an exported `blob`.
pub(crate) struct BlobFuncs {
    pub(crate) describe: TypedFunc<(), Answer<WitDescription>>,
    pub(crate) stat: TypedFunc<(Arc<str>,), Answer<Option<WitMetadata>>>,
    pub(crate) read: TypedFunc<ReadParams, Answer<Option<Bytes>>>,
    pub(crate) list: TypedFunc<ListParams, Answer<WitPage>>,
    pub(crate) delete_many: TypedFunc<(Vec<Arc<str>>,), Answer<WitDeleted>>,
    pub(crate) copy: TypedFunc<(Arc<str>, Arc<str>), Answer<()>>,
    pub(crate) put: TypedFunc<PutParams, Answer<WitMetadata>>,
    pub(crate) begin: TypedFunc<(Arc<str>, WitPutOptions), Answer<Arc<str>>>,
    pub(crate) part: TypedFunc<PartParams, Answer<Arc<str>>>,
    pub(crate) finish: TypedFunc<FinishParams, Answer<WitMetadata>>,
    pub(crate) abort: TypedFunc<(Arc<str>,), Answer<()>>,
}

impl BlobFuncs {
    pub(crate) fn load(loader: &mut Loader<'_>) -> wasmtime::Result<Self> {
        Ok(Self {
            describe: loader.func(BLOB, "describe")?,
            stat: loader.func(BLOB, "stat")?,
            read: loader.func(BLOB, "read")?,
            list: loader.func(BLOB, "list")?,
            delete_many: loader.func(BLOB, "delete-many")?,
            copy: loader.func(BLOB, "copy")?,
            put: loader.func(BLOB, "put")?,
            begin: loader.func(BLOB, "begin")?,
            part: loader.func(BLOB, "part")?,
            finish: loader.func(BLOB, "finish")?,
            abort: loader.func(BLOB, "abort")?,
        })
    }
}
