//! An ordered key-value store in the plugin's own memory, with every capability, that hands its entries to the next
//! generation when it is swapped.
//!
//! It imports nothing that can block, so that the host calls it on the caller's own task. What it holds is gone with
//! its instance: after a trap it is empty. `FAILURES.md` says what that means.

mod snapshot;
mod table;

use larder_sdk::kv::{self, Check, Description, Entry, Features, KvBackend, Outcome, Page, Scan, Write};
use larder_sdk::{Handoff, Result, Settings, clock};

use table::Table;

/// The plugin.
#[derive(Debug, Default)]
pub struct KvMemory {
    table: Table,
}

impl KvBackend for KvMemory {
    fn configure(settings: Settings) -> Result<Self> {
        settings.finish()?;
        Ok(Self::default())
    }

    fn describe(&self) -> Description {
        kv::description(Features::all()).owning_its_data()
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        Ok(self.table.get(key, clock::now_ms))
    }

    fn scan(&mut self, scan: &Scan) -> Result<Page> {
        Ok(self.table.scan(scan, clock::now_ms()))
    }

    fn commit(&mut self, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        self.table.commit(&checks, writes, clock::now_ms())
    }
}

impl Handoff for KvMemory {
    fn save(&mut self) -> Result<Vec<u8>> {
        Ok(snapshot::save(&self.table))
    }

    fn restore(&mut self, snapshot: Vec<u8>) -> Result<()> {
        self.table = snapshot::restore(&snapshot)?;
        Ok(())
    }
}

larder_sdk::export_kv_backend!(KvMemory, handoff);
