//! Stores that are wrong on purpose, each in one way, and the proof that the suite sees it.
//!
//! A suite that passes proves nothing by itself; a suite that fails for each of these defects does.
//! Most of them stood in real stores: behind them are Spin's key-value backends (missing keys left
//! out of a batch, increments that are read-modify-write, compare-and-set by value), wasmCloud's
//! (cursors that are offsets, counters in four encodings), and larder's forerunner (limits that cut
//! before sorting, prefixes left in keys).
//!
//! Each row names the case that must fail. Others may fail as well: one defect breaks many promises.

use std::sync::Arc;

use larder_core::{BoxFuture, Capabilities, KvStore, ManualClock, MemoryKv, Result};

use super::{Options, Subject, run, run_where};

mod commits;
mod reads;
mod store;

use store::{Defect, Mutant};

/// The model with a defect, or without one.
struct Faulty {
    defect: Option<Defect>,
    clock: Arc<ManualClock>,
}

impl Subject for Faulty {
    fn name(&self) -> String {
        format!("{:?}", self.defect)
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Arc<dyn KvStore>>> {
        let store: Arc<dyn KvStore> = match self.defect {
            Some(defect) => Arc::new(Mutant::new(defect, self.clock.clone())),
            None => Arc::new(MemoryKv::with_clock(self.clock.clone())),
        };
        Box::pin(async { Ok(store) })
    }

    fn clock(&self) -> Arc<ManualClock> {
        self.clock.clone()
    }
}

fn quick() -> Options {
    Options { model_runs: 1, model_steps: 100, tasks: 4, ..Options::default() }
}

async fn is_caught(defect: Defect, case: &str) {
    let subject = Faulty { defect: Some(defect), clock: Arc::default() };
    let report = run_where(&subject, &quick(), |name| name == case).await;
    assert!(
        report.failed().any(|(failed, _)| failed.name == case),
        "{defect:?} was not caught by {case:?}; the report:\n{report}"
    );
}

macro_rules! mutants {
    ($($test:ident: $defect:ident is caught by $case:literal;)+) => {
        $(#[tokio::test]
        async fn $test() {
            is_caught(Defect::$defect, $case).await;
        })+

        #[test]
        fn every_defect_has_its_test() {
            assert_eq!(Defect::ALL.len(), [$(Defect::$defect),+].len());
        }
    };
}

mutants! {
    // Reads
    missing_keys_left_out: DropsMissingKeys is caught by "get_many answers by position, with none for what is missing";
    repeated_keys_answered_once: AnswersKeysOnce is caught by "get_many answers a key as often as it is asked for";
    answers_in_order_of_keys: SortsAnswers is caught by "get_many answers by position, with none for what is missing";
    empty_batches_fail: FailsOnNoKeys is caught by "get_many of no keys is an empty answer";
    batches_past_the_limit: TakesAnyBatch is caught by "get_many of more than 1,000 keys is invalid";
    stale_reads: CachesReads is caught by "a delete removes the entry and says that there was one";
    // Values and keys
    empty_values_lost: EmptyIsMissing is caught by "an empty value is a value";
    values_as_text: ValuesAreText is caught by "every byte is kept, also zeros and what is no UTF-8";
    values_cut: CutsValues is caught by "a value at the limit comes back whole";
    values_over_the_limit: TakesAnyValue is caught by "a value over the limit is invalid";
    keys_over_the_limit: TakesAnyKey is caught by "a key over the limit is invalid in every operation";
    keys_without_case: FoldsCase is caught by "keys differ by case, blanks and normalisation";
    keys_trimmed: TrimsKeys is caught by "keys differ by case, blanks and normalisation";
    keys_end_at_nul: KeysEndAtNul is caught by "every awkward key is a key of its own";
    slashes_replaced: ReplacesSlashes is caught by "every awkward key is a key of its own";
    long_keys_cut: CutsKeys is caught by "the longest key is a key, and so is its neighbour";
    // Writes
    writes_buffered: AcknowledgesEarly is caught by "each write is read back at once";
    deletes_always_find: DeleteSaysTrue is caught by "deleting what is not there succeeds and says so";
    deletes_never_find: DeleteSaysFalse is caught by "a delete removes the entry and says that there was one";
    deletes_find_the_expired: DeleteFindsExpired is caught by "deleting an expired entry deletes nothing";
    // Versions
    versions_are_hashes: VersionIsHash is caught by "each write has a new version, also of the same value";
    versions_begin_again: VersionBeginsAgain is caught by "a version before a delete fails after the key is put again";
    versions_of_adds_stay: AddKeepsVersion is caught by "an add gives a counter a new version";
    versions_answered_wrong: AnswersOtherVersion is caught by "a put answers the version that get returns";
    checks_ignored: IgnoresChecks is caught by "a check on absence holds only where there is no entry";
    absence_ignored: IgnoresAbsent is caught by "of concurrent creations exactly one wins";
    any_version_will_do: AnyVersionWillDo is caught by "a check on a version holds only for the current one";
    later_checks_ignored: IgnoresLaterChecks is caught by "the last of many checks counts as much as the first";
    checks_alone_pass: ChecksAlonePass is caught by "a commit of a check alone tells whether it holds";
    checks_see_the_writes: ChecksSeeWrites is caught by "checks see the state before the writes";
    checks_see_the_expired: ChecksSeeExpired is caught by "an expired entry is absent for checks";
    checks_apart_from_writes: ChecksApart is caught by "of concurrent compare-and-sets exactly one wins each round";
    conflicts_without_key: ConflictHasNoKey is caught by "a failed check is a conflict that names its key";
    conflicts_name_the_written: ConflictNamesWritten is caught by "a conflict names the key that failed, not the one written";
    conflicts_are_invalid: ConflictIsInvalid is caught by "a check on presence holds only where there is an entry";
    refusals_of_unknown_effect: RefusalIsUnsure is caught by "a failed check is a conflict that names its key";
    // Transactions
    commits_not_atomic: WritesOneByOne is caught by "a failed add undoes the writes around it";
    last_write_wins: TakesKeyTwice is caught by "a key written twice is invalid";
    // Counters
    increments_lost: ReadsThenAdds is caught by "concurrent increments lose nothing and give each value once";
    counters_wrap: AddWraps is caught by "overflow is invalid in either direction";
    counters_read_loosely: AddReadsLoosely is caught by "what is no canonical decimal is no counter";
    counters_in_binary: CounterIsBinary is caught by "a counter is read as ASCII decimal";
    adds_end_the_expiry: AddEndsExpiry is caught by "an add keeps the expiry";
    // Times to live
    ttl_ignored: IgnoresTtl is caught by "an entry lives to the last millisecond and not longer";
    ttl_in_seconds: RoundsTtl is caught by "the shortest time to live is 1 ms";
    ttl_a_millisecond_long: ExpiresLate is caught by "an entry lives to the last millisecond and not longer";
    ttl_stays_on_put: PutKeepsExpiry is caught by "a put without a time to live ends the one before";
    ttl_of_nothing: TakesNoTtl is caught by "a time to live of nothing or of more than 100 years is invalid";
    expiry_not_told: HidesExpiry is caught by "an entry says when it expires";
    expired_in_scans: ScanFindsExpired is caught by "an expired entry is in no scan, and pages go on past it";
    // Scans
    end_inclusive: IncludesEnd is caught by "the start is inclusive, the end exclusive";
    start_exclusive: ExcludesStart is caught by "the start is inclusive, the end exclusive";
    end_ignored: IgnoresEnd is caught by "a prefix range holds the prefix's keys and no others";
    scans_descend: Descends is caught by "a scan ascends, whatever the order of writing";
    limit_before_order: LimitsBeforeOrder is caught by "a limit returns the lowest keys";
    order_of_utf16: OrdersByUtf16 is caught by "keys are ordered by their bytes";
    next_forgotten: ForgetsNext is caught by "pages of every size make the same whole";
    next_is_last: NextIsLast is caught by "pages of every size make the same whole";
    next_skips: NextSkips is caught by "pages of every size make the same whole";
    next_at_the_end: NextAtTheEnd is caught by "there is no next page at the end";
    cursor_is_offset: CursorIsOffset is caught by "writes and deletes between pages leave the untouched seen once";
    keys_with_values: KeysWithValues is caught by "a scan of keys returns the keys without their values";
    pages_of_any_entries: PagesOfAnyEntries is caught by "a page holds at most 1,000 entries";
    pages_of_any_bytes: PagesOfAnyBytes is caught by "a page is bounded in bytes";
    limit_zero_taken: TakesLimitZero is caught by "a limit of 0 is invalid";
    prefixes_left_in_keys: LeavesPrefix is caught by "a scan returns keys as they were put";
    // What is not declared
    undeclared_ttl: DropsUndeclaredTtl is caught by "a time to live without the capability is refused";
    undeclared_scan: AnswersUndeclaredScan is caught by "a scan without the capability is refused";
    undeclared_checks: DropsUndeclaredChecks is caught by "a check without the capability is refused";
    undeclared_transactions: SplitsUndeclared is caught by "a commit of two writes without the capability is refused";
    undeclared_counters: EmulatesUndeclaredAdd is caught by "an add without the capability is refused";
}

#[tokio::test]
async fn a_store_without_defects_holds() {
    let report = run(&Faulty { defect: None, clock: Arc::default() }, &quick()).await;
    assert!(report.holds(), "{report}");
}

/// Every set of capabilities is a store of its own, and an honest one holds.
#[tokio::test]
async fn every_honest_set_of_capabilities_holds() {
    struct Partial(Capabilities, Arc<ManualClock>);

    impl Subject for Partial {
        fn name(&self) -> String {
            self.0.to_string()
        }

        fn fresh(&self) -> BoxFuture<'_, Result<Arc<dyn KvStore>>> {
            let mut description = larder_core::Description::full();
            description.capabilities = self.0;
            description.key_bytes_max = 300;
            description.value_bytes_max = 100_000;
            let store = MemoryKv::with_clock(self.1.clone()).with_description(description);
            Box::pin(async { Ok(Arc::new(store) as Arc<dyn KvStore>) })
        }

        fn clock(&self) -> Arc<ManualClock> {
            self.1.clone()
        }
    }

