//! Blobs in a granted folder, with every feature of the contract: atomic and durable puts, parts, conditions,
//! content types, user metadata, entity tags, copies and listings in pages.
//!
//! A blob is one file: a header with what is known of it, then its bytes. So content and metadata become visible
//! together, by one rename. `README.md` has the settings, `FAILURES.md` what happens when something breaks.

mod header;
mod layout;
mod listing;
mod store;
#[cfg(test)]
mod tests;

use larder_sdk::blob::{BlobBackend, Description, Features, Instances, Metadata, Page, PutOptions};
use larder_sdk::{Result, Settings};

use store::{Sharing, Store};

/// The one size of parts but for the last, and the largest `put`: a part's number then says where its bytes go, and
/// parts are written once, in place, in any order.
pub const PART_BYTES: u32 = 1 << 20;

/// How old what is unfinished must be to be taken for left behind, unless the setting says otherwise: a day.
const UNFINISHED_HOURS: u32 = 24;

/// The plugin.
#[derive(Debug)]
pub struct BlobFolder {
    store: Store,
}

impl BlobBackend for BlobFolder {
    fn configure(mut settings: Settings) -> Result<Self> {
        let folder = settings.require("folder")?;
        let sharing = settings.one_of("shared", &[("false", Sharing::Alone), ("true", Sharing::Shared)])?;
        let hours = settings.parse("unfinished-hours")?.unwrap_or(UNFINISHED_HOURS);
        settings.finish()?;
        let store = Store::open(&folder, sharing.unwrap_or(Sharing::Alone))?;
        store.clean(hours)?;
        Ok(Self { store })
    }

    fn describe(&self) -> Description {
        let (features, instances) = match self.store.sharing() {
            Sharing::Alone => (Features::all(), Instances::One),
            // To compare and to replace are two steps of a file system; only who is alone can take them as one.
            Sharing::Shared => (Features::all() - Features::IF_MATCH, Instances::Many),
        };
        Description { features, instances, part_bytes_min: PART_BYTES, part_bytes_max: PART_BYTES }
    }

    fn health(&mut self) -> Result<()> {
        self.store.health()
    }

    fn stat(&mut self, path: &str) -> Result<Option<Metadata>> {
        self.store.stat(path)
    }

    fn read(&mut self, path: &str, offset: u64, length: u32) -> Result<Option<Vec<u8>>> {
        self.store.read(path, offset, length)
    }

    fn list(&mut self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        self.store.list(prefix, cursor, limit)
    }

    fn delete(&mut self, path: &str) -> Result<()> {
        self.store.delete(path)
    }

    fn put(&mut self, path: &str, data: Vec<u8>, options: PutOptions) -> Result<Metadata> {
        self.store.put(path, &data, options)
    }

    fn copy(&mut self, source: &str, target: &str) -> Result<()> {
        self.store.copy(source, target)
    }

    fn begin(&mut self, path: &str, options: PutOptions) -> Result<String> {
        self.store.begin(path, options)
    }

    fn part(&mut self, upload: &str, number: u32, data: Vec<u8>) -> Result<String> {
        self.store.part(upload, number, &data)
    }

    fn finish(&mut self, upload: &str, parts: Vec<String>) -> Result<Metadata> {
        self.store.finish(upload, &parts)
    }

    fn abort(&mut self, upload: &str) -> Result<()> {
        self.store.abort(upload)
    }
}

larder_sdk::export_blob_backend!(BlobFolder);
