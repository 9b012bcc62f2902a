//! What is within the limits works, what is past them is `invalid` and changes nothing.

use std::time::Duration;

use larder_core::{
    Capabilities, Commit, ErrorKind, Expectation, Key,
    limits::{COMMIT_BYTES_MAX, COMMIT_ITEMS_MAX, GET_MANY_MAX, KEY_BYTES_MAX, TTL_MS_MAX, VALUE_BYTES_MAX},
};

use super::writes::pattern;
use crate::kv::{
    case::{Failure, Group, Verdict, case, ensure, same},
    stage::{Stage, key, refusal},
};

pub(super) const GROUP: Group = Group {
    feature: "limits",
    needs: Capabilities::empty(),
    cases: &[
        case("the declared limits are within the contract's", |s| Box::pin(declared(s))),
        case("a value at the limit comes back whole", |s| Box::pin(value_at_limit(s))),
        case("a value over the limit is invalid", |s| Box::pin(value_over_limit(s))),
        case("a key over the limit is invalid in every operation", |s| Box::pin(key_over_limit(s))),
        case("get_many of more than 1,000 keys is invalid", |s| Box::pin(too_many_keys(s))),
        case("a commit of 1,000 writes happens", |s| Box::pin(many_writes(s)))
            .needs(Capabilities::TRANSACTIONS),
        case("a commit of more than 1,000 writes is invalid", |s| Box::pin(too_many_writes(s)))
            .needs(Capabilities::TRANSACTIONS),
        case("a commit of more than 1,000 checks is invalid", |s| Box::pin(too_many_checks(s)))
            .needs(Capabilities::TRANSACTIONS.union(Capabilities::VERSIONS)),
        case("a commit of more than 16 MiB is invalid", |s| Box::pin(too_many_bytes(s)))
            .needs(Capabilities::TRANSACTIONS),
        case("a time to live of nothing or of more than 100 years is invalid", |s| Box::pin(bad_ttl(s)))
            .needs(Capabilities::TTL),
    ],
};

async fn declared(s: &Stage) -> Verdict {
    let (key, value) = (s.description.key_bytes_max, s.description.value_bytes_max);
    ensure!((1..=KEY_BYTES_MAX).contains(&key), "a longest key of {key} bytes");
    ensure!(value > 0, "a largest value of {value} bytes");
    Ok(())
}

/// The declared limit, or the contract's where a configuration allows more: this is about the limit,
/// not about the memory of the machine.
fn value_limit(s: &Stage) -> usize {
    s.description.value_bytes_max.min(VALUE_BYTES_MAX)
}

async fn value_at_limit(s: &Stage) -> Verdict {
    let value = pattern(value_limit(s));
    s.put("a", value.clone()).await?;
    s.holds("a", &value).await?;
    same("deleting it", s.delete("a").await?, true)
}

async fn value_over_limit(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    let value = pattern(s.description.value_bytes_max.saturating_add(1).min(64 << 20));
    if value.len() <= s.description.value_bytes_max {
        return Ok(());
    }
    s.refused(&Commit::new().put(key("a")?, value.clone()), ErrorKind::Invalid).await?;
    s.refused(&Commit::new().put(key("b")?, value), ErrorKind::Invalid).await?;
    s.holds("a", "1").await
}

async fn key_over_limit(s: &Stage) -> Verdict {
    let text = "k".repeat(s.description.key_bytes_max + 1);
    if s.description.key_bytes_max >= KEY_BYTES_MAX {
        // Such a key can't even be made, so no store ever sees one.
        return match Key::new(text) {
            Ok(_) => Err(Failure("a key past the limit of the contract was accepted".into())),
            Err(error) => refusal(error, ErrorKind::Invalid).map(drop),
        };
    }
    let long = Key::new(text)?;
    let invalid = |error| refusal(error, ErrorKind::Invalid).map(drop);
    match s.store.get(&long).await {
        Ok(_) => return Err(Failure("get answered for a key over the limit".into())),
        Err(error) => invalid(error)?,
    }
    match s.store.get_many(&[key("a")?, long.clone()]).await {
        Ok(_) => return Err(Failure("get_many answered for a key over the limit".into())),
        Err(error) => invalid(error)?,
    }
    s.refused(&Commit::new().delete(long.clone()), ErrorKind::Invalid).await?;
    s.refused(&Commit::new().put(long, "1"), ErrorKind::Invalid).await.map(drop)
}

async fn too_many_keys(s: &Stage) -> Verdict {
    let keys = (0..=GET_MANY_MAX).map(|i| key(&format!("k{i}"))).collect::<Verdict<Vec<_>>>()?;
    match s.store.get_many(&keys).await {
        Ok(_) => Err(Failure(format!("get_many answered {} keys", keys.len()))),
        Err(error) => refusal(error, ErrorKind::Invalid).map(drop),
    }
}

fn commit_of(writes: usize) -> Verdict<Commit> {
    (0..writes).try_fold(Commit::new(), |commit, i| Ok(commit.put(key(&format!("k{i}"))?, i.to_string())))
}

async fn many_writes(s: &Stage) -> Verdict {
    s.commit(&commit_of(COMMIT_ITEMS_MAX)?).await?;
    for i in [0, 1, COMMIT_ITEMS_MAX / 2, COMMIT_ITEMS_MAX - 1] {
        s.holds(&format!("k{i}"), i.to_string()).await?;
    }
    Ok(())
}

async fn too_many_writes(s: &Stage) -> Verdict {
    s.refused(&commit_of(COMMIT_ITEMS_MAX + 1)?, ErrorKind::Invalid).await.map(drop)
}

async fn too_many_checks(s: &Stage) -> Verdict {
    let mut commit = Commit::new().put(key("a")?, "1");
    for i in 0..=COMMIT_ITEMS_MAX {
        commit = commit.check(key(&format!("k{i}"))?, Expectation::Absent);
    }
    s.refused(&commit, ErrorKind::Invalid).await.map(drop)
}

async fn too_many_bytes(s: &Stage) -> Verdict {
    let value = pattern(value_limit(s));
    let writes = COMMIT_BYTES_MAX / value.len() + 1;
    if writes > COMMIT_ITEMS_MAX {
        return Ok(());
    }
    let mut commit = Commit::new();
    for i in 0..writes {
        commit = commit.put(key(&format!("k{i}"))?, value.clone());
    }
    s.refused(&commit, ErrorKind::Invalid).await.map(drop)
}

async fn bad_ttl(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    let too_long = [Duration::from_millis(TTL_MS_MAX + 1), Duration::from_secs(u64::MAX), Duration::MAX];
    for ttl in [Duration::ZERO].into_iter().chain(too_long) {
        for name in ["a", "b"] {
            s.refused(&Commit::new().put_with_ttl(key(name)?, "2", ttl), ErrorKind::Invalid).await?;
        }
    }
    s.put_for("b", "2", Duration::from_millis(TTL_MS_MAX)).await?;
    s.holds("b", "2").await
}
