//! What an instance was refused: told to its log, and kept for the error of the call.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

/// Most refusals of one instance that are logged; what it is refused after that is told to the guest alone.
const LOGGED_MAX: u32 = 100;

pub(super) struct Refusals {
    plugin: String,
    /// The first of the call that runs.
    first: Mutex<Option<String>>,
    logged: AtomicU32,
}

impl Refusals {
    pub(super) fn of(plugin: &str) -> Self {
        Self { plugin: plugin.to_owned(), first: Mutex::default(), logged: AtomicU32::new(0) }
    }

    pub(super) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Forgets what the call before was refused.
    pub(super) fn arm(&self) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What the call was refused first, naming the grant that would allow it.
    pub(super) fn first(&self) -> Option<String> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn add(&self, what: String) {
        if self.logged.fetch_add(1, Ordering::Relaxed) < LOGGED_MAX {
            tracing::warn!(plugin = self.plugin, kind = "denied", "the plugin was refused {what}");
        }
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
    }
}
