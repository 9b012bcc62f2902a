//! A key-value store in memory that misbehaves where its settings say so, for tests of the host.
//!
//! A setting names a call and what goes wrong with it: `get: trap`, `scan: unordered`. The words are in
//! [`misdeed::Misdeed`]. Besides:
//!
//! | setting | meaning |
//! |---|---|
//! | `after` | so many calls of each function are answered honestly first (0) |
//! | `amount` | milliseconds of `slow`, millions of rounds of `busy`, MiB of `oversized`, KiB of `leak` (1,000; 50; 9; 1) |
//! | `instances` | `one` or `many`, as which it describes itself (`one`) |
//! | `once` | a file: there already, it traps while it is configured; else it makes it |
//! | `fill` | so many entries `key-0`, `key-1`… of 100 bytes are there from the start (0) |

mod misdeed;
#[path = "../../../../plugins/kv-memory/src/table.rs"]
mod table;

use std::{cell::RefCell, collections::HashMap};

use larder_sdk::kv::{
    self, Change, Check, Description, Entry, Features, KeyedEntry, KvBackend, Outcome, Page, Put, Scan, Write,
};
use larder_sdk::{Error, Handoff, Result, Settings, clock};

use misdeed::Misdeed;
use table::Table;

/// The functions that can be told to misbehave.
const CALLS: [&str; 9] =
    ["configure", "describe", "health", "get", "get-many", "scan", "commit", "save", "restore"];

/// The plugin.
#[derive(Debug)]
pub struct KvHostile {
    table: Table,
    misdeeds: HashMap<&'static str, Misdeed>,
    /// Honest calls left, by function.
    honest: RefCell<HashMap<&'static str, u64>>,
    amount: Option<u64>,
    many: bool,
    lies: u64,
}

impl KvHostile {
    /// What goes wrong with this call, after what ends or delays it was done.
    fn misdeed(&self, call: &'static str) -> Result<Option<Misdeed>> {
        let Some(misdeed) = self.misdeeds.get(call).copied() else { return Ok(None) };
        if let Some(left) = self.honest.borrow_mut().get_mut(call).filter(|left| **left > 0) {
            *left -= 1;
            return Ok(None);
        }
        misdeed.act(self.amount)?;
        Ok(Some(misdeed))
    }

    fn oversized(&self) -> Vec<u8> {
        vec![b'x'; usize::try_from(self.amount.unwrap_or(9)).unwrap_or(9) << 20]
    }

    fn entry(&mut self, key: &str, misdeed: Option<Misdeed>) -> Option<Entry> {
        let mut entry = self.table.get(key, clock::now_ms);
        match (&mut entry, misdeed) {
            (Some(entry), Some(Misdeed::LieVersion)) => {
                self.lies += 1;
                entry.version = u64::MAX - self.lies;
            }
            (entry, Some(Misdeed::Oversized)) => {
                *entry = Some(Entry { value: self.oversized(), version: 1, expires_in_ms: None });
            }
            (Some(entry), Some(Misdeed::Expired)) => entry.expires_in_ms = Some(0),
            _ => {}
        }
        entry
    }

    fn spoil(&self, page: &mut Page, scan: &Scan, misdeed: Misdeed) {
        let found = |key: &str, value: Vec<u8>| KeyedEntry {
            key: key.to_owned(),
            entry: Entry { value, version: 1, expires_in_ms: None },
        };
        match misdeed {
            Misdeed::Unordered => page.entries.reverse(),
            Misdeed::Twice => page.entries.extend(page.entries.last().cloned()),
            Misdeed::Outside => page.entries.push(found("\u{10ffff}outside", vec![])),
            Misdeed::TooMany => {
                page.entries =
                    (0..=scan.limit).map(|n| found(&format!("{}{n:06}", scan.start), vec![])).collect();
            }
            Misdeed::Oversized => page.entries = vec![found(&format!("{}k", scan.start), self.oversized())],
            Misdeed::BadKey => page.entries.insert(0, found("", vec![])),
            Misdeed::Endless => page.next = Some(format!("{}\u{1}", scan.start)),
            Misdeed::GoBack => page.next = Some(scan.start.clone()),
            _ => {}
        }
    }
}

