//! The steps of a swap, in their order.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use larder_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedMutexGuard, OwnedRwLockWriteGuard};
use tokio_util::task::AbortOnDropHandle;

use super::{
    SwapGroup, SwapOptions, Swappable, Swapped, Tried,
    audit::{SwapStep, Trail},
    canary::{self, Failed, Ground},
    probation::{Probation, watch_over},
    shadow::{self, Sampler},
    watch::{Listening, Summary, Writes},
};
use crate::{generation::Generation, instance::Exports, plugin::Plugin, prepared::Prepared, source::Source};

/// What of swaps there is besides the current generation.
pub(crate) struct Place<X: Exports> {
    /// What can be returned to.
    kept: Option<Kept<X>>,
    /// The end of the probation, that is waited for.
    probation: Option<AbortOnDropHandle<()>>,
}

struct Kept<X: Exports> {
    /// The generation that came after it.
    number: u64,
    old: Arc<Generation<X>>,
    /// Of a plugin that owns its data.
    owner: Option<Owner>,
}

/// How an old generation is started again that had to be dropped.
struct Owner {
    /// What it handed over.
    snapshot: Option<Bytes>,
    /// How many writes there were then; none if nobody counts them.
    writes: Option<Writes>,
}

impl<X: Exports> Default for Place<X> {
    fn default() -> Self {
        Self { kept: None, probation: None }
    }
}

/// A swap before its switch.
pub(super) struct Preparation<X: Exports> {
    made: Made<X>,
    trail: Trail,
    probation: Option<Duration>,
    listening: Listening<X>,
    _one_at_a_time: OwnedMutexGuard<()>,
}

enum Made<X: Exports> {
    /// The component serves already.
    Nothing,
    /// A generation that could serve now.
    Started { new: Arc<Generation<X>>, compared: u32 },
    /// One that owns its data starts in a pause, and may have to be tried there.
    Prepared { prepared: Prepared, canary: Option<Ground> },
}

/// A swap after its switch.
pub(super) struct Switch<X: Exports> {
    probation: Arc<Probation<X>>,
    time: Option<Duration>,
    trail: Trail,
    _one_at_a_time: OwnedMutexGuard<()>,
}

impl<X: Swappable> Plugin<X> {
    /// Everything that changes nothing.
    pub(super) async fn prepare(
        self: &Arc<Self>,
        source: &Source,
        options: &SwapOptions,
    ) -> Result<Preparation<X>> {
        let turn = Arc::clone(&self.swapping).lock_owned().await;
        let listening = self.watch.listen();
        let old = self.current();
        let mut trail = self.trail(&old, options);
        let pin = options.sha256.as_deref().or(self.host.options.sha256.as_deref());
        let read = Prepared::read(&self.host.engine, source, &self.host.options, pin).await;
        let read = trail.note(SwapStep::Read, read)?;
        trail.to = Some(read.digest().to_owned());
        let preparation = |made, trail| Preparation {
            made,
            trail,
            probation: options.probation,
            listening,
            _one_at_a_time: turn,
        };
        if read.digest() == old.digest {
            trail.done(SwapStep::Switch, "the component serves already");
            return Ok(preparation(Made::Nothing, trail));
        }
        if let Err(refused) = self.host.supervisor.check(&self.host.engine, read.digest()) {
            return trail.note(SwapStep::Read, Err(refused));
        }
        let built = Prepared::build(&self.host.engine, source, read, &self.host.options, self.world).await;
        let prepared = trail.note(SwapStep::Compile, built)?;
        let ground = Ground::of(self.world, &self.host.options);
        let canary = options.canary.then_some(ground);
        let is_one = X::is_one(&old.description);
        if is_one && old.has_handoff() && !prepared.has_handoff {
            let error = Error::unsupported(
                "the plugin's state is in its memory, and the new component has no `handoff` to take it over",
            );
            return trail.note(SwapStep::Handoff, Err(error.with("plugin", self.name())));
        }
        // On its service, one that owns its data must be alone.
        let canary = match canary {
            Some(Ground::Service) if is_one => canary,
            Some(ground) => {
                self.try_out(&prepared, &old, ground, &trail).await?;
                None
            }
            None => None,
        };
        if is_one {
            return Ok(preparation(Made::Prepared { prepared, canary }, trail));
        }
        let new = Arc::new(trail.note(SwapStep::Start, self.start(prepared, &old, None).await)?);
        let warm = new.prewarm(old.look().instances).await;
        match &warm {
            Ok(count) => trail.done(SwapStep::Prewarm, format_args!("{count} instances")),
            Err(error) => trail.failed(SwapStep::Prewarm, error),
        }
        warm?;
        let compared = self.shadow(options, &old, &new, &trail).await?;
        Ok(preparation(Made::Started { new, compared }, trail))
    }

