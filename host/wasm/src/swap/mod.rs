//! Replacing the component of a plugin while calls go on.
//!
//! ```text
//! read -> compile -> canary -> start -> prewarm -> shadow | switch -> drain -> probation -> done, or back
//!                    nothing has changed up to here       | from here on the new generation serves
//! ```
//!
//! * `canary`: the new component is configured, asked for its health, and put through a self-test of the contract where
//!   it can harm nothing. Where that is, and why, is told there.
//! * `shadow`: a sample of the reads that arrive is asked of both generations, and the answers are compared.
//! * `steps`: the order of it all, and the switch. A plugin of many instances is switched atomically, one that owns its
//!   data in a short pause.
//! * `watch`, `probation`: for some time afterwards calls are looked at. If the new generation does worse than the one
//!   before, that one serves again; reads that fail meanwhile are repeated in it.
//! * `last_good`: the component before is put back where its successor is quarantined.
//! * `audit`: a line and a record for each step.
//!
//! The invariant: whatever step fails, and wherever the future of a swap is dropped, one generation serves.

mod audit;
mod canary;
mod group;
mod last_good;
mod options;
mod probation;
mod ready;
mod shadow;
mod steps;
mod watch;

use std::sync::Arc;

use larder_core::{Clock, ManualClock, Result};

pub use self::{
    audit::{Audit, AuditRecord, SwapStep},
    group::SwapGroup,
    options::{ShadowOptions, SwapOptions, Swapped},
    ready::{ReadySwap, SwitchedSwap},
};
pub(crate) use self::{canary::broke, shadow::ask, steps::Place, watch::Watch};
use crate::{
    generation::Generation,
    instance::Exports,
    job::{Caller, Job},
};

/// What the keys of a canary begin with. Keys that begin so are hidden from the scans of others while they are there.
const SCRATCH: &str = "~larder-canary~/";

/// Whether a key is a canary's.
pub(crate) fn is_scratch(key: &str) -> bool {
    key.starts_with(SCRATCH)
}

/// The kind of a plugin, as far as a swap needs to know it.
pub(crate) trait Swappable: Exports {
    /// What a probe is answered with.
    type Answer: Send + Sync;
    /// Removes all that a test may have left, through a generation that serves.
    type CleanUp: Job<Self, Output = ()>;

    /// A store in memory for a canary of a layer.
    fn scratch_next(clock: Arc<dyn Clock>) -> Self::Next;
    /// Puts the contract to a test, as far as the plugin declares it, and as the scratch namespace allows.
    fn try_out(
        caller: &mut Caller<'_, Self>,
        about: &Self::Description,
        scratch: &Scratch,
    ) -> impl Future<Output = Result<Tried>> + Send;
    /// Removes all that a test may have left.
    fn clean_up(caller: &mut Caller<'_, Self>, scratch: &Scratch) -> impl Future<Output = Result<()>> + Send;
    /// The same as a job of its own.
    fn cleaner(scratch: Scratch) -> Self::CleanUp;

    /// Asks one generation.
    fn ask(
        generation: &Arc<Generation<Self>>,
        probe: &Self::Probe,
    ) -> impl Future<Output = Result<Self::Answer>> + Send;
    /// What is different in two answers to a probe; none if nothing that matters is.
    fn difference(
        about: (&Self::Description, &Self::Description),
        old: &Self::Answer,
        new: &Self::Answer,
    ) -> Option<&'static str>;
    /// The operation of a probe, and what it names: a key or a path, which is told by its hash alone.
    fn name(probe: &Self::Probe) -> (&'static str, &str);
}

/// Where a canary may write.
#[derive(Debug, Clone)]
pub(crate) struct Scratch {
    /// What its keys or paths begin with: nobody can guess it, so nobody else's begin so.
    pub(crate) prefix: String,
    /// The clock of the plugin, where it can be turned: what expires is then seen to.
    pub(crate) clock: Option<Arc<ManualClock>>,
}

/// What a self-test found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    /// It reads and writes as it should.
    Whole,
    /// It takes no writes; it reads as it should.
    ReadOnly,
}
