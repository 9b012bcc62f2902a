//! The time after a switch in which the generation before can serve again.
//!
//! The new generation has failed where it traps or breaks the contract more often than the one before did, where it answers
//! with errors much more often, or where its calls take much longer. What *before* was is counted from the beginning of the
//! swap to the switch. A plugin that was hardly called in that time is judged by traps, and by errors that are the rule.
//!
//! The return of a plugin of many instances is as atomic as its switch was: its old instances were kept warm. One that owns
//! its data is paused, and hands over what it has; where it can't (it trapped, so its memory is gone) the old component gets
//! what it handed over itself, if nothing was written since, and else begins as after any trap.

use std::{sync::Arc, time::Duration};

use tokio_util::task::AbortOnDropHandle;

use super::{
    SwapGroup, Swappable,
    audit::{SwapStep, Trail},
    watch::{MEDIAN_MIN, Seen, Summary, Tally},
};
use crate::{
    generation::Generation,
    instance::{Access, Exports},
    plugin::Plugin,
};

/// How much more often than before a new generation may fail: twice is chance where failures are rare.
const RATE_FACTOR: u64 = 2;

/// Fewest answers with an error that count against a generation: a service has its moments.
const FAILED_MIN: u64 = 5;

/// The share of errors that is not told from none, as one in so many.
const FAILED_ONE_IN: u64 = 100;

/// The share of errors that is too much where nothing is known of before, as one in so many.
const FAILED_ONE_IN_ALONE: u64 = 2;

/// Fewest calls that say how often errors are the rule.
const CALLS_MIN: u64 = 20;

/// How many times longer than before a call may take, in the median: what a busy machine does to it is less.
const LATENCY_FACTOR: u32 = 5;

/// What it may take longer in any case: caches are cold, and machines are busy.
const LATENCY_MORE: Duration = Duration::from_millis(5);

/// A generation that has to show that it does no worse than the one before.
pub(crate) struct Probation<X: Exports> {
    pub(super) number: u64,
    /// The one before, warm; none of a plugin that owns its data.
    pub(super) old: Option<Arc<Generation<X>>>,
    before: Summary,
    tally: Tally,
    group: SwapGroup,
}

impl<X: Exports> Probation<X> {
    pub(super) fn new(
        number: u64,
        old: Option<Arc<Generation<X>>>,
        before: Summary,
        group: SwapGroup,
    ) -> Self {
        Self { number, old, before, tally: Tally::default(), group }
    }

    pub(super) fn summary(&self) -> Summary {
        self.tally.summary()
    }

    /// Counts a call, and fails the probation where that is one too many.
    pub(super) fn saw(&self, access: Access, seen: Seen, took: Duration) {
        let calls = self.tally.count(access, seen, took);
        if seen == Seen::Fine && !calls.is_multiple_of(MEDIAN_MIN) {
            return;
        }
        if let Some(reason) = verdict(&self.before, &self.tally.summary()) {
            self.group.fail(|| reason);
        }
    }
}

/// Why a generation must go, if it must.
fn verdict(before: &Summary, after: &Summary) -> Option<String> {
    let rates = |then: u64, now: u64| now * before.calls.max(1) > RATE_FACTOR * then * after.calls;
    if after.broken > 0 && rates(before.broken, after.broken) {
        return Some(format!(
            "{} of {} calls trapped or broke the contract; before it were {} of {}",
            after.broken, after.calls, before.broken, before.calls
        ));
    }
    let one_in = if before.calls < CALLS_MIN { FAILED_ONE_IN_ALONE } else { FAILED_ONE_IN };
    let is_the_rule = after.calls >= CALLS_MIN || before.calls >= CALLS_MIN;
    if after.failed >= FAILED_MIN
        && is_the_rule
        && after.failed * one_in > after.calls
        && rates(before.failed, after.failed)
    {
        return Some(format!(
            "{} of {} calls ended with an error; before it were {} of {}",
            after.failed, after.calls, before.failed, before.calls
        ));
    }
    let slower = |what: &str, then: Option<Duration>, now: Option<Duration>| match (then, now) {
        (Some(then), Some(now)) if now > then * LATENCY_FACTOR && now > then + LATENCY_MORE => {
            Some(format!("a {what} takes {now:?} in the median; before it was {then:?}"))
        }
        _ => None,
    };
    slower("read", before.read, after.read).or_else(|| slower("write", before.write, after.write))
}