    /// The self-test of a component.
    async fn try_out(
        &self,
        prepared: &Prepared,
        old: &Generation<X>,
        ground: Ground,
        trail: &Trail,
    ) -> Result<()> {
        let refused = match canary::try_out(&self.host, prepared, ground).await {
            Ok(Tried::Whole) => {
                trail.done(SwapStep::Canary, "");
                return Ok(());
            }
            Ok(Tried::ReadOnly) => match canary::try_out(&self.host, &old.prepared(), ground).await {
                Ok(Tried::Whole) => Failed::from(
                    Error::new(
                        ErrorKind::Plugin,
                        "the new component refuses writes, which the old one takes",
                    )
                    .with("plugin", self.name()),
                ),
                Ok(Tried::ReadOnly) | Err(_) => {
                    trail.done(SwapStep::Canary, "it takes no writes, as the component before");
                    return Ok(());
                }
            },
            Err(failed) => failed,
        };
        if let Some(scratch) = refused.left
            && let Err(error) = self.run_unseen(X::cleaner(scratch)).await
        {
            // A time to live, where there is one, does it in a while.
            tracing::warn!(
                plugin = self.name(),
                "what a self-test wrote could not be removed: {}",
                error.chain()
            );
        }
        trail.note(SwapStep::Canary, Err(refused.error))
    }

    /// Compares reads.
    async fn shadow(
        &self,
        options: &SwapOptions,
        old: &Arc<Generation<X>>,
        new: &Arc<Generation<X>>,
        trail: &Trail,
    ) -> Result<u32> {
        let Some(shadow) = options.shadow.as_ref().filter(|_| !X::is_one(&new.description)) else {
            return Ok(0);
        };
        let (sampler, asked) = Sampler::new(shadow);
        self.watch.sample(Some(sampler));
        let compared = shadow::compare(asked, shadow, old, new).await;
        self.watch.sample(None);
        let compared = compared.map_err(|e| e.with("plugin", self.name()));
        match &compared {
            Ok(alike) => trail.done(SwapStep::Shadow, format_args!("{alike} reads answered alike")),
            Err(error) => trail.failed(SwapStep::Shadow, error.chain()),
        }
        compared
    }

    /// Lets the new generation serve.
    pub(super) async fn switch(
        self: &Arc<Self>,
        preparation: Preparation<X>,
        group: SwapGroup,
    ) -> Result<(Swapped, Switch<X>)> {
        let Preparation { made, trail, probation: time, listening, _one_at_a_time } = preparation;
        let old = self.current();
        let number = self.last.load(Ordering::Relaxed) + 1;
        let before = listening.summary();
        let (made, compared) = match made {
            Made::Nothing => {
                let swapped = Swapped {
                    from: old.digest.clone(),
                    to: old.digest.clone(),
                    generation: old.number,
                    drained: true,
                    compared: 0,
                };
                let probation = Arc::new(Probation::new(0, None, before, group));
                return Ok((swapped, Switch { probation, time: None, trail, _one_at_a_time }));
            }
            Made::Started { new, compared } => (Ok(new), compared),
            Made::Prepared { prepared, canary } => (Err((prepared, canary)), 0),
        };
        let (probation, drained) = match made {
            Ok(new) => self.switch_many(new, before, group, time, &trail).await,
            Err((prepared, canary)) => {
                let probation = Arc::new(Probation::new(number, None, before, group));
                self.switch_owner(prepared, canary, &probation, time, &trail).await?;
                (probation, true)
            }
        };
        // Until here, so that the calls are looked at without a gap.
        drop(listening);
        let swapped = Swapped {
            from: trail.from.clone(),
            to: trail.to.clone().unwrap_or_default(),
            generation: probation.number,
            drained,
            compared,
        };
        Ok((swapped, Switch { probation, time, trail, _one_at_a_time }))
    }

