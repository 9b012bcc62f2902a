//! What a backend does not declare it refuses with `unsupported`, and nothing has changed. A part of
//! a request that is silently ignored is the worst answer of all: the caller believes in it.

use std::time::Duration;

use larder_core::{Capabilities, Commit, ErrorKind, Expectation, KeyRange, Scan, Version};

use crate::kv::{
    case::{Case, Failure, Group, Verdict, case},
    stage::{Stage, key, refusal},
};

const fn group(feature: &'static str, cases: &'static [Case]) -> Group {
    Group { feature, needs: Capabilities::empty(), cases }
}

pub(super) const SCAN: Group = group(
    "scan",
    &[case("a scan without the capability is refused", |s| Box::pin(scan(s))).lacks(Capabilities::SCAN)],
);

pub(super) const TTL: Group = group(
    "ttl",
    &[case("a time to live without the capability is refused", |s| Box::pin(ttl(s)))
        .lacks(Capabilities::TTL)],
);

pub(super) const VERSIONS: Group = group(
    "versions",
    &[case("a check without the capability is refused", |s| Box::pin(checks(s)))
        .lacks(Capabilities::VERSIONS)],
);

pub(super) const TRANSACTIONS: Group = group(
    "transactions",
    &[
        case("a commit of two writes without the capability is refused", |s| Box::pin(two_writes(s)))
            .lacks(Capabilities::TRANSACTIONS),
        case("a check on another key without the capability is refused", |s| Box::pin(other_key(s)))
            .needs(Capabilities::VERSIONS)
            .lacks(Capabilities::TRANSACTIONS),
    ],
);

pub(super) const COUNTERS: Group = group(
    "counters",
    &[case("an add without the capability is refused", |s| Box::pin(add(s))).lacks(Capabilities::COUNTERS)],
);

async fn scan(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    for scan in [
        Scan::new(KeyRange::all()),
        Scan::new(KeyRange::all()).limit(1).keys_only(),
        Scan::new(KeyRange::between("b", "a")),
    ] {
        match s.store.scan(&scan).await {
            Ok(page) => return Err(Failure(format!("a scan answered {} entries", page.entries.len()))),
            Err(error) => drop(refusal(error, ErrorKind::Unsupported)?),
        }
    }
    s.holds("a", "1").await
}

async fn ttl(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    for name in ["a", "b"] {
        let commit = Commit::new().put_with_ttl(key(name)?, "2", Duration::from_secs(60));
        s.refused(&commit, ErrorKind::Unsupported).await?;
    }
    s.holds("a", "1").await?;
    s.is_gone("b").await
}

async fn checks(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    // Also checks that would hold: what can't be checked must not be taken for granted.
    for expect in [Expectation::Absent, Expectation::Present, Expectation::Version(Version(0))] {
        for name in ["a", "b"] {
            let check = Commit::new().check(key(name)?, expect);
            s.refused(&check, ErrorKind::Unsupported).await?;
            s.refused(&check.clone().put(key(name)?, "2"), ErrorKind::Unsupported).await?;
            s.refused(&check.delete(key(name)?), ErrorKind::Unsupported).await?;
        }
    }
    s.holds("a", "1").await?;
    s.is_gone("b").await
}

async fn two_writes(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    let commit = Commit::new().put(key("a")?, "2").put(key("b")?, "2");
    s.refused(&commit, ErrorKind::Unsupported).await?;
    s.refused(&Commit::new().delete(key("a")?).put(key("b")?, "2"), ErrorKind::Unsupported).await?;
    s.holds("a", "1").await?;
    s.is_gone("b").await
}

async fn other_key(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    for (name, expect) in [("a", Expectation::Present), ("c", Expectation::Absent)] {
        let commit = Commit::new().check(key(name)?, expect).put(key("b")?, "2");
        s.refused(&commit, ErrorKind::Unsupported).await?;
    }
    s.is_gone("b").await
}

async fn add(s: &Stage) -> Verdict {
    s.put("n", "1").await?;
    for name in ["n", "m"] {
        s.refused(&Commit::new().add(key(name)?, 1), ErrorKind::Unsupported).await?;
    }
    s.holds("n", "1").await?;
    s.is_gone("m").await
}
