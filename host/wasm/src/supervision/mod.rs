//! Watches over components that fail: strikes, back-off, quarantine.
//!
//! [`standing`] is the machine, [`record`] keeps one per component of an engine, [`watched`] is what a generation of a plugin
//! holds of it. The hot path knows nothing of all this but [`attention`]: one word that is zero while all is well.

mod attention;
mod record;
mod report;
mod rules;
mod standing;
mod watched;

use std::error::Error as _;

use larder_core::Error;

use self::record::NotCalled;
pub(crate) use self::{
    attention::{Attention, Reason},
    record::Registry,
    watched::{Supervisor, Watched},
};
pub use self::{
    report::{LastError, PluginReport, PluginState},
    rules::{Remedy, SupervisionRules},
};

/// Whether an error says that a plugin was not called at all, because it is in a back-off or in quarantine.
pub fn is_refusal(error: &Error) -> bool {
    error.source().is_some_and(|source| source.is::<NotCalled>())
}
