//! Plugins that are swapped together: what sends one of them back sends all.

use std::sync::Arc;

use tokio::sync::watch;

/// The swaps of one plugin in several places, such as a layer in front of several stores. If one of the new generations
/// fails its probation, all of them are returned from. Clones are the same group; a group is for one swap.
#[derive(Debug, Clone)]
pub struct SwapGroup(Arc<watch::Sender<Option<Arc<str>>>>);

impl Default for SwapGroup {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl SwapGroup {
    /// A group without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends all members back. The first reason counts.
    pub(super) fn fail(&self, reason: impl FnOnce() -> String) {
        if self.0.borrow().is_none() {
            let reason = Arc::from(reason());
            self.0.send_if_modified(|failed| {
                let is_first = failed.is_none();
                if is_first {
                    *failed = Some(reason);
                }
                is_first
            });
        }
    }

    /// Waits until a member failed, and says why. Cancel safe.
    pub(super) async fn failed(&self) -> Arc<str> {
        let mut failed = self.0.subscribe();
        loop {
            if let Some(reason) = failed.borrow_and_update().clone() {
                return reason;
            }
            if failed.changed().await.is_err() {
                // The sender is this very group.
                std::future::pending::<()>().await;
            }
        }
    }
}
