//! What stands in front of a key-value backend. Each layer is a [`KvStore`](larder_core::KvStore) over
//! another; each decorates and none translates. `assemble` puts them together, from the outside in:
//!
//! ```text
//! metrics -> error context -> checks -> stand-in -> layers of the configuration -> retry -> timeout -> limit -> backend
//! ```
//!
//! The order has reasons. Checks stand before the layers, so that no plugin sees a call that breaks
//! the contract. The stand-in for a failing plugin stands before the layers, since they are plugins too. The timeout is inside of the retry: it bounds an attempt, and an attempt that timed
//! out is not repeated if it was a write. The limit is innermost, so that a caller who waits for its
//! turn does so on its own time.

mod checks;
mod errors;
mod failure;
mod limit;
mod metrics;
mod retry;
mod timeout;

pub use self::metrics::{Metrics, OperationMetrics};
pub(crate) use self::{
    checks::Checked,
    errors::Explained,
    failure::{Covered, Fallback, StandIn},
    limit::Limited,
    metrics::{Counters, Metered},
    retry::{Backoff, Retried},
    timeout::Timed,
};

#[cfg(test)]
mod tests;