    async fn switch_many(
        &self,
        new: Arc<Generation<X>>,
        before: Summary,
        group: SwapGroup,
        time: Option<Duration>,
        trail: &Trail,
    ) -> (Arc<Probation<X>>, bool) {
        let mut place = self.place.lock().await;
        let old = self.current();
        let number = new.number;
        let probation = Arc::new(Probation::new(number, Some(Arc::clone(&old)), before, group));
        if time.is_some() {
            // Before anything can go wrong in the new one.
            self.watch.put_on_probation(Arc::clone(&probation));
        }
        self.put_in_place(Arc::clone(&new));
        let replaced = place.kept.replace(Kept { number, old: Arc::clone(&old), owner: None });
        self.probing.send_replace(false);
        self.remember(&old);
        drop(place);
        trail.done(SwapStep::Switch, format_args!("generation {number} serves"));
        if let Some(kept) = replaced.filter(|kept| kept.owner.is_none()) {
            // What the one before would have been returned to.
            kept.old.retire().await;
        }
        let ended = tokio::time::timeout(self.host.options.limits.drain, old.end_streams()).await.is_ok();
        let drained = old.rest().await && ended;
        match drained {
            true => trail.done(SwapStep::Drain, ""),
            false => trail.failed(SwapStep::Drain, "calls of the old generation did not end in time"),
        }
        (probation, drained)
    }

    /// The switch of a plugin that owns its data: with a short pause, so that never two instances have it.
    async fn switch_owner(
        &self,
        prepared: Prepared,
        canary: Option<Ground>,
        probation: &Arc<Probation<X>>,
        time: Option<Duration>,
        trail: &Trail,
    ) -> Result<()> {
        let (old, mut place, _no_streams) = loop {
            let old = self.current();
            let no_streams = trail.note(SwapStep::Drain, self.end_streams(&old).await)?;
            let place = self.place.lock().await;
            // Another one may have been returned to meanwhile.
            if self.current().number == old.number {
                break (old, place, no_streams);
            }
        };
        let mut paused = trail.note(SwapStep::Drain, old.pause().await)?;
        let snapshot = match &mut paused.instance {
            // Dropped here, `paused` gives the instance back; a trapped one is found so at its next call.
            Some(instance) if instance.has_handoff() => {
                trail.note(SwapStep::Handoff, instance.save().await)?
            }
            _ => None,
        };
        paused.instance = None;
        let starting = async {
            if let Some(ground) = canary
                && let Err(failed) = canary::try_out(&self.host, &prepared, ground).await
            {
                trail.failed(SwapStep::Canary, failed.error.chain());
                return Err(failed);
            }
            let started = self.start(prepared, &old, snapshot.clone()).await;
            trail.note(SwapStep::Start, started).map_err(Failed::from)
        };
        match starting.await {
            Ok(new) => {
                let new = Arc::new(new);
                let writes = time.map(|_| self.watch.writes());
                if time.is_some() {
                    self.watch.put_on_probation(Arc::clone(probation));
                }
                self.replace(paused, &new);
                let number = new.number;
                self.remember(&old);
                place.kept = Some(Kept { number, old, owner: Some(Owner { snapshot, writes }) });
                self.probing.send_replace(false);
                trail.done(SwapStep::Switch, format_args!("generation {number} serves"));
                Ok(())
            }
            Err(Failed { error, left }) => match paused.restart(snapshot).await {
                Ok(()) => {
                    drop((paused, place));
                    if let Some(scratch) = left
                        && let Err(error) = self.run_unseen(X::cleaner(scratch)).await
                    {
                        tracing::warn!(plugin = self.name(), "a self-test left something: {}", error.chain());
                    }
                    Err(error)
                }
                Err(worse) => {
                    tracing::error!(plugin = self.name(), %worse, "the old generation could not be started again");
                    Err(error.with("and then", worse))
                }
            },
        }
    }

    /// Begins the probation, or drops what could be returned to.
    pub(super) async fn settle(self: &Arc<Self>, switch: Switch<X>) {
        let Switch { probation, time, trail, _one_at_a_time } = switch;
        match time {
            Some(time) => {
                let mut place = self.place.lock().await;
                self.probing.send_replace(true);
                place.probation = Some(watch_over(self, &probation, time, trail));
            }
            None => self.pass(probation.number).await,
        }
    }

    /// The generation of this number stays: what was before it goes.
    pub(super) async fn pass(&self, number: u64) {
        self.watch.end_probation(number);
        let kept = self.place.lock().await.kept.take_if(|kept| kept.number == number);
        if let Some(kept) = kept {
            self.probing.send_replace(false);
            if kept.owner.is_none() {
                kept.old.retire().await;
            }
        }
    }

