//! Adapters of blob backends and layers.

use std::marker::PhantomData;

use super::cell::{self, Hosted, Started};
use crate::{
    Error, Result, Settings,
    bindings::{
        blob::{exports::larder::store::blob as exported, larder::store::blob as imported},
        lifecycle::exports::larder::store::lifecycle,
    },
    blob::{BlobBackend, BlobLayer, Description, Features, Metadata, NextBlob, Page, PutOptions},
};

/// Adapts a [`BlobBackend`].
#[derive(Debug)]
pub struct BlobBackendExport<P>(PhantomData<P>);

impl<P: BlobBackend + Hosted<Description = Description>> lifecycle::Guest for BlobBackendExport<P> {
    fn configure(settings: Vec<(String, String)>) -> Result<()> {
        cell::start::<P>(|| {
            let plugin = P::configure(Settings::new(settings))?;
            let description = plugin.describe();
            Ok(Started { plugin, description })
        })
    }

    fn health() -> Result<()> {
        cell::call::<P, _>(|started| started.plugin.health())
    }
}

fn refuse(description: &Description, feature: Features, name: &str) -> Result<()> {
    if description.features.contains(feature) {
        return Ok(());
    }
    Err(Error::unsupported(format!("this backend has no {name}")))
}

fn refuse_options(description: &Description, options: &PutOptions) -> Result<()> {
    if options.content_type.is_some() {
        refuse(description, Features::CONTENT_TYPE, "content types")?;
    }
    if !options.user.is_empty() {
        refuse(description, Features::USER_METADATA, "user metadata")?;
    }
    match options.condition {
        Some(crate::blob::Condition::Absent) => {
            refuse(description, Features::IF_ABSENT, "condition `absent`")
        }
        Some(crate::blob::Condition::Etag(_)) => {
            refuse(description, Features::IF_MATCH, "condition on an etag")
        }
        None => Ok(()),
    }
}

impl<P: BlobBackend + Hosted<Description = Description>> exported::Guest for BlobBackendExport<P> {
    fn describe() -> Result<Description> {
        cell::call::<P, _>(|started| Ok(started.description))
    }

    fn stat(path: String) -> Result<Option<Metadata>> {
        cell::call::<P, _>(|started| started.plugin.stat(&path))
    }

    fn read(path: String, offset: u64, length: u32) -> Result<Option<Vec<u8>>> {
        cell::call::<P, _>(|started| started.plugin.read(&path, offset, length))
    }

    fn list(prefix: String, cursor: Option<String>, limit: u32) -> Result<Page> {
        if limit == 0 {
            return Err(Error::invalid("a listing of at most 0 blobs"));
        }
        cell::call::<P, _>(|started| started.plugin.list(&prefix, cursor.as_deref(), limit))
    }

    fn delete_many(paths: Vec<String>) -> Result<Vec<Result<()>>> {
        cell::call::<P, _>(|started| started.plugin.delete_many(&paths))
    }

    fn copy(source: String, target: String) -> Result<()> {
        cell::call::<P, _>(|started| {
            refuse(&started.description, Features::COPY, "copy")?;
            started.plugin.copy(&source, &target)
        })
    }

    fn put(path: String, data: Vec<u8>, options: PutOptions) -> Result<Metadata> {
        cell::call::<P, _>(|started| {
            refuse_options(&started.description, &options)?;
            started.plugin.put(&path, data, options)
        })
    }

    fn begin(path: String, options: PutOptions) -> Result<String> {
        cell::call::<P, _>(|started| {
            refuse(&started.description, Features::MULTIPART, "multipart")?;
            refuse_options(&started.description, &options)?;
            started.plugin.begin(&path, options)
        })
    }

    fn part(upload: String, number: u32, data: Vec<u8>) -> Result<String> {
        cell::call::<P, _>(|started| {
            refuse(&started.description, Features::MULTIPART, "multipart")?;
            started.plugin.part(&upload, number, data)
        })
    }

    fn finish(upload: String, parts: Vec<String>) -> Result<Metadata> {
        cell::call::<P, _>(|started| {
            refuse(&started.description, Features::MULTIPART, "multipart")?;
            started.plugin.finish(&upload, parts)
        })
    }

