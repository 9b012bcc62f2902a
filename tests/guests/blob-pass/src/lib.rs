//! A blob layer that passes everything on: what a hop costs, and the least that a layer is.

use larder_sdk::blob::{BlobLayer, Description, Metadata, NextBlob, Page, PutOptions};
use larder_sdk::{Result, Settings, export_blob_layer};

/// The plugin.
#[derive(Debug)]
pub struct BlobPass;

impl BlobLayer for BlobPass {
    fn configure(settings: Settings) -> Result<Self> {
        settings.finish()?;
        Ok(Self)
    }

    fn describe(&mut self, next: &dyn NextBlob) -> Result<Description> {
        next.describe()
    }

    fn stat(&mut self, next: &dyn NextBlob, path: &str) -> Result<Option<Metadata>> {
        next.stat(path)
    }

    fn read(&mut self, next: &dyn NextBlob, path: &str, offset: u64, length: u32) -> Result<Option<Vec<u8>>> {
        next.read(path, offset, length)
    }

    fn list(&mut self, next: &dyn NextBlob, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        next.list(prefix, cursor, limit)
    }

    fn put(
        &mut self,
        next: &dyn NextBlob,
        path: &str,
        data: Vec<u8>,
        options: PutOptions,
    ) -> Result<Metadata> {
        next.put(path, &data, &options)
    }

    fn begin(&mut self, next: &dyn NextBlob, path: &str, options: PutOptions) -> Result<String> {
        next.begin(path, &options)
    }

    fn part(&mut self, next: &dyn NextBlob, upload: &str, number: u32, data: Vec<u8>) -> Result<String> {
        next.part(upload, number, &data)
    }

    fn finish(&mut self, next: &dyn NextBlob, upload: &str, parts: Vec<String>) -> Result<Metadata> {
        next.finish(upload, &parts)
    }
}

export_blob_layer!(BlobPass);
