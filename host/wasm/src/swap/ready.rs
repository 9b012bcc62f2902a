//! The halves of a swap, for who swaps several plugins together or none: what is prepared, and what is switched.

use std::{fmt, sync::Arc};

use larder_core::{BoxFuture, Result};
use tokio_util::task::TaskTracker;

use super::{
    SwapGroup, SwapOptions, Swappable, Swapped,
    steps::{Preparation, Switch},
};
use crate::{hand_over::HandOver, plugin::Plugin, source::Source};

/// A swap up to its switch: the new generation passed all tests that it can before it serves, and nothing has changed. No
/// other swap of the plugin begins while it lives. Dropped, nothing happened.
pub struct ReadySwap(Box<dyn Ready>);

/// A swap whose new generation serves, while the old one can still be returned to.
///
/// Dropped without [`settle`](Self::settle), the new generation serves on, without a probation.
pub struct SwitchedSwap {
    swapped: Swapped,
    after: Box<dyn After>,
}

trait Ready: Send {
    fn switch(self: Box<Self>, group: SwapGroup) -> BoxFuture<'static, Result<SwitchedSwap>>;
}

trait After: Send {
    fn settle(self: Box<Self>) -> BoxFuture<'static, ()>;
    fn undo(self: Box<Self>, reason: String) -> BoxFuture<'static, bool>;
}

impl ReadySwap {
    pub(crate) async fn prepare<X: Swappable>(
        plugin: &Arc<Plugin<X>>,
        source: &Source,
        options: &SwapOptions,
    ) -> Result<Self> {
        let prepared = plugin.prepare(source, options).await.map_err(|e| e.operation("swap"))?;
        Ok(Self(Box::new(Halfway { plugin: Arc::clone(plugin), prepared })))
    }

    /// Switches to the new generation.
    ///
    /// # Errors
    /// Of a plugin that owns its data: `timeout` where its calls do not end, and whatever stops the new component from
    /// taking over; then the old one serves on. A plugin of many instances is always switched.
    ///
    /// # Cancel safety
    /// A switch that has begun is done all the same: a plugin that owns its data must not be left between two generations.
    pub async fn switch(self, group: &SwapGroup) -> Result<SwitchedSwap> {
        to_its_end(self.0.switch(group.clone())).await.map_err(|e| e.operation("swap"))
    }

    /// Switches, and settles at once: the swap of one plugin alone.
    ///
    /// # Errors
    /// As [`Self::switch`].
    pub async fn finish(self) -> Result<Swapped> {
        Ok(self.switch(&SwapGroup::new()).await?.settle().await)
    }
}

impl SwitchedSwap {
    /// Begins the probation of the new generation, or drops the old one where there is to be none.
    pub async fn settle(self) -> Swapped {
        let Self { swapped, after } = self;
        to_its_end(after.settle()).await;
        swapped
    }

    /// Goes back to the old generation, because of something else. Says whether it serves again.
    pub async fn undo(self, reason: impl Into<String>) -> bool {
        to_its_end(self.after.undo(reason.into())).await
    }

    /// What the swap did so far.
    pub fn swapped(&self) -> &Swapped {
        &self.swapped
    }
}

/// Work that ends in the background where nobody waits for it any more.
fn to_its_end<T: Send + 'static>(work: BoxFuture<'static, T>) -> HandOver<T> {
    HandOver { work: Some(work), tasks: TaskTracker::new() }
}

struct Halfway<X: Swappable> {
    plugin: Arc<Plugin<X>>,
    prepared: Preparation<X>,
}

impl<X: Swappable> Ready for Halfway<X> {
    fn switch(self: Box<Self>, group: SwapGroup) -> BoxFuture<'static, Result<SwitchedSwap>> {
        Box::pin(async move {
            let Self { plugin, prepared } = *self;
            let (swapped, switch) = plugin.switch(prepared, group).await?;
            Ok(SwitchedSwap { swapped, after: Box::new(Switched { plugin, switch: Some(switch) }) })
        })
    }
}

struct Switched<X: Swappable> {
    plugin: Arc<Plugin<X>>,
    switch: Option<Switch<X>>,
}

impl<X: Swappable> After for Switched<X> {
    fn settle(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if let Some(switch) = self.switch.take() {
                self.plugin.settle(switch).await;
            }
        })
    }

    fn undo(mut self: Box<Self>, reason: String) -> BoxFuture<'static, bool> {
        Box::pin(async move {
            match self.switch.take() {
                Some(switch) => self.plugin.undo(switch, &reason).await,
                None => false,
            }
        })
    }
}

impl<X: Swappable> Drop for Switched<X> {
    fn drop(&mut self) {
        if let Some(switch) = self.switch.take() {
            self.plugin.forget(&switch);
        }
    }
}

impl fmt::Debug for ReadySwap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadySwap").finish_non_exhaustive()
    }
}

impl fmt::Debug for SwitchedSwap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwitchedSwap").field("swapped", &self.swapped).finish_non_exhaustive()
    }
}
