//! What the instances of one generation tell of themselves, and ask before they are called.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use larder_core::{Clock, Error, ErrorKind, Result, Timestamp};

use super::{
    attention::{Attention, Reason},
    record::{Record, Refused},
    report::{LastError, PluginReport, PluginState},
    rules::SupervisionRules,
};
use crate::{engine::Engine, generation::Look, inspect::World, options::PluginOptions, queue::Queue};

/// A generation under supervision. Shared by its instances.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) record: Arc<Record>,
    digest: String,
    plugin: String,
    rules: SupervisionRules,
    clock: Arc<dyn Clock>,
    /// Whether its calls may wait for something else than its own code.
    may_wait: bool,
    attention: Arc<Attention>,
    tally: Arc<Tally>,
}

/// What is common to the generations of one plugin.
#[derive(Debug, Clone)]
pub(crate) struct Supervisor {
    pub(crate) plugin: String,
    pub(crate) rules: SupervisionRules,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) may_wait: bool,
    pub(crate) attention: Arc<Attention>,
    pub(crate) tally: Arc<Tally>,
}

/// What the calls of a plugin came to, over all its generations. Calls that end well on the caller's thread are counted by
/// their slot.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Calls on fibers.
    pub(crate) calls: AtomicU64,
    /// Calls that were answered with an error.
    pub(crate) failures: AtomicU64,
    /// Instances that were lost: trapped, out of budget, or answering what the contract does not allow.
    pub(crate) traps: AtomicU64,
    last: Mutex<Option<(Timestamp, String)>>,
}

impl Tally {
    /// The last failure that was the plugin's own or its service's, with its time.
    fn last(&self) -> Option<LastError> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        last.map(|(at, message)| LastError { at_ms: at.0, message })
    }
}

impl Supervisor {
    pub(crate) fn new(options: &PluginOptions, world: World) -> Self {
        Self {
            plugin: options.name.clone(),
            rules: options.supervision,
            clock: Arc::clone(&options.clock),
            may_wait: world.is_layer() || options.grants.may_block(),
            attention: Arc::default(),
            tally: Arc::default(),
        }
    }

    /// Refuses to load a component that may not be called now.
    ///
    /// # Errors
    /// As [`Watched::admit`].
    pub(crate) fn check(&self, engine: &Engine, digest: &str) -> Result<()> {
        let now = self.clock.now();
        let admitted = engine.registry.record(digest, now).admit(now);
        admitted.map_err(|refused| refused.into_error(digest).with("plugin", &self.plugin))
    }

    /// Watches over a generation of that component.
    pub(crate) fn watch(&self, digest: &str, record: Arc<Record>) -> Arc<Watched> {
        Arc::new(Watched {
            record,
            digest: digest.to_owned(),
            plugin: self.plugin.clone(),
            rules: self.rules,
            clock: Arc::clone(&self.clock),
            may_wait: self.may_wait,
            attention: Arc::clone(&self.attention),
            tally: Arc::clone(&self.tally),
        })
    }

    /// Counts a call that was answered with an error, and remembers it where it was not the caller's doing.
    #[cold]
    pub(crate) fn failed(&self, error: &Error) {
        self.tally.failures.fetch_add(1, Ordering::Relaxed);
        let callers =
            matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Unsupported);
        if !callers && !super::is_refusal(error) {
            let mut last = self.tally.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some((self.clock.now(), error.to_string()));
        }
    }
}

impl Watched {
    /// Lets a call through, or says why not. Looks closer only where somebody raised a bit.
    ///
    /// # Errors
    /// `unavailable` with the time left of a back-off, `plugin` in quarantine.
    #[inline]
    pub(crate) fn admit(&self) -> Result<()> {
        if self.attention.is_clear() { Ok(()) } else { self.look().map_err(|r| r.into_error(&self.digest)) }
    }

    /// Why a call may not be made now.
    #[cold]
    pub(crate) fn look(&self) -> std::result::Result<(), Refused> {
        self.record.admit(self.clock.now())
    }

    /// Whether the component is quarantined.
    pub(crate) fn is_quarantined(&self) -> bool {
        matches!(self.record.look(self.clock.now(), &self.rules).0, Err(Refused::Quarantined { .. }))
    }

    /// Whether calls are refused now. Changes nothing.
    pub(crate) fn is_refusing(&self) -> bool {
        !self.attention.is_clear() && self.record.look(self.clock.now(), &self.rules).0.is_err()
    }

    /// A call on a fiber begins.
    pub(crate) fn began(&self) {
        self.tally.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// An instance was lost by a call that failed so.
    #[cold]
    pub(crate) fn lost(&self, error: &Error) {
        self.tally.traps.fetch_add(1, Ordering::Relaxed);
        self.strike(error);
    }

    /// An instance did not answer in time. It may have waited for its service, which is not its fault; one that has
    /// nothing to wait for has computed.
    #[cold]
    pub(crate) fn late(&self, error: &Error) {
        if !self.may_wait {
            self.lost(error);
        }
    }

    /// An instance did not start. What is away, or not allowed, is no fault of the component.
    #[cold]
    pub(crate) fn not_started(&self, error: &Error) {
        let blameless = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Denied)
            || (error.kind() == ErrorKind::Timeout && self.may_wait);
        if !blameless {
            self.strike(error);
        }
    }

    fn strike(&self, error: &Error) {
        self.record.strike(self.clock.now(), &self.rules, &self.plugin, error.message());
    }

    /// How the plugin does, with what its pool and its queue look like.
    pub(crate) fn report(&self, pool: &Look, queue: &Queue) -> PluginReport {
        let (refused, strikes) = self.record.look(self.clock.now(), &self.rules);
        let millis = |wait: std::time::Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let state = match refused {
            Err(Refused::BackingOff { wait }) => PluginState::BackingOff { retry_after_ms: millis(wait) },
            Err(Refused::Quarantined { since, why }) => PluginState::Quarantined { since_ms: since.0, why },
            Ok(()) if self.attention.is_raised(Reason::Observed) => PluginState::Probation,
            Ok(()) => PluginState::Serving,
        };
        PluginReport {
            state,
            strikes,
            strikes_max: self.rules.strikes_max,
            calls: pool.calls.saturating_add(self.tally.calls.load(Ordering::Relaxed)),
            failures: self.tally.failures.load(Ordering::Relaxed),
            traps: self.tally.traps.load(Ordering::Relaxed),
            instances: pool.instances,
            instances_busy: pool.busy,
            instances_max: pool.instances_max,
            waiting: queue.waiting(),
            waiting_max: queue.waiting_max(),
            log_lines_dropped: 0,
            last_error: self.tally.last(),
        }
    }

    /// Takes the plugin's attention, which another component may have had.
    pub(crate) fn take_over(&self, before: Option<&Self>) {
        if let Some(before) = before.filter(|before| !Arc::ptr_eq(&before.record, &self.record)) {
            before.record.unwatch(&self.attention);
        }
        self.record.watch(&self.attention);
    }

    /// Forgets the component's strikes.
    pub(crate) fn release(&self) {
        self.record.release(self.clock.now());
    }
}
