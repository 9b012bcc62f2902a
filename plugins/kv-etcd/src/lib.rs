//! Entries in etcd, by the gateway that answers its third version in JSON: scans, times to live to the millisecond, versions,
//! transactions and counters.
//!
//! A version is etcd's own revision of the key. A commit is one transaction of etcd (`commit`). A value is kept in an envelope
//! with the moment of its expiry (`envelope`), since etcd's leases (`lease`) count seconds and end late: they only sweep.
//! `gateway` asks the endpoints and says what a failure means, `wire` is the JSON.
//!
//! `FAILURES.md` says what is promised when something breaks.

mod commit;
mod envelope;
mod gateway;
mod lease;
#[cfg(test)]
mod tests;
mod wire;

use std::{collections::BTreeMap, time::Duration};

use larder_sdk::http::{Client, Timeouts, Url};
use larder_sdk::kv::{
    self, Check, Description, Entry, Features, KvBackend, Outcome, Page, PageBuilder, Scan, Write,
};
use larder_sdk::{Error, Result, Settings, clock};
use serde_json::Value;

use envelope::Envelope;
use gateway::{Effect, Gateway, Login, Refused, Why};
use wire::{Stored, What};

/// Before each key, unless the settings say otherwise.
const PREFIX: &str = "larder/";

/// Longest prefix, in bytes: it is sent with each key.
const PREFIX_BYTES_MAX: usize = 256;

/// Largest request that etcd takes unless it was started with another `--max-request-bytes`.
const REQUEST_BYTES: u32 = 1_536 << 10;

/// Least `request_bytes` of a server that is of use: there has to be room for a key.
const REQUEST_BYTES_MIN: u32 = 64 << 10;

/// What a request needs beside its keys and values, in bytes, with room to spare.
const REQUEST_OVERHEAD_BYTES: u32 = 16 << 10;

/// What an entry takes of a request beside its key and value, in bytes: envelope, lease, and the frames of protobuf.
const ENTRY_OVERHEAD_BYTES: usize = 96;

/// Keys that are read at once, unless their values turn out to be large.
const BATCH: usize = 64;

/// Longest wait for a connection, TLS included; less where `timeout_ms` is less.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Longest wait for an answer unless the settings say otherwise.
const TIMEOUT_MS: u32 = 5_000;

/// The plugin.
#[derive(Debug)]
pub struct KvEtcd {
    gateway: Gateway,
    prefix: String,
    request_bytes: u32,
}

impl KvBackend for KvEtcd {
    fn configure(settings: Settings) -> Result<Self> {
        Self::with_client(settings, Client::new())
    }

    fn describe(&self) -> Description {
        let longest = "k".repeat(kv::KEY_BYTES_MAX as usize);
        let reserved = u32::try_from(self.entry_bytes(&longest)).unwrap_or(u32::MAX) + REQUEST_OVERHEAD_BYTES;
        let value_bytes_max = self.request_bytes.saturating_sub(reserved).min(kv::VALUE_BYTES_MAX);
        kv::description(Features::all()).with_max_value_bytes(value_bytes_max)
    }

    fn health(&mut self) -> Result<()> {
        self.look_around()
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        Ok(self.get_many(&[key.to_owned()])?.pop().flatten())
    }

    fn get_many(&mut self, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        let names: Vec<String> = keys.iter().map(|key| self.name(key)).collect();
        let found = self.fetch(&names)?;
        let now_ms = clock::now_ms();
        let entry = |(key, stored): (&String, Option<Stored>)| match stored {
            None => Ok(None),
            Some(stored) => live(stored, now_ms).map_err(|error| error.context(key)),
        };
        keys.iter().zip(found).map(entry).collect()
    }

