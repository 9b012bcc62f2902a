//! Versions and checks on the key that is written: create, compare-and-set, conditional delete.

use larder_core::{Capabilities, Commit, ErrorKind, Expectation};

use crate::kv::{
    case::{Group, Verdict, case, ensure, same},
    stage::{Stage, key},
};

pub(super) const GROUP: Group = Group {
    feature: "versions",
    needs: Capabilities::VERSIONS,
    cases: &[
        case("a put answers the version that get returns", |s| Box::pin(answered(s))),
        case("each write has a new version, also of the same value", |s| Box::pin(always_new(s))),
        case("a key put again after a delete has a version that it never had", |s| Box::pin(aba(s))),
        case("reading changes no version", |s| Box::pin(reading(s))),
        case("writing a key changes no version of another", |s| Box::pin(others(s))),
        case("a check on absence holds only where there is no entry", |s| Box::pin(absent(s))),
        case("a check on presence holds only where there is an entry", |s| Box::pin(present(s))),
        case("a check on a version holds only for the current one", |s| Box::pin(version(s))),
        case("a check on a version fails where there is no entry", |s| Box::pin(version_of_nothing(s))),
        case("an old version fails although the value is the same again", |s| Box::pin(same_value(s))),
        case("a version before a delete fails after the key is put again", |s| Box::pin(aba_check(s))),
        case("a conditional delete deletes only under its check", |s| Box::pin(conditional_delete(s))),
        case("a conditional add adds only under its check", |s| Box::pin(conditional_add(s)))
            .needs(Capabilities::COUNTERS),
        case("a commit of a check alone tells whether it holds", |s| Box::pin(check_alone(s))),
        case("several checks of a key must all hold", |s| Box::pin(several_checks(s))),
        case("a failed check is a conflict that names its key", |s| Box::pin(names_its_key(s))),
        case("an add gives a counter a new version", |s| Box::pin(add_is_a_write(s)))
            .needs(Capabilities::COUNTERS),
    ],
};

async fn answered(s: &Stage) -> Verdict {
    for value in ["1", "2"] {
        let version = s.put("a", value).await?;
        same("the version that get returns", s.version("a").await?, version)?;
    }
    Ok(())
}

async fn always_new(s: &Stage) -> Verdict {
    let mut seen = Vec::new();
    for value in ["1", "1", "2", "2", "1", "1"] {
        let version = s.put("a", value).await?;
        ensure!(!seen.contains(&version), "version {version} again, after {seen:?}");
        seen.push(version);
    }
    Ok(())
}

async fn aba(s: &Stage) -> Verdict {
    let mut seen = Vec::new();
    for _ in 0..4 {
        let version = s.put("a", "1").await?;
        ensure!(!seen.contains(&version), "version {version} again after a delete, after {seen:?}");
        seen.push(version);
        s.delete("a").await?;
    }
    Ok(())
}

async fn reading(s: &Stage) -> Verdict {
    let version = s.put("a", "1").await?;
    for _ in 0..3 {
        same("the version", s.version("a").await?, version)?;
        s.get_many(&["a"]).await?;
    }
    Ok(())
}

async fn others(s: &Stage) -> Verdict {
    let version = s.put("a", "1").await?;
    s.put("b", "1").await?;
    s.put("aa", "1").await?;
    s.delete("b").await?;
    same("the version", s.version("a").await?, version)
}

async fn absent(s: &Stage) -> Verdict {
    let create = |value: &'static str| -> Verdict<Commit> {
        Ok(Commit::new().check(key("a")?, Expectation::Absent).put(key("a")?, value))
    };
    s.commit(&create("1")?).await?;
    s.conflicts(&create("2")?, "a").await?;
    s.holds("a", "1").await?;
    s.delete("a").await?;
    s.commit(&create("3")?).await?;
    s.holds("a", "3").await?;
    // An empty value is there all the same.
    s.put("a", "").await?;
    s.conflicts(&create("4")?, "a").await
}

async fn present(s: &Stage) -> Verdict {
    let replace = |value: &'static str| -> Verdict<Commit> {
        Ok(Commit::new().check(key("a")?, Expectation::Present).put(key("a")?, value))
    };
    s.conflicts(&replace("1")?, "a").await?;
    s.put("a", "").await?;
    s.commit(&replace("2")?).await?;
    s.holds("a", "2").await?;
    s.delete("a").await?;
    s.conflicts(&replace("3")?, "a").await
}

