//! The store itself: opening, closing, and the contract of a key-value store.

use std::{fmt, sync::Arc};

use larder_core::{
    BoxFuture, Clock, Commit, Description, Effect, Entry, Error, ErrorKind, Key, KvStore, Outcome, Page,
    Result, Scan, Timestamp,
};
use redis::{Cmd, Value, cmd, pipe};

use super::{
    RedisOptions,
    commit::{Name, Planned},
    envelope::{self, Stored},
    error::{Fault, Intent},
    index::{self, Owned, Repair},
    layout::Layout,
    link::Link,
    permissions, promise,
    scan::{self, Answer},
    scripts::Scripts,
    versions::Versions,
};

/// How often a scan waits for the index to be built before it says that it can't be.
const REPAIRS_MAX: u32 = 2;

/// A key-value store in Redis or Valkey, with every capability.
///
/// Its tasks and its connection end when it is dropped.
///
/// # Cancel safety
/// As the contract says.
pub struct RedisKv {
    core: Arc<Core>,
    description: Description,
    name: String,
    repair: Repair,
    _sweeper: Option<Owned>,
}

/// What the store shares with its tasks.
pub(super) struct Core {
    pub(super) link: Link,
    pub(super) layout: Layout,
    pub(super) scripts: Scripts,
    pub(super) versions: Versions,
    clock: Option<Arc<dyn Clock>>,
}

impl Core {
    /// The injected time, if there is one.
    pub(super) fn now(&self) -> Option<Timestamp> {
        self.clock.as_ref().map(|clock| clock.now())
    }

    /// Whether an entry is one: where time is injected, the server does not end entries by itself.
    fn is_live(&self, entry: &Entry) -> bool {
        match (self.now(), entry.expires_at) {
            (Some(now), Some(at)) => now < at,
            _ => true,
        }
    }
}

impl RedisKv {
    /// Connects, and opens the store under the prefix of the options; there is nothing to be made before.
    ///
    /// Logs a warning (`tracing`) where the server may lose writes that it has acknowledged.
    ///
    /// # Errors
    /// `config` where the options are wrong or the server promises less durability than they ask for, `denied` where
    /// credentials or permissions do not suffice, `unsupported` where the server is too old, `unavailable` else.
    ///
    /// # Cancel safety
    /// Dropping the future opens nothing.
    pub async fn connect(options: RedisOptions) -> Result<Self> {
        options.check()?;
        let layout = Layout::new(&options.prefix);
        let name = options.to_string();
        let core = Core {
            link: Link::new(&options, &layout.index).await?,
            layout,
            scripts: Scripts::new(),
            versions: Versions::new(),
            clock: options.clock.clone(),
        };
        let opened = async {
            ping(&core.link).await?;
            permissions::check(&core.link, &core.layout).await?;
            promise::check(&core.link, options.durability, &name).await
        };
        opened.await.map_err(|error| error.operation("connect").with("store", &name))?;
        let core = Arc::new(core);
        let every = options.cleanup_interval;
        let sweeper = (!every.is_zero()).then(|| index::sweeper(&core, every));
        let repair = Repair::default();
        // So that the first scan need not wait for it. Whoever needs it sees how it went.
        drop(repair.begin(&core));
        let description = Description { value_bytes_max: options.value_bytes_max, ..Description::full() };
        Ok(Self { core, description, name, repair, _sweeper: sweeper })
    }

    /// Ends the store's tasks and closes its connection, as dropping it does.
    pub fn close(self) {
        drop(self);
    }

    /// Removes from the index what has expired, now instead of in a while. Returns how many entries were due.
    ///
    /// # Errors
    /// `unavailable` or `timeout`; what was removed by then is removed.
    ///
    /// # Cancel safety
    /// As for an error.
    pub async fn sweep(&self) -> Result<u64> {
        index::sweep(&self.core).await
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        self.description.check_key(key)?;
        let layout = &self.core.layout;
        let mut command = Cmd::with_capacity(2, 3 + layout.entries.len() + key.len());
        command.arg("GET").arg(Name { layout, key });
        let answer = self.core.link.call(&command).await;
        self.entry_of(key, answer).await
    }

    /// The entry that the answer to a `GET` is.
    async fn entry_of(&self, key: &Key, answer: Result<Value, Fault>) -> Result<Option<Entry>> {
        match answer {
            Ok(Value::Nil) => Ok(None),
            Ok(Value::BulkString(bytes)) => match envelope::decode(bytes) {
                Stored::Entry(entry) => Ok(Some(entry).filter(|entry| self.core.is_live(entry))),
                // Boxed, as it is rare and large: every read would carry the room for it.
                Stored::Plain(_) => Box::pin(self.plain_entry(key)).await,
            },
            Ok(_) => Err(Fault::Strange("of a GET").into_error(Intent::Read)),
            Err(fault) => Err(fault.into_error(Intent::Read).with("key", key)),
        }
    }

