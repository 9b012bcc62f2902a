//! The component that served before, put back where its successor is quarantined and the rules ask for that. A generation on
//! probation is returned from before it comes to this.

use std::sync::{Arc, PoisonError};

use larder_core::{Error, ErrorKind, Result};

use crate::{
    generation::Generation, instance::Exports, plugin::Plugin, prepared::Prepared, supervision::Remedy,
};

impl<X: Exports> Plugin<X> {
    /// Keeps a component that served, for the day on which its successor is quarantined.
    pub(super) fn remember(&self, old: &Generation<X>) {
        if self.host.options.supervision.remedy == Remedy::LastGood && !old.watched.is_quarantined() {
            *self.last_good.lock().unwrap_or_else(PoisonError::into_inner) = Some(old.prepared());
        }
    }

    /// Puts the component back that served before a quarantined one, where the rules ask for it and one is known. Says whether
    /// another component serves now. It needs a runtime: a caller without one is refused, and the next may have it.
    ///
    /// # Cancel safety
    /// Either component serves; what was dropped half way is not tried again.
    #[cold]
    pub(crate) async fn recover(&self, failed: &Arc<Generation<X>>) -> bool {
        let wanted = self.host.options.supervision.remedy == Remedy::LastGood;
        let has_runtime = tokio::runtime::Handle::try_current().is_ok();
        if !wanted || !failed.watched.is_quarantined() || !has_runtime || *self.probing.borrow() {
            return false;
        }
        let _one_at_a_time = self.swapping.lock().await;
        let place = self.place.lock().await;
        if self.current().number != failed.number {
            return true;
        }
        let good = self.last_good.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(good) = good else { return false };
        let (from, to) = (failed.digest.as_str(), good.digest.clone());
        let put_back = match self.host.supervisor.check(&self.host.engine, &to) {
            Ok(()) => self.put_back(failed, good).await,
            Err(refused) => Err(refused),
        };
        drop(place);
        match put_back {
            Ok(drained) => {
                tracing::warn!(
                    plugin = self.name(),
                    from,
                    to,
                    drained,
                    "the last good component serves again"
                );
                true
            }
            Err(error) => {
                tracing::error!(plugin = self.name(), from, to, %error, "the last good component can't be put back");
                false
            }
        }
    }

    /// Lets a component serve in place of a quarantined one. Says whether all calls of that one ended.
    async fn put_back(&self, failed: &Arc<Generation<X>>, good: Prepared) -> Result<bool> {
        let drain = self.host.options.limits.drain;
        let number = failed.number.max(self.last.load(std::sync::atomic::Ordering::Relaxed)) + 1;
        if !X::is_one(&failed.description) {
            let again = Generation::start(&self.host, good, number, None).await?;
            self.put_in_place(Arc::new(again));
            let ended = tokio::time::timeout(drain, failed.end_streams()).await.is_ok();
            return Ok(Arc::clone(failed).retire().await && ended);
        }
        let _no_streams = tokio::time::timeout(drain, failed.end_streams()).await.map_err(|_| {
            Error::new(ErrorKind::Timeout, "the writers of the old generation did not end in time")
        })?;
        let mut paused = failed.pause().await?;
        let snapshot = match &mut paused.instance {
            Some(instance) if instance.has_handoff() => instance.save().await.unwrap_or_else(|error| {
                tracing::warn!(plugin = self.name(), %error, "the quarantined component hands nothing over");
                None
            }),
            _ => None,
        };
        paused.instance = None;
        match Generation::start(&self.host, good, number, snapshot.clone()).await {
            Ok(again) => {
                self.replace(paused, &Arc::new(again));
                Ok(true)
            }
            Err(error) => match paused.restart(snapshot).await {
                Ok(()) => Err(error),
                Err(worse) => Err(error.with("and then", worse)),
            },
        }
    }
}