    fn abort(upload: String) -> Result<()> {
        cell::call::<P, _>(|started| {
            refuse(&started.description, Features::MULTIPART, "multipart")?;
            started.plugin.abort(&upload)
        })
    }
}

/// Adapts a [`BlobLayer`].
#[derive(Debug)]
pub struct BlobLayerExport<P>(PhantomData<P>);

impl<P: BlobLayer + Hosted<Description = ()>> lifecycle::Guest for BlobLayerExport<P> {
    fn configure(settings: Vec<(String, String)>) -> Result<()> {
        cell::start::<P>(|| Ok(Started { plugin: P::configure(Settings::new(settings))?, description: () }))
    }

    fn health() -> Result<()> {
        cell::call::<P, _>(|started| started.plugin.health())
    }
}

impl<P: BlobLayer + Hosted<Description = ()>> exported::Guest for BlobLayerExport<P> {
    fn describe() -> Result<Description> {
        cell::call::<P, _>(|started| started.plugin.describe(&HostBlob))
    }

    fn stat(path: String) -> Result<Option<Metadata>> {
        cell::call::<P, _>(|started| started.plugin.stat(&HostBlob, &path))
    }

    fn read(path: String, offset: u64, length: u32) -> Result<Option<Vec<u8>>> {
        cell::call::<P, _>(|started| started.plugin.read(&HostBlob, &path, offset, length))
    }

    fn list(prefix: String, cursor: Option<String>, limit: u32) -> Result<Page> {
        cell::call::<P, _>(|started| started.plugin.list(&HostBlob, &prefix, cursor.as_deref(), limit))
    }

    fn delete_many(paths: Vec<String>) -> Result<Vec<Result<()>>> {
        cell::call::<P, _>(|started| started.plugin.delete_many(&HostBlob, &paths))
    }

    fn copy(source: String, target: String) -> Result<()> {
        cell::call::<P, _>(|started| started.plugin.copy(&HostBlob, &source, &target))
    }

    fn put(path: String, data: Vec<u8>, options: PutOptions) -> Result<Metadata> {
        cell::call::<P, _>(|started| started.plugin.put(&HostBlob, &path, data, options))
    }

    fn begin(path: String, options: PutOptions) -> Result<String> {
        cell::call::<P, _>(|started| started.plugin.begin(&HostBlob, &path, options))
    }

    fn part(upload: String, number: u32, data: Vec<u8>) -> Result<String> {
        cell::call::<P, _>(|started| started.plugin.part(&HostBlob, &upload, number, data))
    }

    fn finish(upload: String, parts: Vec<String>) -> Result<Metadata> {
        cell::call::<P, _>(|started| started.plugin.finish(&HostBlob, &upload, parts))
    }

    fn abort(upload: String) -> Result<()> {
        cell::call::<P, _>(|started| started.plugin.abort(&HostBlob, &upload))
    }
}

/// The store that the host linked behind this layer.
struct HostBlob;

impl NextBlob for HostBlob {
    fn describe(&self) -> Result<Description> {
        imported::describe()
    }

    fn stat(&self, path: &str) -> Result<Option<Metadata>> {
        imported::stat(path)
    }

    fn read(&self, path: &str, offset: u64, length: u32) -> Result<Option<Vec<u8>>> {
        imported::read(path, offset, length)
    }

    fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        imported::list(prefix, cursor, limit)
    }

    fn delete_many(&self, paths: &[String]) -> Result<Vec<Result<()>>> {
        imported::delete_many(paths)
    }

    fn put(&self, path: &str, data: &[u8], options: &PutOptions) -> Result<Metadata> {
        imported::put(path, data, options)
    }

    fn copy(&self, source: &str, target: &str) -> Result<()> {
        imported::copy(source, target)
    }

    fn begin(&self, path: &str, options: &PutOptions) -> Result<String> {
        imported::begin(path, options)
    }

    fn part(&self, upload: &str, number: u32, data: &[u8]) -> Result<String> {
        imported::part(upload, number, data)
    }

    fn finish(&self, upload: &str, parts: &[String]) -> Result<Metadata> {
        imported::finish(upload, parts)
    }

    fn abort(&self, upload: &str) -> Result<()> {
        imported::abort(upload)
    }
}
