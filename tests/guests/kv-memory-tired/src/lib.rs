//! `kv-memory`, that answers a hundred reads and then every one with an error. It keeps what it has, and hands it over.

#[path = "../../../../plugins/kv-memory/src/snapshot.rs"]
mod snapshot;
#[path = "../../../../plugins/kv-memory/src/table.rs"]
mod table;

use larder_sdk::kv::{self, Check, Description, Entry, Features, KvBackend, Outcome, Page, Scan, Write};
use larder_sdk::{Error, Handoff, Result, Settings, clock};

use table::Table;

/// How many reads it answers: more than a self-test makes.
const HONEST_READS: u32 = 100;

/// The plugin.
#[derive(Debug, Default)]
pub struct KvMemoryTired {
    table: Table,
    reads: u32,
}

impl KvBackend for KvMemoryTired {
    fn configure(settings: Settings) -> Result<Self> {
        settings.finish()?;
        Ok(Self::default())
    }

    fn describe(&self) -> Description {
        kv::description(Features::all()).owning_its_data()
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        self.reads += 1;
        if self.reads > HONEST_READS {
            return Err(Error::other("tired"));
        }
        Ok(self.table.get(key, clock::now_ms))
    }

    fn scan(&mut self, scan: &Scan) -> Result<Page> {
        Ok(self.table.scan(scan, clock::now_ms()))
    }

    fn commit(&mut self, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        self.table.commit(&checks, writes, clock::now_ms())
    }
}

impl Handoff for KvMemoryTired {
    fn save(&mut self) -> Result<Vec<u8>> {
        Ok(snapshot::save(&self.table))
    }

    fn restore(&mut self, snapshot: Vec<u8>) -> Result<()> {
        self.table = snapshot::restore(&snapshot)?;
        Ok(())
    }
}

larder_sdk::export_kv_backend!(KvMemoryTired, handoff);