/// Ends when the probation of a generation does, and acts on it.
pub(super) fn watch_over<X: Swappable>(
    plugin: &Arc<Plugin<X>>,
    probation: &Arc<Probation<X>>,
    time: Duration,
    trail: Trail,
) -> AbortOnDropHandle<()> {
    let (plugin, probation) = (Arc::downgrade(plugin), Arc::clone(probation));
    AbortOnDropHandle::new(tokio::spawn(async move {
        let failed = tokio::select! {
            biased;
            reason = probation.group.failed() => Some(reason),
            () = tokio::time::sleep(time) => None,
        };
        let Some(plugin) = plugin.upgrade() else { return };
        match failed {
            Some(reason) => {
                trail.failed(SwapStep::Probation, &reason);
                plugin.go_back(probation.number, &reason, &trail).await;
            }
            None => {
                let Summary { calls, failed, broken, read: _, write: _ } = probation.summary();
                trail.done(
                    SwapStep::Probation,
                    format_args!("{calls} calls, {failed} errors, {broken} broken"),
                );
                plugin.pass(probation.number).await;
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(calls: u64, failed: u64, broken: u64, micros: u64) -> Summary {
        let read = (calls >= MEDIAN_MIN).then(|| Duration::from_micros(micros));
        Summary { calls, failed, broken, read, write: None }
    }

    #[test]
    fn one_trap_is_too_many_where_there_was_none() {
        let quiet = counted(0, 0, 0, 0);
        assert!(verdict(&quiet, &counted(1, 0, 1, 0)).is_some());
        assert!(verdict(&counted(1_000, 0, 0, 10), &counted(500, 0, 1, 10)).is_some());
    }

    #[test]
    fn a_generation_may_fail_as_often_as_the_one_before() {
        let before = counted(1_000, 100, 100, 10);
        assert_eq!(verdict(&before, &counted(1_000, 150, 150, 10)), None);
        assert!(verdict(&before, &counted(1_000, 100, 201, 10)).is_some());
        assert!(verdict(&before, &counted(1_000, 201, 100, 10)).is_some());
    }

    #[test]
    fn a_few_errors_are_no_verdict_and_nothing_but_errors_is_one() {
        let before = counted(1_000, 0, 0, 10);
        assert_eq!(verdict(&before, &counted(1_000, 4, 0, 10)), None);
        assert_eq!(verdict(&before, &counted(10_000, 50, 0, 10)), None);
        assert!(verdict(&before, &counted(20, 5, 0, 10)).is_some());
        let unknown = counted(0, 0, 0, 0);
        assert_eq!(verdict(&unknown, &counted(30, 10, 0, 10)), None);
        assert!(verdict(&unknown, &counted(30, 20, 0, 10)).is_some());
    }

    #[test]
    fn slower_is_a_verdict_only_where_it_can_be_felt() {
        let before = counted(100, 0, 0, 20);
        assert_eq!(verdict(&before, &counted(100, 0, 0, 4_900)), None, "under five milliseconds");
        assert!(verdict(&before, &counted(100, 0, 0, 5_100)).is_some());
        assert_eq!(verdict(&counted(100, 0, 0, 10_000), &counted(100, 0, 0, 45_000)), None);
        assert_eq!(
            verdict(&counted(10, 0, 0, 0), &counted(100, 0, 0, 9_000_000)),
            None,
            "before is not known"
        );
    }
}
