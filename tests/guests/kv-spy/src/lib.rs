//! A key-value backend that tries to see and reach what it was not granted, as a key says, for tests of the host.
//!
//! | key | meaning |
//! |---|---|
//! | `env`, `arguments`, `input`, `here` | all variables; the arguments; the standard input; the working folder |
//! | `list PATH`, `read PATH` | what is in a folder, a file |
//! | `write PATH`, `cut PATH`, `remove PATH`, `make PATH` | a file with `spy` in it; an empty one; none; a folder |
//! | `move FROM TO`, `link FROM TO`, `point AT FROM` | a rename, a hard link, a symbolic link |
//! | `exit CODE` | ends the program |
//! | `say`, `err` | lines that would forge others, in the log and on standard error; the same in an error |
//! | `text`, `outside`, `giant`, `bad-page` | an answer that is no answer: see [`lies`] |
//! | `forge`, `forge-drop`, `random` | a handle that it never got; a GiB of random bytes |
//!
//! What the system refuses is answered as `denied`, with what it said. Each deed may be had from a `commit` as well.

#[cfg(target_arch = "wasm32")]
mod deeds;
mod lies;

#[cfg(not(target_arch = "wasm32"))]
use larder_sdk::Error;
use larder_sdk::kv::{self, Check, Description, Entry, Features, KvBackend, Outcome, Page, Scan, Write};
use larder_sdk::{Result, Settings, export_kv_backend};

/// The plugin.
#[derive(Debug)]
pub struct KvSpy;

impl KvBackend for KvSpy {
    fn configure(settings: Settings) -> Result<Self> {
        // Whatever they are: they may be secret, and it is the host that must not tell them.
        drop(settings);
        Ok(Self)
    }

    fn describe(&self) -> Description {
        kv::description(Features::SCAN)
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        if let Some(lie) = lies::value(key)? {
            return Ok(Some(Entry { value: lie, version: 0, expires_in_ms: None }));
        }
        let value = act(key)?.into_bytes();
        Ok(Some(Entry { value, version: 0, expires_in_ms: None }))
    }

    fn scan(&mut self, scan: &Scan) -> Result<Page> {
        Ok(lies::page(&scan.start))
    }

    fn commit(&mut self, _checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        let one = |write: Write| act(&write.key).map(|_| Outcome::Written(0));
        writes.into_iter().map(one).collect()
    }
}

#[cfg(target_arch = "wasm32")]
use deeds::act;

#[cfg(not(target_arch = "wasm32"))]
fn act(_key: &str) -> Result<String> {
    Err(Error::denied("only a component can be a spy"))
}

export_kv_backend!(KvSpy);
