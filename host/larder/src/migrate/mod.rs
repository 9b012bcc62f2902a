//! Moving a store: all that a source keeps is brought to a target of the same kind, whatever keeps either.
//!
//! The source is only read. Entries go in the order of their keys, a batch at a time, with their absolute expiry;
//! a counter is its decimal text on every backend, so that it goes on counting. Blobs go one by one as streams,
//! with content type and user metadata. What a target can't keep is refused by name, never dropped.
//!
//! A run that dies, whatever of, is begun again with the same words and goes on: the target holds a *checkpoint*
//! ([`CHECKPOINT`]) that says how far the copy has come. The invariant is that whatever the checkpoint says to be done
//! was acknowledged before: in the same commit where the target has transactions, else in a later one. So a resumed
//! run may write something again, and never skips anything. At the end the checkpoint is removed.
//!
//! It is no replication: who writes to the source during a run is found out by [`Verify::Ranges`], not followed.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use larder::{Config, Host, migrate};
//!
//! let host = Host::open(Config::from_yaml("stores: { old: memory://, new: memory:// }")?.plan()?).await?;
//! host.kv("old")?.set("https://example.org/", &"fetched").await?;
//!
//! let options = migrate::Options { verify: migrate::Verify::Ranges, ..migrate::Options::default() };
//! let report = migrate::run(&host, "old", "new", &options, &mut |_| ()).await?;
//! assert!(report.is_equal() && report.copied == 1);
//! assert!(host.kv("new")?.exists("https://example.org/").await?);
//! # host.close().await
//! # }).unwrap();
//! ```

mod blob;
mod checkpoint;
mod digest;
mod kv;
mod options;
mod pace;
mod patience;
mod progress;
mod report;
#[cfg(test)]
mod tests;

use std::path::Path;

use larder_backends::file;
use larder_core::{Error, Result};

pub use self::{
    checkpoint::CHECKPOINT,
    options::{Existing, Mode, Options, Totals, Verify},
    progress::{Phase, Progress},
    report::{Difference, Refusal, Report, Verification},
};
use self::{pace::Pace, progress::Tally};
use crate::{
    config::StoreKind,
    host::Host,
    plan::{Backend, Plan, StorePlan},
};

/// Brings all of the store `source` to the store `target`, both of `host`. The whole stores are meant, with the keys
/// of all namespaces. `progress` is called often, and must be quick.
///
/// # Errors
/// `config` where there is no such store, their kinds differ, both are the same data, or the target holds something
/// already and `options` does not allow for it; `unsupported` where the source can't be walked through or the
/// target can't keep what there is, naming the key or path; else what a store says. Whatever it is, running it
/// again goes on from the checkpoint. That source and target are not equal is no error: the report says it.
///
/// # Cancel safety
/// Dropping the future is what a kill is: the next run goes on.
pub async fn run(
    host: &Host,
    source: &str,
    target: &str,
    options: &Options,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Report> {
    let kind = host.plan().check_migration(source, target)?;
    let shown = |name: &str| host.plan().stores.get(name).map(StorePlan::shown).unwrap_or_default();
    let task = Task {
        source: shown(source),
        target: shown(target),
        options,
        tally: Tally::new(progress),
        pace: Pace::new(options.entries_per_second, options.bytes_per_second),
    };
    let done = match kind {
        StoreKind::Kv => {
            let (source, target) = (host.kv(source)?.store(), host.kv(target)?.store());
            kv::run(&task, &source, &target).await
        }
        StoreKind::Blob => blob::run(&task, &host.blobs(source)?, &host.blobs(target)?).await,
    };
    done.map_err(|error| error.operation("migrate"))
}

/// What a run is about, whatever the kind of the stores.
struct Task<'a> {
    /// The source, as a person and a later run know it: no secret.
    source: String,
    target: String,
    options: &'a Options,
    tally: Tally<'a>,
    pace: Pace,
}

impl Task<'_> {
    fn report(&self, kind: StoreKind) -> Report {
        Report::new(kind, &self.source, &self.target, self.options.mode)
    }

    fn is_dry(&self) -> bool {
        self.options.mode == Mode::Dry
    }
}

impl Plan {
    /// Whether one store can be moved to another, as far as the configuration tells; answers what they keep.
    ///
    /// # Errors
    /// `config` where there is no such store, their kinds differ, or both would be the same data.
    pub fn check_migration(&self, source: &str, target: &str) -> Result<StoreKind> {
        let (from, to) = (self.any_store(source)?, self.any_store(target)?);
        if from.kind != to.kind {
            let message = format!(
                "`{source}` keeps {} and `{target}` {}: only stores of one kind can be moved",
                from.kind.plural(),
                to.kind.plural()
            );
            return Err(Error::config(message));
        }
        if from.backend.overlaps(&to.backend) {
            let message = format!(
                "source and target are the same data, or one lies inside of the other: {} and {}",
                from.backend, to.backend
            );
            return Err(Error::config(message));
        }
        Ok(from.kind)
    }

    /// Whether a source on this machine is there, before anything is opened: a store that is opened is made where it is
    /// missing, and a mistyped path would then be moved, as nothing, with success.
    ///
    /// # Errors
    /// `config` where there is no such store, or nothing where it says it is.
    pub fn check_source(&self, source: &str) -> Result<()> {
        let from = self.any_store(source)?;
        let (is_there, what) = match &from.backend {
            Backend::File(folder) if from.kind == StoreKind::Blob => (folder.is_dir(), "no folder"),
            Backend::File(folder) => (
                file::is_store(folder),
                "no key-value store in the folder; if it holds blobs, say `--kind blob` (or `kind: blob`)",
            ),
            Backend::Sql(options) => (options.file().is_none_or(Path::is_file), "no such file"),
            _ => (true, ""),
        };
        if is_there {
            return Ok(());
        }
        Err(Error::config(format!("there is nothing to move: {what}")).with("source", &from.backend))
    }
}
