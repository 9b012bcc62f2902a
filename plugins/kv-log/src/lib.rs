//! A key-value store in an append-only log in a granted folder: crash-safe, with every capability.
//!
//! The design is Bitcask's: all writes go to the end of a log, an index in memory says where each live entry lies.
//! `README.md` has the settings, `FAILURES.md` what happens when something breaks. The folder belongs to one
//! instance: the plugin declares `instances: one`, and the host keeps a second process away, since WASI has no locks.

mod log;

use larder_sdk::folder::Folder;
use larder_sdk::kv::{self, Check, Description, Entry, Features, KvBackend, Outcome, Page, Scan, Write};
use larder_sdk::{Error, Result, Settings, clock, info};

use log::{Durability, Log, Options, disk::FolderDisk};

/// Where the log lies unless the setting `folder` says otherwise.
const FOLDER: &str = "/data";

/// A segment's size unless the setting `segment` says otherwise, and the least it may say.
const SEGMENT_BYTES_MAX: u64 = 16 << 20;
const SEGMENT_BYTES_MAX_LEAST: u64 = 4 << 10;

/// The index's size unless the setting `index` says otherwise: leaves room for the largest commit and more in the
/// 256 MiB that a host grants by default.
const INDEX_BYTES_MAX: u64 = 96 << 20;

/// Told in the log line of a start; the only thing in which the second build differs.
const BUILD: &str = if cfg!(feature = "second-build") { "second" } else { "first" };

/// The plugin.
#[derive(Debug)]
pub struct KvLog {
    log: Log<FolderDisk>,
}

impl KvBackend for KvLog {
    fn configure(mut settings: Settings) -> Result<Self> {
        let folder = settings.take("folder").unwrap_or_else(|| FOLDER.to_owned());
        let durabilities = [("full", Durability::Full), ("os", Durability::Os)];
        let options = Options {
            durability: settings.one_of("durability", &durabilities)?.unwrap_or(Durability::Full),
            segment_bytes_max: settings.parse("segment")?.unwrap_or(SEGMENT_BYTES_MAX),
            index_bytes_max: settings.parse("index")?.unwrap_or(INDEX_BYTES_MAX),
        };
        settings.finish()?;
        if options.segment_bytes_max < SEGMENT_BYTES_MAX_LEAST {
            return Err(Error::invalid(format!(
                "the setting `segment`: at least {SEGMENT_BYTES_MAX_LEAST} bytes"
            )));
        }
        let disk = FolderDisk::new(Folder::open(&folder)?);
        let log = Log::open(disk, options, clock::now_ms())?;
        info!("kv-log ({BUILD} build) opened {folder}: {}", log.summary());
        Ok(Self { log })
    }

    fn describe(&self) -> Description {
        kv::description(Features::all()).owning_its_data()
    }

    fn health(&mut self) -> Result<()> {
        self.log.health()
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        self.log.get(key, clock::now_ms())
    }

    fn scan(&mut self, scan: &Scan) -> Result<Page> {
        self.log.scan(scan, clock::now_ms())
    }

    fn commit(&mut self, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        self.log.commit(&checks, writes, clock::now_ms())
    }
}

larder_sdk::export_kv_backend!(KvLog);