    /// As [`Self::pass`], of a swap whose future was dropped.
    pub(super) fn forget(&self, switch: &Switch<X>) {
        let number = switch.probation.number;
        self.watch.end_probation(number);
        if let Ok(mut place) = self.place.try_lock() {
            place.kept.take_if(|kept| kept.number == number);
        }
    }

    /// Goes back because of something else than this generation. Says whether the one before serves.
    pub(super) async fn undo(self: &Arc<Self>, switch: Switch<X>, reason: &str) -> bool {
        self.go_back(switch.probation.number, reason, &switch.trail).await
    }

    /// Lets the generation serve again that served before the one of this number. Says whether it does.
    pub(super) async fn go_back(&self, number: u64, reason: &str, trail: &Trail) -> bool {
        let mut place = self.place.lock().await;
        let Some(kept) = place.kept.take_if(|kept| kept.number == number) else { return false };
        let failed = self.current();
        let many = kept.owner.is_none();
        let went = match kept.owner {
            None => {
                self.put_in_place(Arc::clone(&kept.old));
                Ok(())
            }
            Some(owner) => self.owner_back(&failed, &kept.old, owner).await,
        };
        self.watch.end_probation(number);
        self.probing.send_replace(false);
        drop(place);
        match &went {
            Ok(()) => {
                tracing::warn!(plugin = self.name(), reason, "the generation before serves again");
                trail.done(SwapStep::Return, format_args!("generation {} serves", self.current().number));
            }
            Err(error) => {
                tracing::error!(
                    plugin = self.name(),
                    reason,
                    "no return to the generation before: {}",
                    error.chain()
                );
                trail.failed(SwapStep::Return, error.chain());
            }
        }
        if many {
            let ended =
                tokio::time::timeout(self.host.options.limits.drain, failed.end_streams()).await.is_ok();
            let drained = failed.retire().await && ended;
            match drained {
                true => trail.done(SwapStep::Drain, ""),
                false => trail.failed(SwapStep::Drain, "calls of the failed generation did not end in time"),
            }
        }
        went.is_ok()
    }

    /// The way back of a plugin that owns its data.
    async fn owner_back(&self, failed: &Arc<Generation<X>>, old: &Generation<X>, owner: Owner) -> Result<()> {
        let _no_streams = self.end_streams(failed).await?;
        let mut paused = failed.pause().await?;
        let untouched = owner.writes.is_some_and(|then| then.none_until(self.watch.writes()));
        let snapshot = match &mut paused.instance {
            _ if untouched => owner.snapshot,
            Some(instance) if instance.has_handoff() => instance.save().await?,
            // Nothing to hand over: it lies in a folder, or was lost with an instance that trapped.
            _ => None,
        };
        paused.instance = None;
        let number = failed.number + 1;
        match Generation::start(&self.host, old.prepared(), number, snapshot.clone()).await {
            Ok(again) => {
                self.replace(paused, &Arc::new(again));
                Ok(())
            }
            Err(error) => match paused.restart(snapshot).await {
                Ok(()) => Err(error),
                Err(worse) => Err(error.with("and then", worse)),
            },
        }
    }

    async fn end_streams(&self, generation: &Generation<X>) -> Result<OwnedRwLockWriteGuard<()>> {
        tokio::time::timeout(self.host.options.limits.drain, generation.end_streams()).await.map_err(|_| {
            Error::new(ErrorKind::Timeout, "the writers of the old generation did not end in time")
        })
    }

    /// Starts a generation that is to come after the last one that served.
    async fn start(
        &self,
        prepared: Prepared,
        old: &Generation<X>,
        snapshot: Option<Bytes>,
    ) -> Result<Generation<X>> {
        let number = self.last.load(Ordering::Relaxed) + 1;
        let new = Generation::start(&self.host, prepared, number, snapshot).await?;
        X::check_successor(&old.description, &new.description)?;
        Ok(new)
    }

    fn trail(&self, old: &Generation<X>, options: &SwapOptions) -> Trail {
        Trail {
            audit: Arc::clone(&self.host.options.audit),
            clock: Arc::clone(&self.host.options.clock),
            plugin: self.name().to_owned(),
            from: old.digest.clone(),
            to: None,
            by: options.by.clone(),
        }
    }

    /// Waits until no generation is on probation. Cancel safe.
    pub(crate) async fn settled(&self) {
        let mut probing = self.probing.subscribe();
        if probing.wait_for(|probing| !probing).await.is_err() {
            tracing::debug!("the plugin is gone, and with it its probation");
        }
    }

    pub(crate) fn is_on_probation(&self) -> bool {
        *self.probing.borrow()
    }
}
