//! The self-test of a component that wants to take over: an instance of its own, configured, healthy, and asked to keep
//! the contract.
//!
//! It must not touch what users have stored, so where it runs depends on what the plugin can reach:
//!
//! * A *layer* stands in front of a store in memory.
//! * A backend *without a network* can keep data in its memory and in its folders alone. The instance's memory is its own,
//!   and instead of the granted folders that may be written it gets empty ones. The clock that it sees is turned, so that
//!   expiry is tried, too.
//! * A backend *with a network* is asked on its real service, under a prefix that nobody can guess, and what it wrote is
//!   removed again, also where the test fails: through the instance itself, else through the generation that serves. Entries
//!   get a time to live where the plugin has that. One that owns its data is tried in the pause of its swap.
//!
//! A store that takes no writes (`unsupported` or `denied` for a first put) is tried in reading. That the old component
//! takes none either is made sure of: it goes through the same test.

use std::sync::Arc;

use larder_core::{Error, ErrorKind, ManualClock, Result};
use tempfile::TempDir;

use super::{SCRATCH, Scratch, Swappable, Tried};
use crate::{
    generation::{Host, within},
    hand_over::on_a_thread,
    inspect::World,
    instance::Instance,
    job::Caller,
    options::{Access, PluginOptions},
    prepared::Prepared,
    supervision::Registry,
};

/// Calls of a whole test, as deadlines: each call has one, and all of them together no more than this.
const DEADLINES_MAX: u32 = 2;

/// Where the test of a plugin can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// Apart from all that is real.
    Apart,
    /// On the plugin's real service.
    Service,
}

impl Ground {
    pub(super) fn of(world: World, options: &PluginOptions) -> Self {
        if !world.is_layer() && options.grants.reach_network() { Self::Service } else { Self::Apart }
    }
}

/// A test that failed, and whether something of it may be left on the plugin's service.
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) left: Option<Scratch>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, left: None }
    }
}

/// Puts a component to the test.
pub(super) async fn try_out<X: Swappable>(
    host: &Host<X>,
    prepared: &Prepared,
    ground: Ground,
) -> Result<Tried, Failed> {
    let (options, scratch, folders) = furnish(&host.options, ground)?;
    let next = host.next.as_ref().map(|_| X::scratch_next(Arc::clone(&options.clock)));
    let limit = options.limits.deadline * DEADLINES_MAX;
    let threaded = options.holds_its_thread();
    let (engine, pre, style) = (Arc::clone(&host.engine), prepared.pre.clone(), prepared.style);
    let (name, own) = (options.name.clone(), scratch.clone());
    // What it does here is no strike against it: it does not serve, and the swap ends with its error.
    let record = Registry::default().record(&prepared.digest, options.clock.now());
    let watched = host.supervisor.watch(&prepared.digest, record);
    let trying = async move {
        let mut instance =
            Instance::<X>::start(&engine, &pre, &options, style, next.as_ref(), &watched).await?;
        instance.configure(&options.settings).await?;
        instance.health().await?;
        let about = X::describe(&mut instance).await?;
        let mut caller = Caller::new(&mut instance, &about, options.limits.deadline);
        let tried = X::try_out(&mut caller, &about, &own).await;
        let cleaned = match ground {
            Ground::Apart => Ok(()),
            Ground::Service => X::clean_up(&mut caller, &own).await,
        };
        drop(folders);
        Ok((tried, cleaned))
    };
    let ended = if threaded { on_a_thread(limit, trying).await } else { within(limit, trying).await };
    let about = |error: Error| {
        let error = error.with("component", &prepared.source);
        if error.context("plugin").is_some() { error } else { error.with("plugin", &name) }
    };
    // Only what was begun may have left something.
    let left = || (ground == Ground::Service).then(|| scratch.clone());
    match ended {
        Err(error) => {
            let left = if error.kind() == ErrorKind::Timeout { left() } else { None };
            Err(Failed { error: about(error), left })
        }
        Ok((Ok(tried), Ok(()))) => Ok(tried),
        Ok((Err(error), Ok(()))) => Err(about(error).into()),
        Ok((Ok(_), Err(error))) | Ok((Err(error), Err(_))) => {
            Err(Failed { error: about(error), left: left() })
        }
    }
}

/// What the instance of a test is given.
fn furnish(real: &PluginOptions, ground: Ground) -> Result<(Arc<PluginOptions>, Scratch, Vec<TempDir>)> {
    let mut options = real.clone();
    let mut clock = None;
    if ground == Ground::Apart {
        let turned = Arc::new(ManualClock::new(real.clock.now()));
        options.clock = turned.clone();
        clock = Some(turned);
    }
    let mut folders = Vec::new();
    for folder in options.grants.folders.iter_mut().filter(|folder| folder.access == Access::ReadWrite) {
        let empty = tempfile::Builder::new().prefix("larder-canary-").tempdir().map_err(|e| {
            Error::new(ErrorKind::Unavailable, "no scratch folder for the self-test").caused_by(e)
        })?;
        folder.host = empty.path().to_owned();
        folders.push(empty);
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|e| {
        Error::new(ErrorKind::Unavailable, "no random bytes for the self-test")
            .caused_by(std::io::Error::other(e))
    })?;
    let prefix = format!("{SCRATCH}{:032x}/", u128::from_le_bytes(random));
    Ok((Arc::new(options), Scratch { prefix, clock }, folders))
}

/// A promise that a component broke in its test.
pub(crate) fn broke(test: &'static str, found: &'static str) -> Error {
    Error::new(ErrorKind::Plugin, format!("the self-test failed: {found}")).with("test", test)
}