    /// A value that another client wrote, with the version and expiry that it has for us.
    async fn plain_entry(&self, key: &Key) -> Result<Option<Entry>> {
        let layout = &self.core.layout;
        let run = self.core.link.run(&self.core.scripts.read, |command| {
            command
                .arg(3)
                .arg(&layout.index)
                .arg(&layout.expiries)
                .arg(Name { layout, key })
                .arg(&layout.entries);
        });
        match run.await.map_err(|fault| fault.into_error(Intent::Read).with("key", key))? {
            Value::Nil => Ok(None),
            Value::Array(mut parts) if parts.len() == 1 => {
                // It was written by a store meanwhile.
                let entry = scan::entry(parts.pop().unwrap_or(Value::Nil))?;
                Ok(Some(entry).filter(|entry| self.core.is_live(entry)))
            }
            plain => scan::entry(plain).map(Some),
        }
    }

    async fn get_entries(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        self.description.check_keys(keys)?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let layout = &self.core.layout;
        let mut commands = pipe();
        for key in keys {
            commands.cmd("GET").arg(Name { layout, key });
        }
        let answers =
            self.core.link.call_many(&commands).await.map_err(|fault| fault.into_error(Intent::Read))?;
        if answers.len() != keys.len() {
            return Err(Fault::Strange("to a part of the commands").into_error(Intent::Read));
        }
        let mut entries = Vec::with_capacity(keys.len());
        for (key, answer) in keys.iter().zip(answers) {
            entries.push(match answer {
                // A single read knows where a cluster sends it, and what an error means.
                Value::ServerError(_) => self.get_entry(key).await?,
                answer => self.entry_of(key, Ok(answer)).await?,
            });
        }
        Ok(entries)
    }

    async fn scan_page(&self, wanted: &Scan) -> Result<Page> {
        self.description.check_scan(wanted)?;
        if wanted.range.is_empty() {
            return Ok(Page::default());
        }
        for _ in 0..=REPAIRS_MAX {
            let run = self.core.link.run(&self.core.scripts.scan, |command| {
                scan::write_arguments(command, &self.core.layout, self.core.now(), wanted);
            });
            match scan::read(run.await.map_err(|fault| fault.into_error(Intent::Read))?)? {
                Answer::Page(page) => return Ok(page),
                Answer::Incomplete => self.repair.done(&self.core).await?,
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "the index is lost each time it has been built"))
    }

    async fn commit_all(&self, commit: &Commit) -> Result<Vec<Outcome>> {
        self.description.check_commit(commit)?;
        if commit.writes.is_empty() && commit.checks.is_empty() {
            return Ok(Vec::new());
        }
        let planned = Planned::new(commit, &self.core.versions);
        let Core { link, layout, scripts, .. } = &*self.core;
        let answer = if planned.is_puts() {
            link.run(&scripts.put, |command| planned.write_puts(command, layout)).await
        } else {
            link.run(&scripts.commit, |command| planned.write_arguments(command, layout, self.core.now()))
                .await
        };
        match answer {
            Ok(answer) => planned.outcomes(&answer),
            Err(fault) => {
                let error = fault.into_error(planned.intent());
                Err(if error.context("code").is_some() {
                    Box::pin(self.more_about(error)).await
                } else {
                    error
                })
            }
        }
    }

    /// Within a script, a server says of a missing permission only that there was an error. So the permissions are tried
    /// again, one by one: the user may have lost some since the store was opened.
    async fn more_about(&self, error: Error) -> Error {
        match permissions::check(&self.core.link, &self.core.layout).await {
            Err(denied) if denied.kind() == ErrorKind::Denied && error.is_effect_unknown() => {
                denied.effect(Effect::Unknown)
            }
            Err(denied) if denied.kind() == ErrorKind::Denied => denied,
            _ => error,
        }
    }
}

async fn ping(link: &Link) -> Result<()> {
    match link.call(&cmd("PING")).await {
        Ok(_) => Ok(()),
        Err(fault) => Err(fault.into_error(Intent::Read)),
    }
}

impl KvStore for RedisKv {
    fn describe(&self) -> Description {
        self.description
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(self.get_entry(key))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(self.get_entries(keys))
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(self.scan_page(scan))
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(self.commit_all(commit))
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(ping(&self.core.link))
    }
}

impl fmt::Display for RedisKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for RedisKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisKv({})", self.name)
    }
}
