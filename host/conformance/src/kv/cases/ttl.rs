//! Times to live: exact to the millisecond, and expired means gone for every operation.

use std::time::Duration;

use larder_core::{Capabilities, Commit, Expectation, KeyRange, Scan};

use crate::kv::{
    case::{Group, Verdict, case, ensure, same},
    stage::{Stage, key},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

pub(super) const GROUP: Group = Group {
    feature: "ttl",
    needs: Capabilities::TTL,
    cases: &[
        case("an entry lives to the last millisecond and not longer", |s| Box::pin(boundary(s))),
        case("the shortest time to live is 1 ms", |s| Box::pin(shortest(s))),
        case("a fraction of a millisecond is rounded up", |s| Box::pin(fraction(s))),
        case("an entry says when it expires", |s| Box::pin(says_when(s))),
        case("an entry without a time to live stays", |s| Box::pin(stays(s))),
        case("a put without a time to live ends the one before", |s| Box::pin(put_clears(s))),
        case("a put with a time to live begins it anew", |s| Box::pin(put_renews(s))),
        case("a time to live ends its own entry alone", |s| Box::pin(own_entry(s))),
        case("deleting an expired entry deletes nothing", |s| Box::pin(delete_expired(s))),
        case("an expired key can be put again and stays", |s| Box::pin(put_expired(s))),
        case("an expired entry is in no scan, and pages go on past it", |s| Box::pin(scan_expired(s)))
            .needs(Capabilities::SCAN),
        case("an expired entry is absent for checks", |s| Box::pin(check_expired(s)))
            .needs(Capabilities::VERSIONS),
        case("a version before expiry fails after the key is put again", |s| Box::pin(aba_by_expiry(s)))
            .needs(Capabilities::VERSIONS),
        case("a commit mixes times to live", |s| Box::pin(mixed(s))).needs(Capabilities::TRANSACTIONS),
        case("a refused commit leaves an expiry as it is", |s| Box::pin(refused_leaves_expiry(s)))
            .needs(Capabilities::VERSIONS),
        case("many entries that expire at once are all gone", |s| Box::pin(many_at_once(s)))
            .needs(Capabilities::SCAN),
    ],
};

async fn boundary(s: &Stage) -> Verdict {
    s.put_for("a", "1", SECOND).await?;
    s.holds("a", "1").await?;
    s.advance(SECOND - MS);
    s.holds("a", "1").await?;
    s.advance(MS);
    s.is_gone("a").await?;
    s.advance(SECOND);
    s.is_gone("a").await
}

async fn shortest(s: &Stage) -> Verdict {
    s.put_for("a", "1", MS).await?;
    s.holds("a", "1").await?;
    s.advance(MS);
    s.is_gone("a").await
}

async fn fraction(s: &Stage) -> Verdict {
    s.put_for("a", "1", Duration::from_nanos(1)).await?;
    s.put_for("b", "1", Duration::from_micros(1_500)).await?;
    s.holds("a", "1").await?;
    s.advance(MS);
    s.is_gone("a").await?;
    s.holds("b", "1").await?;
    s.advance(MS);
    s.is_gone("b").await
}

async fn says_when(s: &Stage) -> Verdict {
    s.put_for("a", "1", SECOND).await?;
    s.put("b", "1").await?;
    let first = s.get("a").await?.and_then(|entry| entry.expires_at);
    ensure!(first.is_some(), "an entry with a time to live has no expiry");
    s.advance(Duration::from_millis(300));
    same("the expiry, later", s.get("a").await?.and_then(|entry| entry.expires_at), first)?;
    s.put_for("a", "1", SECOND).await?;
    let second = s.get("a").await?.and_then(|entry| entry.expires_at);
    same("how far it moved", second.zip(first).map(|(b, a)| b.since(a)), Some(Duration::from_millis(300)))?;
    same("the expiry of an entry without", s.get("b").await?.and_then(|entry| entry.expires_at), None)
}

async fn stays(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    s.advance(Duration::from_secs(200 * 365 * 24 * 3_600));
    s.holds("a", "1").await
}

async fn put_clears(s: &Stage) -> Verdict {
    s.put_for("a", "1", SECOND).await?;
    s.put("a", "2").await?;
    same("the expiry", s.get("a").await?.and_then(|entry| entry.expires_at), None)?;
    s.advance(SECOND * 2);
    s.holds("a", "2").await
}

async fn put_renews(s: &Stage) -> Verdict {
    s.put_for("a", "1", SECOND).await?;
    s.advance(SECOND - MS);
    s.put_for("a", "2", SECOND * 3).await?;
    s.advance(SECOND * 3 - MS);
    s.holds("a", "2").await?;
    // Shorter counts as much as longer.
    s.put_for("a", "3", MS * 2).await?;
    s.advance(MS);
    s.holds("a", "3").await?;
    s.advance(MS);
    s.is_gone("a").await
}

async fn own_entry(s: &Stage) -> Verdict {
    s.put_for("a", "1", SECOND).await?;
    s.put_for("b", "2", SECOND * 2).await?;
    s.put("c", "3").await?;
    s.advance(SECOND);
    s.is_gone("a").await?;
    s.holds("b", "2").await?;
    s.advance(SECOND);
    s.is_gone("b").await?;
    s.holds("c", "3").await
}

async fn delete_expired(s: &Stage) -> Verdict {
    s.put_for("a", "1", SECOND).await?;
    s.advance(SECOND);
    same("deleting it", s.delete("a").await?, false)?;
    s.is_gone("a").await
}

async fn put_expired(s: &Stage) -> Verdict {
    s.put_for("a", "1", SECOND).await?;
    s.advance(SECOND);
    s.put("a", "2").await?;
    s.holds("a", "2").await?;
    s.advance(SECOND * 10);
    // Whatever sweeps the first entry away must leave the second one.
    s.put("b", "1").await?;
    s.holds("a", "2").await
}

async fn scan_expired(s: &Stage) -> Verdict {
    for i in 0..30 {
        let name = format!("k{i:02}");
        match i % 3 {
            0 => s.put(&name, "stays").await?,
            _ => s.put_for(&name, "goes", SECOND).await?,
        };
    }
    same("entries before", s.names(KeyRange::all()).await?.len(), 30)?;
    s.advance(SECOND);
    let expected: Vec<String> = (0..30).step_by(3).map(|i| format!("k{i:02}")).collect();
    same("keys after", s.names(KeyRange::all()).await?, expected.clone())?;
    for limit in [1, 2, 7] {
        let entries = s.entries(Scan::new(KeyRange::all()).limit(limit)).await?;
        let names: Vec<String> = entries.iter().map(|(key, _)| key.to_string()).collect();
        same(&format!("keys in pages of {limit}"), names, expected.clone())?;
    }
    same("keys past the last", s.names(KeyRange::from_key("k28")).await?, vec![])
}

async fn check_expired(s: &Stage) -> Verdict {
    let version = s.put_for("a", "1", SECOND).await?;
    same("absent, before", s.check("a", Expectation::Absent).await?, false)?;
    s.advance(SECOND);
    same("present", s.check("a", Expectation::Present).await?, false)?;
    same("its version", s.check("a", Expectation::Version(version)).await?, false)?;
    same("absent", s.check("a", Expectation::Absent).await?, true)?;
    s.commit(&Commit::new().check(key("a")?, Expectation::Absent).put(key("a")?, "2")).await?;
    s.holds("a", "2").await
}

async fn aba_by_expiry(s: &Stage) -> Verdict {
    let version = s.put_for("a", "1", SECOND).await?;
    s.advance(SECOND);
    s.put_for("a", "1", SECOND).await?;
    let swap = Commit::new().check(key("a")?, Expectation::Version(version)).put(key("a")?, "2");
    s.conflicts(&swap, "a").await
}

async fn mixed(s: &Stage) -> Verdict {
    let commit = Commit::new().put_with_ttl(key("a")?, "1", SECOND).put(key("b")?, "2").put_with_ttl(
        key("c")?,
        "3",
        SECOND * 2,
    );
    s.commit(&commit).await?;
    s.advance(SECOND);
    s.is_gone("a").await?;
    s.holds("c", "3").await?;
    s.advance(SECOND);
    s.is_gone("c").await?;
    s.holds("b", "2").await
}

async fn refused_leaves_expiry(s: &Stage) -> Verdict {
    s.put_for("a", "1", SECOND).await?;
    let create = Commit::new().check(key("a")?, Expectation::Absent);
    s.conflicts(&create.clone().put(key("a")?, "2"), "a").await?;
    s.conflicts(&create.put_with_ttl(key("a")?, "2", SECOND * 9), "a").await?;
    s.advance(SECOND - MS);
    s.holds("a", "1").await?;
    s.advance(MS);
    s.is_gone("a").await
}

async fn many_at_once(s: &Stage) -> Verdict {
    for i in 0..100 {
        s.put_for(&format!("k{i:03}"), "1", SECOND).await?;
    }
    s.put("stays", "1").await?;
    s.advance(SECOND);
    same("keys", s.names(KeyRange::all()).await?, vec!["stays".to_owned()])?;
    for i in [0, 50, 99] {
        s.is_gone(&format!("k{i:03}")).await?;
    }
    // Writes are when many stores sweep; nothing may come back, nothing else may go.
    for _ in 0..20 {
        s.put("other", "1").await?;
    }
    let left = vec!["other".to_owned(), "stays".to_owned()];
    same("keys after more writes", s.names(KeyRange::all()).await?, left)
}
