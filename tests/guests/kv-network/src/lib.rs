//! A key-value backend that does with the network what a key says, for tests of what the host lets it do.
//!
//! | key | meaning |
//! |---|---|
//! | `connect ADDRESS:PORT` | connects to an address, in just that form |
//! | `dial HOST:PORT` | has the name resolved, and connects, as the SDK does |
//! | `resolve NAME` | the addresses, parted by blanks |
//! | `resolve-then-connect NAME ADDRESS:PORT` | resolves, and connects to that address whatever was answered |
//! | `bind ADDRESS:PORT`, `listen`, `udp` | as they say |
//! | `hold HOST:PORT` | connects and waits for a byte, for as long as it is let |
//! | `hoard` | makes sockets until it can't |
//!
//! What the host denies is answered as `denied`, all else as `other`.

#[cfg(target_arch = "wasm32")]
mod sockets;

#[cfg(not(target_arch = "wasm32"))]
use larder_sdk::Error;
use larder_sdk::kv::{self, Check, Description, Entry, Features, KvBackend, Outcome, Write};
use larder_sdk::{Result, Settings, export_kv_backend};

/// The plugin.
#[derive(Debug)]
pub struct KvNetwork;

impl KvBackend for KvNetwork {
    fn configure(settings: Settings) -> Result<Self> {
        settings.finish().map(|()| Self)
    }

    fn describe(&self) -> Description {
        kv::description(Features::empty())
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        let value = act(key)?.into_bytes();
        Ok(Some(Entry { value, version: 0, expires_in_ms: None }))
    }

    fn commit(&mut self, _checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        // The same as a write, of which a failure may leave in doubt whether it was done.
        let one = |write: Write| act(&write.key).map(|_| Outcome::Written(0));
        writes.into_iter().map(one).collect()
    }
}

#[cfg(target_arch = "wasm32")]
use sockets::act;

#[cfg(not(target_arch = "wasm32"))]
fn act(_key: &str) -> Result<String> {
    Err(Error::denied("only a component has sockets"))
}

larder_sdk::wants!("tcp 127.0.0.1:1 to see what it may", "env HOME to look around");
export_kv_backend!(KvNetwork);
