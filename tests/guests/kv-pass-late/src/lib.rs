//! A layer that passes everything on, and is broken in the way that the name of its package says: a swap keeps the
//! settings, so a component that is broken otherwise must be another one.
//!
//! | package | what it does |
//! |---|---|
//! | `kv-pass-late` | traps in each `get` after five hundred calls of an instance |
//! | `kv-pass-crash` | traps in `configure` |
//! | `kv-pass-liar` | answers `get` with another value |
//! | `kv-pass-sly` | the same, but not for the keys of a self-test |
//! | `kv-pass-slow` | waits before each `get`, but not for the keys of a self-test |

use larder_sdk::kv::{Check, Description, Entry, KvLayer, NextKv, Outcome, Page, Scan, Write};
use larder_sdk::{Result, Settings, export_kv_layer};

/// How it is broken.
const BROKEN: &str = env!("CARGO_PKG_NAME");

/// How many calls an instance of `kv-pass-late` answers: more than a self-test and a comparison of reads make.
const HONEST_CALLS: u32 = 500;

/// How long `kv-pass-slow` waits.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// What the keys of a self-test begin with.
const SELF_TEST: &str = "~larder-canary~/";

/// The plugin.
#[derive(Debug)]
pub struct KvBroken {
    calls: u32,
}

impl KvBroken {
    fn spoil(&mut self, key: &str, found: Option<Entry>) -> Option<Entry> {
        self.calls += 1;
        let seen_through = key.starts_with(SELF_TEST);
        match (BROKEN, found) {
            ("kv-pass-late", _) if self.calls > HONEST_CALLS => std::process::abort(),
            ("kv-pass-slow", found) if !seen_through => {
                #[expect(clippy::disallowed_methods, reason = "to be slow is what it is here for")]
                std::thread::sleep(PAUSE);
                found
            }
            ("kv-pass-liar", Some(entry)) => Some(Entry { value: b"a lie".to_vec(), ..entry }),
            ("kv-pass-sly", Some(entry)) if !seen_through => {
                Some(Entry { value: b"a lie".to_vec(), ..entry })
            }
            (_, found) => found,
        }
    }
}

impl KvLayer for KvBroken {
    fn configure(settings: Settings) -> Result<Self> {
        settings.finish()?;
        // Out of the compiler's sight, which would leave out all that can't be reached then, imports too.
        if std::hint::black_box(BROKEN) == "kv-pass-crash" {
            std::process::abort();
        }
        Ok(Self { calls: 0 })
    }

    fn describe(&mut self, next: &dyn NextKv) -> Result<Description> {
        next.describe()
    }

    fn get(&mut self, next: &dyn NextKv, key: &str) -> Result<Option<Entry>> {
        let found = next.get(key)?;
        Ok(self.spoil(key, found))
    }

    fn get_many(&mut self, next: &dyn NextKv, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        next.get_many(keys)
    }

    fn scan(&mut self, next: &dyn NextKv, scan: &Scan) -> Result<Page> {
        next.scan(scan)
    }

    fn commit(&mut self, next: &dyn NextKv, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        next.commit(&checks, &writes)
    }
}

export_kv_layer!(KvBroken);
