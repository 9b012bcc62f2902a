//! Counters: ASCII decimal on every backend, exact at both ends of the range.

use std::time::Duration;

use larder_core::{Capabilities, Commit, ErrorKind};

use crate::kv::{
    case::{Group, Verdict, case, ensure, same},
    stage::{Stage, key},
};

pub(super) const GROUP: Group = Group {
    feature: "counters",
    needs: Capabilities::COUNTERS,
    cases: &[
        case("an absent counter counts as 0", |s| Box::pin(absent(s))),
        case("adds sum up, with either sign", |s| Box::pin(sums(s))),
        case("a counter is read as ASCII decimal", |s| Box::pin(ascii(s))),
        case("a decimal that was put is a counter", |s| Box::pin(from_put(s))),
        case("a put resets a counter", |s| Box::pin(reset(s))),
        case("a deleted counter begins again at 0", |s| Box::pin(deleted(s))),
        case("adding 0 to nothing makes a counter of 0", |s| Box::pin(zero(s))),
        case("both ends of the range are reached exactly", |s| Box::pin(ends(s))),
        case("overflow is invalid in either direction", |s| Box::pin(overflow(s))),
        case("what is no canonical decimal is no counter", |s| Box::pin(no_counter(s))),
        case("an add keeps the expiry", |s| Box::pin(keeps_expiry(s))).needs(Capabilities::TTL),
        case("an expired counter begins again, without expiry", |s| Box::pin(expired(s)))
            .needs(Capabilities::TTL),
    ],
};

async fn absent(s: &Stage) -> Verdict {
    same("adding 5 to nothing", s.add("n", 5).await?, 5)?;
    same("adding -5 to nothing", s.add("m", -5).await?, -5)
}

async fn sums(s: &Stage) -> Verdict {
    let mut sum = 0;
    for delta in [1, 1, -3, 1_000_000_007, -1_000_000_006, 0, 42] {
        sum += delta;
        same(&format!("adding {delta}"), s.add("n", delta).await?, sum)?;
        s.holds("n", sum.to_string()).await?;
    }
    Ok(())
}

async fn ascii(s: &Stage) -> Verdict {
    for (name, delta) in [("a", 7), ("b", -12), ("c", i64::MAX), ("d", i64::MIN), ("e", 1_000)] {
        s.add(name, delta).await?;
        s.holds(name, delta.to_string()).await?;
    }
    Ok(())
}

async fn from_put(s: &Stage) -> Verdict {
    for start in [0, 41, -41, i64::MAX - 1, i64::MIN] {
        s.put("n", start.to_string()).await?;
        same(&format!("adding 1 to {start}"), s.add("n", 1).await?, start + 1)?;
    }
    Ok(())
}

async fn reset(s: &Stage) -> Verdict {
    s.add("n", 100).await?;
    s.put("n", "3").await?;
    s.holds("n", "3").await?;
    same("adding 1", s.add("n", 1).await?, 4)
}

async fn deleted(s: &Stage) -> Verdict {
    s.add("n", 100).await?;
    same("deleting it", s.delete("n").await?, true)?;
    s.is_gone("n").await?;
    same("adding 1", s.add("n", 1).await?, 1)
}

async fn zero(s: &Stage) -> Verdict {
    same("adding 0", s.add("n", 0).await?, 0)?;
    s.holds("n", "0").await
}

async fn ends(s: &Stage) -> Verdict {
    s.add("n", i64::MAX - 1).await?;
    same("reaching the upper end", s.add("n", 1).await?, i64::MAX)?;
    same("going to the lower end", s.add("n", i64::MIN).await?, -1)?;
    s.add("m", i64::MIN + 1).await?;
    same("reaching the lower end", s.add("m", -1).await?, i64::MIN)
}

async fn overflow(s: &Stage) -> Verdict {
    for (start, delta) in
        [(i64::MAX, 1), (i64::MIN, -1), (i64::MAX, i64::MAX), (i64::MIN, i64::MIN), (-2, i64::MIN + 1)]
    {
        s.put("n", start.to_string()).await?;
        s.refused(&Commit::new().add(key("n")?, delta), ErrorKind::Invalid).await?;
        s.holds("n", start.to_string()).await?;
    }
    Ok(())
}

async fn no_counter(s: &Stage) -> Verdict {
    let bad: [&'static [u8]; 14] = [
        b"",
        b" ",
        b"x",
        b"+1",
        b" 1",
        b"1 ",
        b"1\n",
        b"01",
        b"-0",
        b"1.0",
        b"1e3",
        b"0x10",
        b"9223372036854775808",
        b"\x01\0\0\0\0\0\0\0",
    ];
    for bytes in bad {
        s.put("n", bytes).await?;
        s.refused(&Commit::new().add(key("n")?, 1), ErrorKind::Invalid).await?;
        s.holds("n", bytes).await?;
    }
    Ok(())
}

async fn keeps_expiry(s: &Stage) -> Verdict {
    s.put_for("n", "1", Duration::from_secs(10)).await?;
    let expires_at = s.get("n").await?.and_then(|entry| entry.expires_at);
    ensure!(expires_at.is_some(), "an entry with a time to live has no expiry");
    s.advance(Duration::from_secs(4));
    same("adding 1", s.add("n", 1).await?, 2)?;
    same("the expiry", s.get("n").await?.and_then(|entry| entry.expires_at), expires_at)?;
    s.advance(Duration::from_millis(5_999));
    s.holds("n", "2").await?;
    s.advance(Duration::from_millis(1));
    s.is_gone("n").await
}

async fn expired(s: &Stage) -> Verdict {
    s.put_for("n", "41", Duration::from_secs(1)).await?;
    s.put_for("text", "no number", Duration::from_secs(1)).await?;
    s.advance(Duration::from_secs(1));
    same("adding 1 to an expired counter", s.add("n", 1).await?, 1)?;
    same("adding 1 to an expired text", s.add("text", 1).await?, 1)?;
    s.advance(Duration::from_secs(1_000_000));
    s.holds("n", "1").await
}
