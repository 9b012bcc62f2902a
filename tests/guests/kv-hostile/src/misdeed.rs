//! What can go wrong with a call, and the ways that end or delay any of them.

use std::{hint::black_box, time::Duration};

use larder_sdk::{Error, Result, info};

/// Milliseconds of `slow`, unless told otherwise.
const SLOW_MS: u64 = 1_000;

/// Millions of rounds of `busy`, unless told otherwise.
const BUSY_MILLIONS: u64 = 50;

/// Lines of `flood-log`.
const LINES: u32 = 100_000;

/// A way to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misdeed {
    /// Ends in a trap.
    Trap,
    /// Does the call, then ends in a trap (`commit`).
    TrapAfter,
    /// Never ends.
    Loop,
    /// Takes memory until there is none.
    EatMemory,
    /// Calls itself until the stack ends.
    DeepRecursion,
    /// Keeps `amount` KiB (1) of each call for good.
    Leak,
    /// Takes handles of the host until there are none.
    Hoard,
    /// Sleeps.
    Slow,
    /// Computes for long, and ends.
    Busy,
    /// Writes lines and lines to the log, then goes on.
    FloodLog,
    /// Answers an error of the kind `other`.
    Fail,
    /// Answers an error whose text has a MiB.
    LongError,
    /// Answers that the write is in doubt.
    Indeterminate,
    /// One answer too many (`get-many`, `commit`), or more entries than the limit (`scan`).
    TooMany,
    /// One answer too few (`get-many`, `commit`).
    TooFew,
    /// A value above the limit (`get`, `get-many`, `scan`), a snapshot (`save`), limits above the contract's (`describe`).
    Oversized,
    /// A version that was never given (`get`, `get-many`).
    LieVersion,
    /// A time left of 0 ms (`get`, `get-many`).
    Expired,
    /// Additions where puts were done (`commit`).
    WrongOutcome,
    /// A page in descending order.
    Unordered,
    /// A page with a key twice.
    Twice,
    /// A page with a key outside the range.
    Outside,
    /// A page with an empty key.
    BadKey,
    /// Pages without an end.
    Endless,
    /// A page that goes on where it began.
    GoBack,
}

impl Misdeed {
    /// The words of the settings.
    pub(crate) const WORDS: [(&str, Self); 25] = [
        ("trap", Self::Trap),
        ("trap-after", Self::TrapAfter),
        ("loop", Self::Loop),
        ("eat-memory", Self::EatMemory),
        ("deep-recursion", Self::DeepRecursion),
        ("leak", Self::Leak),
        ("hoard", Self::Hoard),
        ("slow", Self::Slow),
        ("busy", Self::Busy),
        ("flood-log", Self::FloodLog),
        ("fail", Self::Fail),
        ("long-error", Self::LongError),
        ("indeterminate", Self::Indeterminate),
        ("too-many", Self::TooMany),
        ("too-few", Self::TooFew),
        ("oversized", Self::Oversized),
        ("lie-version", Self::LieVersion),
        ("expired", Self::Expired),
        ("wrong-outcome", Self::WrongOutcome),
        ("unordered", Self::Unordered),
        ("twice", Self::Twice),
        ("outside", Self::Outside),
        ("bad-key", Self::BadKey),
        ("endless", Self::Endless),
        ("go-back", Self::GoBack),
    ];

    /// Does what ends or delays the call; the rest spoils its answer.
    pub(crate) fn act(self, amount: Option<u64>) -> Result<()> {
        match self {
            Self::Trap => std::process::abort(),
            Self::Loop => loop {
                black_box(());
            },
            Self::EatMemory => {
                let mut eaten: Vec<Vec<u8>> = Vec::new();
                loop {
                    eaten.push(black_box(vec![1; 1 << 20]));
                }
            }
            Self::Leak => {
                let kib = usize::try_from(amount.unwrap_or(1)).unwrap_or(1);
                black_box(Vec::<u8>::leak(vec![1; kib << 10]));
            }
            Self::DeepRecursion => _ = descend(0),
            Self::Hoard => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(wasip2::clocks::monotonic_clock::subscribe_duration(1_000_000_000));
                }
            }
            Self::Slow => {
                #[expect(clippy::disallowed_methods, reason = "to be slow is what it is here for")]
                std::thread::sleep(Duration::from_millis(amount.unwrap_or(SLOW_MS)));
            }
            Self::Busy => {
                for round in 0..amount.unwrap_or(BUSY_MILLIONS).saturating_mul(1_000_000) {
                    black_box(round);
                }
            }
            Self::FloodLog => (0..LINES).for_each(|line| info!("line {line}")),
            Self::Fail => return Err(Error::other("told to fail")),
            Self::LongError => return Err(Error::other("x".repeat(1 << 20))),
            Self::Indeterminate => return Err(Error::indeterminate("told to leave it open")),
            _ => {}
        }
        Ok(())
    }
}

#[expect(unconditional_recursion, reason = "the stack is to end")]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    descend(depth + 1) + frame.iter().sum::<u64>()
}
