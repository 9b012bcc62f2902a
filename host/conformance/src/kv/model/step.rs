//! The steps of a history, and how they are drawn. A step names versions by when they were seen and
//! not by their number, so that a history can be played again on another store, or with some of its
//! steps left out.

use std::{fmt, time::Duration};

use bytes::Bytes;
use larder_core::{Capabilities, Change, Description, KeyRange};

use crate::kv::{case::brief, random::Random};

/// Keys of a history: few, so that they meet; some begin with others, some have awkward orders.
pub(super) const NAMES: [&str; 12] =
    ["a", "a:", "a:1", "a:10", "a:2", "a\0", "b", "b/c?d=e", "ü", "\u{d7ff}", "\u{e000}", "\u{10000}"];

/// One step.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Get(&'static str),
    GetMany(Vec<&'static str>),
    Scan { range: KeyRange, limit: u32, keys_only: bool },
    Commit { checks: Vec<(&'static str, Expect)>, writes: Vec<(&'static str, Change)> },
    Advance(Duration),
}

/// What a check of a history expects.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expect {
    Absent,
    Present,
    /// The version of the key that was seen so many versions ago; 0 is the newest. Where none was
    /// seen, the check is left out.
    Seen(usize),
}

impl Step {
    /// A step that may do anything; what the store does not declare comes up as well, but rarely.
    pub(super) fn random(random: &mut Random, description: Description) -> Self {
        let allowed = if random.once_in(40) { Capabilities::all() } else { description.capabilities };
        match random.below(20) {
            0..=3 => Self::Get(random.pick(&NAMES)),
            4 => Self::GetMany((0..random.below(6)).map(|_| random.pick(&NAMES)).collect()),
            5..=6 if allowed.contains(Capabilities::SCAN) => Self::random_scan(random),
            7..=8 => Self::Advance(Duration::from_millis(random.pick(&[1, 1, 2, 5, 9, 10, 50]))),
            _ => Self::random_commit(random, allowed),
        }
    }

    fn random_scan(random: &mut Random) -> Self {
        let bound = |random: &mut Random| random.pick(&NAMES);
        let range = match random.below(5) {
            0 => KeyRange::all(),
            1 => KeyRange::from_key(bound(random)),
            2 => KeyRange::prefix(random.pick(&["a", "a:", "a:1", "b", "ü", "x"])),
            _ => KeyRange::between(bound(random), bound(random)),
        };
        Self::Scan { range, limit: random.pick(&[1, 2, 3, 5, 1_000]), keys_only: random.once_in(4) }
    }

    fn random_commit(random: &mut Random, allowed: Capabilities) -> Self {
        let many = allowed.contains(Capabilities::TRANSACTIONS);
        let count = if many && random.once_in(3) { random.below(4) + 1 } else { 1 };
        let mut writes: Vec<(&'static str, Change)> = Vec::new();
        for _ in 0..count {
            let name = random.pick(&NAMES);
            // A key written twice is refused by every store; once in a while is enough.
            if random.once_in(20) || writes.iter().all(|(other, _)| *other != name) {
                writes.push((name, random_change(random, allowed)));
            }
        }
        let mut checks = Vec::new();
        if allowed.contains(Capabilities::VERSIONS) && random.once_in(2) {
            for _ in 0..random.below(3) {
                let own = writes.first().map_or("a", |(name, _)| name);
                let name = if many && random.once_in(2) { random.pick(&NAMES) } else { own };
                let seen = usize::try_from(random.pick(&[0, 0, 0, 0, 1, 2, 5])).unwrap_or(0);
                let expect =
                    random.pick(&[Expect::Absent, Expect::Present, Expect::Seen(seen), Expect::Seen(seen)]);
                checks.push((name, expect));
            }
        }
        if !checks.is_empty() && random.once_in(10) {
            writes.clear();
        }
        Self::Commit { checks, writes }
    }
}

fn random_change(random: &mut Random, allowed: Capabilities) -> Change {
    match random.below(10) {
        0..=1 => Change::Delete,
        2..=4 if allowed.contains(Capabilities::COUNTERS) => {
            Change::Add(random.pick(&[1, 1, -1, 0, 10, -10, i64::MAX, i64::MIN]))
        }
        _ => {
            let timed = allowed.contains(Capabilities::TTL) && random.once_in(3);
            let ttl =
                timed.then(|| Duration::from_micros(random.pick(&[1_000, 2_000, 9_500, 10_000, 50_000])));
            Change::Put { value: random_value(random), ttl }
        }
    }
}

fn random_value(random: &mut Random) -> Bytes {
    match random.below(8) {
        0 => Bytes::new(),
        1..=4 => Bytes::from(random.pick(&[0_i64, 1, 7, -3, i64::MAX, i64::MIN]).to_string()),
        5 => Bytes::from_static(b"01"),
        6 => (0..random.below(40)).map(|_| random.next().to_le_bytes()[0]).collect(),
        _ => Bytes::from(vec![b'v'; usize::try_from(random.below(20_000)).unwrap_or(0)]),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(name) => write!(f, "get {name:?}"),
            Self::GetMany(names) => write!(f, "get_many {names:?}"),
            Self::Scan { range, limit, keys_only } => {
                let what = if *keys_only { "keys" } else { "entries" };
                write!(f, "scan {what} from {:?} to {:?} in pages of {limit}", range.start, range.end)
            }
            Self::Advance(by) => write!(f, "{} ms pass", by.as_millis()),
            Self::Commit { checks, writes } => {
                f.write_str("commit")?;
                for (name, expect) in checks {
                    match expect {
                        Expect::Absent => write!(f, " if {name:?} is absent")?,
                        Expect::Present => write!(f, " if {name:?} is present")?,
                        Expect::Seen(ago) => {
                            write!(f, " if {name:?} has the version seen {ago} versions ago")?
                        }
                    }
                }
                for (i, (name, change)) in writes.iter().enumerate() {
                    let and = if i > 0 { "," } else { ":" };
                    match change {
                        Change::Put { value, ttl: None } => write!(f, "{and} put {name:?} {}", brief(value))?,
                        Change::Put { value, ttl: Some(ttl) } => {
                            write!(f, "{and} put {name:?} {} for {ttl:?}", brief(value))?;
                        }
                        Change::Delete => write!(f, "{and} delete {name:?}")?,
                        Change::Add(delta) => write!(f, "{and} add {delta} to {name:?}")?,
                    }
                }
                Ok(())
            }
        }
    }
}