impl KvBackend for KvHostile {
    fn configure(mut settings: Settings) -> Result<Self> {
        let mut misdeeds = HashMap::new();
        for call in CALLS {
            if let Some(misdeed) = settings.one_of(call, &Misdeed::WORDS)? {
                misdeeds.insert(call, misdeed);
            }
        }
        let after = settings.parse("after")?.unwrap_or(0);
        let amount = settings.parse("amount")?;
        let many = settings.one_of("instances", &[("one", false), ("many", true)])?.unwrap_or(false);
        let fill: u32 = settings.parse("fill")?.unwrap_or(0);
        let once: Option<String> = settings.parse("once")?;
        settings.finish()?;
        if let Some(file) = once {
            if std::path::Path::new(&file).exists() {
                std::process::abort();
            }
            std::fs::write(&file, "").map_err(|error| Error::other(error.to_string()))?;
        }
        let honest = RefCell::new(CALLS.map(|call| (call, after)).into());
        let mut hostile = Self { table: Table::default(), misdeeds, honest, amount, many, lies: 0 };
        for n in 0..fill {
            let put = Change::Put(Put { value: vec![b'v'; 100], ttl_ms: None });
            hostile.table.commit(&[], vec![Write { key: format!("key-{n}"), change: put }], 0)?;
        }
        hostile.misdeed("configure")?;
        Ok(hostile)
    }

    fn describe(&self) -> Description {
        let honest = kv::description(Features::all());
        match self.misdeed("describe") {
            Ok(Some(Misdeed::Oversized)) => {
                honest.with_max_key_bytes(u32::MAX).with_max_value_bytes(u32::MAX)
            }
            _ if self.many => honest,
            _ => honest.owning_its_data(),
        }
    }

    fn health(&mut self) -> Result<()> {
        self.misdeed("health").map(drop)
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        let misdeed = self.misdeed("get")?;
        Ok(self.entry(key, misdeed))
    }

    fn get_many(&mut self, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        let misdeed = self.misdeed("get-many")?;
        let mut entries: Vec<_> = keys.iter().map(|key| self.entry(key, misdeed)).collect();
        match misdeed {
            Some(Misdeed::TooMany) => entries.push(None),
            Some(Misdeed::TooFew) => _ = entries.pop(),
            _ => {}
        }
        Ok(entries)
    }

    fn scan(&mut self, scan: &Scan) -> Result<Page> {
        let misdeed = self.misdeed("scan")?;
        let mut page = self.table.scan(scan, clock::now_ms());
        if let Some(misdeed) = misdeed {
            self.spoil(&mut page, scan, misdeed);
        }
        Ok(page)
    }

    fn commit(&mut self, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        let now = clock::now_ms();
        let misdeed = self.misdeed("commit")?;
        let mut outcomes = self.table.commit(&checks, writes, now)?;
        match misdeed {
            Some(Misdeed::TooMany) => outcomes.push(Outcome::Deleted(true)),
            Some(Misdeed::TooFew) => _ = outcomes.pop(),
            Some(Misdeed::WrongOutcome) => outcomes.fill(Outcome::Added(7)),
            Some(Misdeed::TrapAfter) => std::process::abort(),
            _ => {}
        }
        Ok(outcomes)
    }
}

impl Handoff for KvHostile {
    fn save(&mut self) -> Result<Vec<u8>> {
        let misdeed = self.misdeed("save")?;
        Ok(if misdeed == Some(Misdeed::Oversized) { self.oversized() } else { Vec::new() })
    }

    fn restore(&mut self, snapshot: Vec<u8>) -> Result<()> {
        self.misdeed("restore")?;
        if snapshot.is_empty() { Ok(()) } else { Err(Error::unsupported("a snapshot that is not empty")) }
    }
}

larder_sdk::export_kv_backend!(KvHostile, handoff);
