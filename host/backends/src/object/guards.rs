//! What stands in front of every blob operator, from the outside in:
//!
//! ```text
//! retry -> timeout -> limit -> service
//! ```
//!
//! The order has reasons. The timeout is inside of the retry: it bounds an attempt, and outside it would drop a
//! retry in mid-flight together with the state of the reader or writer that it holds. The limit is innermost: who
//! waits for its turn does so on its own time.

use std::time::Duration;

use opendal::{
    Operator,
    layers::{ConcurrentLimitLayer, RetryLayer},
};

use super::deadline::Deadline;

/// Before the first repetition; doubled before each further one, and spread.
const WAIT_FIRST: Duration = Duration::from_millis(50);
/// Longest wait before a repetition: a server that is back is found within this time.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Bounds for a service that may fail, hang or be overrun. What is none is not bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Guards {
    /// Repetitions of what failed for a moment.
    pub retries: Option<u32>,
    /// Longest time of one attempt: a request, a part, a piece that is read.
    pub timeout: Option<Duration>,
    /// Most operations at once. A reader or writer counts from its first request until it is dropped.
    pub concurrency: Option<usize>,
}

impl Guards {
    /// What suits a service on the network: four repetitions, half a minute, 256 operations at once.
    pub fn remote() -> Self {
        Self { retries: Some(4), timeout: Some(Duration::from_secs(30)), concurrency: Some(256) }
    }
}

/// Puts the guards in front of an operator.
///
/// # Behavior
/// * What is repeated is safe to repeat on every operator of this module: reads, whole writes, and writes under a
///   condition, which recognise their own effect.
/// * A read that was cut in mid-stream goes on where it was cut, in the same version of the blob.
/// * A timeout is an error of kind `timeout`; its effect says whether something may have been written.
pub fn guarded(mut operator: Operator, guards: Guards) -> Operator {
    if let Some(at_once_max) = guards.concurrency {
        operator = operator.layer(ConcurrentLimitLayer::new(at_once_max));
    }
    if let Some(attempt_max) = guards.timeout {
        operator = operator.layer(Deadline(attempt_max));
    }
    if let Some(retries_max) = guards.retries {
        let retries = RetryLayer::new()
            .with_jitter()
            .with_min_delay(WAIT_FIRST)
            .with_max_delay(WAIT_MAX)
            .with_max_times(retries_max as usize)
            // OpenDAL's own notice prints the error's internals; the cause is told once, at the end.
            .with_notify(|event: opendal::layers::RetryEvent<'_>| {
                tracing::debug!(
                    operation = ?event.op,
                    attempt = event.attempt,
                    kind = %event.err.kind(),
                    wait = ?event.retry_after,
                    "a blob operation failed for a moment and is repeated"
                );
            });
        operator = operator.layer(retries);
    }
    operator
}