    for bits in 0..=Capabilities::all().bits() {
        let capabilities = Capabilities::from_bits_truncate(bits);
        let report = run(&Partial(capabilities, Arc::default()), &quick()).await;
        assert!(report.holds(), "{report}");
        let refused = report.cases.iter().any(|case| case.outcome == crate::CaseOutcome::RefusedAsItShould);
        assert_eq!(refused, capabilities != Capabilities::all(), "{report}");
    }
}

/// The model finds these without being told where to look, and says so in a few steps.
#[tokio::test]
async fn the_model_finds_defects_and_shortens_their_history() {
    for (defect, steps_max) in [
        (Defect::IgnoresTtl, 3),
        (Defect::IgnoresChecks, 2),
        (Defect::VersionBeginsAgain, 5),
        (Defect::PutKeepsExpiry, 4),
        (Defect::AddEndsExpiry, 4),
        (Defect::ChecksSeeExpired, 4),
        (Defect::WritesOneByOne, 4),
        (Defect::OrdersByUtf16, 4),
    ] {
        let subject = Faulty { defect: Some(defect), clock: Arc::default() };
        let options = Options::default();
        let description = subject.fresh().await.unwrap().describe();
        let failure = super::model::run(&subject, &options, description).await.unwrap_err();
        let steps = failure.0.lines().filter(|line| line.starts_with("  ")).count();
        assert!((1..=steps_max).contains(&steps), "{defect:?} needs {steps} steps:\n{}", failure.0);
        assert!(failure.0.contains(&options.seed.to_string()), "{}", failure.0);
    }
}