async fn version(s: &Stage) -> Verdict {
    let first = s.put("a", "1").await?;
    let swap = |version, value: &'static str| -> Verdict<Commit> {
        Ok(Commit::new().check(key("a")?, Expectation::Version(version)).put(key("a")?, value))
    };
    s.commit(&swap(first, "2")?).await?;
    s.conflicts(&swap(first, "3")?, "a").await?;
    s.holds("a", "2").await?;
    let second = s.version("a").await?;
    s.commit(&swap(second, "3")?).await?;
    s.holds("a", "3").await?;
    let other = s.put("b", "3").await?;
    if other != s.version("a").await? {
        s.conflicts(&swap(other, "4")?, "a").await?;
    }
    Ok(())
}

async fn version_of_nothing(s: &Stage) -> Verdict {
    let version = s.put("a", "1").await?;
    s.delete("a").await?;
    let swap = Commit::new().check(key("a")?, Expectation::Version(version)).put(key("a")?, "2");
    s.conflicts(&swap, "a").await?;
    s.is_gone("a").await
}

async fn same_value(s: &Stage) -> Verdict {
    let first = s.put("a", "1").await?;
    s.put("a", "2").await?;
    s.put("a", "1").await?;
    let swap = Commit::new().check(key("a")?, Expectation::Version(first)).put(key("a")?, "3");
    s.conflicts(&swap, "a").await
}

async fn aba_check(s: &Stage) -> Verdict {
    let first = s.put("a", "1").await?;
    s.delete("a").await?;
    s.put("a", "1").await?;
    let swap = Commit::new().check(key("a")?, Expectation::Version(first)).put(key("a")?, "2");
    s.conflicts(&swap, "a").await?;
    s.conflicts(&Commit::new().check(key("a")?, Expectation::Version(first)).delete(key("a")?), "a").await
}

async fn conditional_delete(s: &Stage) -> Verdict {
    let first = s.put("a", "1").await?;
    let second = s.put("a", "2").await?;
    let delete = |version| -> Verdict<Commit> {
        Ok(Commit::new().check(key("a")?, Expectation::Version(version)).delete(key("a")?))
    };
    s.conflicts(&delete(first)?, "a").await?;
    s.commit(&delete(second)?).await?;
    s.is_gone("a").await?;
    s.conflicts(&delete(second)?, "a").await
}

async fn conditional_add(s: &Stage) -> Verdict {
    let add = |expect| -> Verdict<Commit> { Ok(Commit::new().check(key("n")?, expect).add(key("n")?, 5)) };
    s.conflicts(&add(Expectation::Present)?, "n").await?;
    s.commit(&add(Expectation::Absent)?).await?;
    s.conflicts(&add(Expectation::Absent)?, "n").await?;
    let version = s.version("n").await?;
    s.commit(&add(Expectation::Version(version))?).await?;
    s.conflicts(&add(Expectation::Version(version))?, "n").await?;
    s.holds("n", "10").await
}

async fn check_alone(s: &Stage) -> Verdict {
    same("absent, of nothing", s.check("a", Expectation::Absent).await?, true)?;
    same("present, of nothing", s.check("a", Expectation::Present).await?, false)?;
    let old = s.put("a", "1").await?;
    let new = s.put("a", "2").await?;
    same("absent, of an entry", s.check("a", Expectation::Absent).await?, false)?;
    same("present, of an entry", s.check("a", Expectation::Present).await?, true)?;
    same("the old version", s.check("a", Expectation::Version(old)).await?, false)?;
    same("the current version", s.check("a", Expectation::Version(new)).await?, true)?;
    same("the version after the checks", s.version("a").await?, new)
}

async fn several_checks(s: &Stage) -> Verdict {
    let old = s.put("a", "1").await?;
    let new = s.put("a", "2").await?;
    let both = |version| -> Verdict<Commit> {
        let commit = Commit::new().check(key("a")?, Expectation::Present);
        Ok(commit.check(key("a")?, Expectation::Version(version)).put(key("a")?, "3"))
    };
    s.conflicts(&both(old)?, "a").await?;
    s.commit(&both(new)?).await?;
    s.holds("a", "3").await
}

async fn names_its_key(s: &Stage) -> Verdict {
    for name in ["a", "ns:with/slash?and=query", "grüße"] {
        let commit = Commit::new().check(key(name)?, Expectation::Present).put(key(name)?, "1");
        let error = s.refused(&commit, ErrorKind::Conflict).await?;
        same("the key that the conflict names", error.context("key"), Some(name))?;
    }
    Ok(())
}

async fn add_is_a_write(s: &Stage) -> Verdict {
    let mut seen = vec![s.put("n", "1").await?];
    for delta in [1, 0, -1, 0] {
        s.add("n", delta).await?;
        let version = s.version("n").await?;
        ensure!(!seen.contains(&version), "adding {delta} left version {version}, after {seen:?}");
        seen.push(version);
    }
    Ok(())
}
