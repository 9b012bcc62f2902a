//! What S3 promises and `s3s-fs` does not: a condition and the write under it are one step, and so are an object and
//! its metadata.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    iter,
};

use s3s::{
    S3, S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopySource, CreateBucketInput,
        CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput,
        DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, ETag, ETagCondition, GetObjectInput,
        GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
        ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput, StreamingBlob,
        UploadPartInput, UploadPartOutput,
    },
    s3_error,
};
use s3s_fs::FileSystem;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locks that keys are spread over.
const LOCKS: usize = 64;

/// `s3s-fs` with one lock per key (or some keys): who changes an object is alone with it, who looks at one sees no
/// change half done.
#[derive(Debug)]
pub struct Atomic {
    files: FileSystem,
    locks: Vec<RwLock<()>>,
}

impl Atomic {
    pub(super) fn new(files: FileSystem) -> Self {
        Self { files, locks: iter::repeat_with(RwLock::default).take(LOCKS).collect() }
    }

    fn place(&self, key: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or_default()
    }

    async fn write(&self, key: &str) -> RwLockWriteGuard<'_, ()> {
        #[expect(clippy::indexing_slicing, reason = "the place is below the number of locks")]
        self.locks[self.place(key)].write().await
    }

    async fn read(&self, key: &str) -> RwLockReadGuard<'_, ()> {
        #[expect(clippy::indexing_slicing, reason = "the place is below the number of locks")]
        self.locks[self.place(key)].read().await
    }
}

/// The bytes of a body, before a lock is taken: a client that is slow must not keep others waiting.
async fn received(body: Option<StreamingBlob>) -> S3Result<Option<StreamingBlob>> {
    use futures::TryStreamExt as _;
    let Some(body) = body else { return Ok(None) };
    let pieces: Vec<_> = body.try_collect().await.map_err(|_| s3_error!(IncompleteBody))?;
    Ok(Some(StreamingBlob::from(s3s::Body::from(bytes::Bytes::from(pieces.concat())))))
}

/// Whether `if-match` lets a read through; `s3s-fs` does not look at it.
fn matches(condition: Option<&ETagCondition>, etag: Option<&ETag>) -> bool {
    match (condition, etag) {
        (None | Some(ETagCondition::Any), _) => true,
        (Some(ETagCondition::ETag(wanted)), Some(etag)) => etag.strong_cmp(wanted),
        (Some(ETagCondition::ETag(_)), None) => false,
    }
}

#[async_trait::async_trait]
impl S3 for Atomic {
    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(req).await
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(req).await
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        req.input.body = received(req.input.body.take()).await?;
        let _lock = self.write(&req.input.key).await;
        self.files.put_object(req).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let _lock = self.read(&req.input.key).await;
        let condition = req.input.if_match.clone();
        let answer = self.files.get_object(req).await?;
        if !matches(condition.as_ref(), answer.output.e_tag.as_ref()) {
            return Err(s3_error!(PreconditionFailed));
        }
        Ok(answer)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let _lock = self.read(&req.input.key).await;
        self.files.head_object(req).await
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let _lock = self.write(&req.input.key).await;
        self.files.delete_object(req).await
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.files.delete_objects(req).await
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let source = match &req.input.copy_source {
            CopySource::Bucket { key, .. } => self.place(key),
            _ => self.place(&req.input.key),
        };
        let target = self.place(&req.input.key);
        // Both, and always in this order: two copies the other way round would wait for each other.
        let (first, second) = (source.min(target), source.max(target));
        let _first = self.locks.get(first).ok_or_else(|| s3_error!(InternalError))?.write().await;
        let _second = match self.locks.get(second) {
            Some(lock) if second != first => Some(lock.write().await),
            _ => None,
        };
        self.files.copy_object(req).await
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.files.list_objects_v2(req).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.files.create_multipart_upload(req).await
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.files.upload_part(req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let _lock = self.write(&req.input.key).await;
        let completed = self.files.complete_multipart_upload(req).await;
        completed.map_err(gone)
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.files.abort_multipart_upload(req).await.map_err(gone)
    }
}

/// `s3s-fs` answers for an upload that it does not know (any more) as for one of somebody else's.
fn gone(error: s3s::S3Error) -> s3s::S3Error {
    if *error.code() == s3s::S3ErrorCode::AccessDenied { s3_error!(NoSuchUpload) } else { error }
}
