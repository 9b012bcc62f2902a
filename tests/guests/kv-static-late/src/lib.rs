//! `kv-static`, that answers five hundred reads in each instance and traps in all that come later.

use larder_sdk::kv::{self, Check, Description, Entry, Features, KvBackend, Outcome, Page, Scan, Write};
use larder_sdk::{Error, Result, Settings};

/// How many reads an instance answers: more than a self-test and a comparison of reads make.
const HONEST_CALLS: u32 = 500;

/// The plugin.
#[derive(Debug)]
pub struct KvStaticLate {
    calls: u32,
}

impl KvBackend for KvStaticLate {
    fn configure(settings: Settings) -> Result<Self> {
        settings.finish()?;
        Ok(Self { calls: 0 })
    }

    fn describe(&self) -> Description {
        kv::description(Features::empty())
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        self.calls += 1;
        if self.calls > HONEST_CALLS {
            std::process::abort();
        }
        let is_there = key.parse::<u32>().is_ok_and(|n| n < 1_000 && n.to_string() == key);
        Ok(is_there.then(|| Entry { value: vec![b'x'; 100], version: 0, expires_in_ms: None }))
    }

    fn scan(&mut self, _scan: &Scan) -> Result<Page> {
        Err(Error::Unsupported("scan".into()))
    }

    fn commit(&mut self, _checks: Vec<Check>, _writes: Vec<Write>) -> Result<Vec<Outcome>> {
        Err(Error::Denied("the data is fixed".into()))
    }
}

larder_sdk::export_kv_backend!(KvStaticLate);