    fn scan(&mut self, scan: &Scan) -> Result<Page> {
        let mut page = PageBuilder::new(scan);
        if scan.is_empty() {
            return Ok(page.ending());
        }
        let mut start = self.raw(&scan.start);
        let end = scan.end.as_ref().map_or_else(|| after_all(&self.prefix), |end| self.raw(end));
        let what = if scan.keys_only { What::Keys } else { What::Values };
        let mut batch = (scan.limit as usize).saturating_add(1);
        if what == What::Values {
            batch = batch.min(BATCH);
        }
        loop {
            let body = wire::range(&start, &end, batch, &what);
            let answer = match self.gateway.ask(Effect::Reads, "/v3/kv/range", &body) {
                Err(Refused { why: Why::TooLarge, .. }) if batch > 1 => {
                    batch = (batch / 4).max(1);
                    continue;
                }
                answer => answer?,
            };
            let found = wire::entries(&answer)?;
            let Some(last) = found.last().map(|stored| stored.key.clone()) else { return Ok(page.ending()) };
            for (key, entry) in self.opened(found, what)? {
                if !page.has_room(&key, entry.value.len()) {
                    return Ok(page.ending_before(key));
                }
                page.push(key, entry);
            }
            if !wire::is_true(&answer, "more") {
                return Ok(page.ending());
            }
            // The next possible key.
            start = last;
            start.push(0);
        }
    }

    fn commit(&mut self, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        self.apply(&checks, &writes)
    }
}

impl KvEtcd {
    /// With another client, which tests have.
    fn with_client(mut settings: Settings, client: Client) -> Result<Self> {
        let endpoints = endpoints(&settings.require("url")?)?;
        let prefix = settings.take("prefix").unwrap_or_else(|| PREFIX.to_owned());
        if prefix.len() > PREFIX_BYTES_MAX || !prefix.ends_with('/') || !prefix.bytes().all(is_plain) {
            return Err(Error::invalid(format!(
                "the setting `prefix`: expected up to {PREFIX_BYTES_MAX} ASCII characters without blanks, the last of them `/`"
            )));
        }
        let request_bytes = settings.parse::<u32>("request_bytes")?.unwrap_or(REQUEST_BYTES);
        if request_bytes < REQUEST_BYTES_MIN {
            return Err(Error::invalid(format!(
                "the setting `request_bytes`: expected etcd's --max-request-bytes, {REQUEST_BYTES_MIN} or more"
            )));
        }
        let timeout_ms = settings.parse::<u32>("timeout_ms")?.unwrap_or(TIMEOUT_MS);
        if timeout_ms == 0 {
            return Err(Error::invalid("the setting `timeout_ms`: expected 1 or more"));
        }
        let wait = Duration::from_millis(timeout_ms.into());
        let timeouts = Timeouts { connect: wait.min(CONNECT_MAX), first_byte: wait, between_bytes: wait };
        let login = match (settings.take("user"), settings.take("password")) {
            (None, None) => None,
            (Some(user), Some(password)) => Some(Login { user, password }),
            _ => {
                return Err(Error::invalid(
                    "the settings `user` and `password` are given both or not at all",
                ));
            }
        };
        settings.finish()?;
        let gateway = Gateway::new(client, endpoints, timeouts, login);
        let mut this = Self { gateway, prefix, request_bytes };
        this.look_around()?;
        Ok(this)
    }

    /// Reads nothing of what may be read, by a majority of the servers.
    fn look_around(&mut self) -> Result<()> {
        let body = wire::range(self.prefix.as_bytes(), &after_all(&self.prefix), 1, &What::Keys);
        self.gateway.ask(Effect::Reads, "/v3/kv/range", &body)?;
        Ok(())
    }

    fn raw(&self, key: &str) -> Vec<u8> {
        format!("{}{key}", self.prefix).into_bytes()
    }

    /// A key as the gateway has it.
    fn name(&self, key: &str) -> String {
        wire::encode(&self.raw(key))
    }

    /// What an entry takes of a request beside its value: its key stands there up to three times.
    fn entry_bytes(&self, key: &str) -> usize {
        3 * (self.prefix.len() + key.len()) + ENTRY_OVERHEAD_BYTES
    }

