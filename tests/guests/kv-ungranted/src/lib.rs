//! A key-value backend that imports `wasi:sockets`. A host that grants no network refuses it and names the import.

use larder_sdk::kv::{self, Check, Description, Entry, Features, KvBackend, Outcome, Write};
use larder_sdk::{Error, Result, Settings, export_kv_backend};

/// The plugin.
#[derive(Debug)]
pub struct KvUngranted;

impl KvBackend for KvUngranted {
    fn configure(settings: Settings) -> Result<Self> {
        settings.finish()?;
        Ok(Self)
    }

    fn describe(&self) -> Description {
        kv::description(Features::empty())
    }

    fn health(&mut self) -> Result<()> {
        connect()
    }

    fn get(&mut self, _key: &str) -> Result<Option<Entry>> {
        connect().map(|()| None)
    }

    fn commit(&mut self, _checks: Vec<Check>, _writes: Vec<Write>) -> Result<Vec<Outcome>> {
        Err(Error::denied("there is nothing to write to"))
    }
}

#[cfg(target_arch = "wasm32")]
fn connect() -> Result<()> {
    use wasip2::sockets::{network::IpAddressFamily, tcp_create_socket::create_tcp_socket};

    create_tcp_socket(IpAddressFamily::Ipv4).map(drop).map_err(|code| Error::denied(code.message()))
}

#[cfg(not(target_arch = "wasm32"))]
fn connect() -> Result<()> {
    Err(Error::denied("only a component has sockets"))
}

export_kv_backend!(KvUngranted);