    /// What is stored under these names, by position. Read in as few requests as the values allow.
    fn fetch(&mut self, names: &[String]) -> Result<Vec<Option<Stored>>> {
        let mut found = Vec::with_capacity(names.len());
        let (mut rest, mut batch) = (names, BATCH);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(batch.min(rest.len()));
            let reads: Vec<Value> = now.iter().map(|name| wire::read(name)).collect();
            let body = wire::txn(Vec::new(), reads)?;
            match self.gateway.ask(Effect::Reads, "/v3/kv/txn", &body) {
                Err(Refused { why: Why::TooLarge, .. }) if now.len() > 1 => batch = (now.len() / 4).max(1),
                Err(refused) => return Err(refused.into()),
                Ok(answer) => {
                    let responses = wire::responses(&answer);
                    if responses.len() != now.len() {
                        return Err(wire::unexpected("responses"));
                    }
                    for response in responses {
                        found.push(wire::found(response)?);
                    }
                    rest = later;
                }
            }
        }
        Ok(found)
    }

    /// The entries of a range that have not expired. Of keys alone, only one with a lease can have: its value is read.
    fn opened(&mut self, found: Vec<Stored>, what: What) -> Result<Vec<(String, Entry)>> {
        let is_leased = |stored: &&Stored| what == What::Keys && stored.lease != 0;
        let names: Vec<String> =
            found.iter().filter(is_leased).map(|stored| wire::encode(&stored.key)).collect();
        let read = self.fetch(&names)?;
        let mut read: BTreeMap<Vec<u8>, Stored> =
            read.into_iter().flatten().map(|stored| (stored.key.clone(), stored)).collect();
        let now_ms = clock::now_ms();
        let mut all = Vec::with_capacity(found.len());
        for stored in found {
            let key = stored.key.strip_prefix(self.prefix.as_bytes()).unwrap_or(&stored.key);
            let key = String::from_utf8(key.to_vec())
                .map_err(|_| Error::corrupt("a key below the prefix was not written by this plugin"))?;
            let entry = if what == What::Values {
                live(stored, now_ms)
            } else if stored.lease == 0 {
                Ok(Some(Entry { version: stored.revision, expires_in_ms: None, value: Vec::new() }))
            } else {
                let read = read.remove(&stored.key).map(|stored| live(stored, now_ms)).transpose();
                read.map(|entry| entry.flatten().map(|entry| Entry { value: Vec::new(), ..entry }))
            };
            if let Some(entry) = entry.map_err(|error| error.context(&key))? {
                all.push((key, entry));
            }
        }
        Ok(all)
    }
}

/// What is stored, unless it has expired.
fn live(stored: Stored, now_ms: u64) -> Result<Option<Entry>> {
    let envelope = Envelope::open(stored.value)?;
    Ok(envelope.is_live(now_ms).then(|| Entry {
        version: stored.revision,
        expires_in_ms: envelope.expires_at_ms.map(|at| at.saturating_sub(now_ms)),
        value: envelope.value,
    }))
}

/// The first key behind all that begin so. The prefix ends with `/`, so its last byte has a next one.
fn after_all(prefix: &str) -> Vec<u8> {
    let mut bytes = prefix.as_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last = last.saturating_add(1);
    }
    bytes
}

/// The addresses of a setting, with commas between them.
fn endpoints(text: &str) -> Result<Vec<Url>> {
    let refused = |why: &str| Error::invalid(format!("the setting `url`: {why}"));
    let parse = |text: &str| {
        let url: Url = text.trim().parse().map_err(|error| refused(&format!("{error}")))?;
        match url.path() {
            "/" => Ok(url),
            _ => Err(refused("an endpoint has no path: http://HOST:PORT or https://HOST:PORT")),
        }
    };
    text.split(',').map(parse).collect()
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

larder_sdk::wants!(
    "http setting:url etcd's gateway",
    "secret password of the user of etcd, where authentication is enabled"
);
larder_sdk::export_kv_backend!(KvEtcd);
