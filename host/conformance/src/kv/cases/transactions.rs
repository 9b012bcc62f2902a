//! Commits across keys: all or nothing.

use larder_core::{Capabilities, Commit, ErrorKind, Expectation, Outcome};

use crate::kv::{
    case::{Group, Verdict, case, ensure, same},
    stage::{Stage, key, written},
};

const WITH_CHECKS: Capabilities = Capabilities::VERSIONS;

pub(super) const GROUP: Group = Group {
    feature: "transactions",
    needs: Capabilities::TRANSACTIONS,
    cases: &[
        case("outcomes stand at the positions of their writes", |s| Box::pin(positions(s))),
        case("all writes of a commit are there after it", |s| Box::pin(all_there(s))),
        case("a key written twice is invalid", |s| Box::pin(written_twice(s))),
        case("a failed check on another key undoes everything", |s| Box::pin(failed_check(s)))
            .needs(WITH_CHECKS),
        case("the last of many checks counts as much as the first", |s| Box::pin(last_check(s)))
            .needs(WITH_CHECKS),
        case("checks see the state before the writes", |s| Box::pin(before_the_writes(s))).needs(WITH_CHECKS),
        case("a commit of checks alone changes nothing", |s| Box::pin(checks_alone(s))).needs(WITH_CHECKS),
        case("a conflict names the key that failed, not the one written", |s| Box::pin(names_the_key(s)))
            .needs(WITH_CHECKS),
        case("a failed add undoes the writes around it", |s| Box::pin(failed_add(s)))
            .needs(Capabilities::COUNTERS),
        case("an entry moves from one key to another", |s| Box::pin(moves(s))).needs(WITH_CHECKS),
        case("the writes of a commit have versions that get returns", |s| Box::pin(versions_of_many(s)))
            .needs(WITH_CHECKS),
        case("a cancelled commit happens whole or not at all", |s| Box::pin(cancelled(s))).needs(WITH_CHECKS),
    ],
};

async fn positions(s: &Stage) -> Verdict {
    s.put("b", "1").await?;
    let mut commit =
        Commit::new().delete(key("z")?).put(key("c")?, "1").delete(key("b")?).put(key("a")?, "2");
    let counters = s.description.capabilities.contains(Capabilities::COUNTERS);
    if counters {
        commit = commit.add(key("n")?, 7);
    }
    let outcomes = s.commit(&commit).await?;
    let shape = |outcome: &Outcome| match outcome {
        Outcome::Written(_) => "written".to_owned(),
        other => format!("{other:?}"),
    };
    let mut expected = vec!["Deleted(false)", "written", "Deleted(true)", "written"];
    if counters {
        expected.push("Added(7)");
    }
    let got: Vec<String> = outcomes.iter().map(shape).collect();
    same("the outcomes", got, expected.into_iter().map(str::to_owned).collect())
}

async fn all_there(s: &Stage) -> Verdict {
    s.put("old", "1").await?;
    s.commit(&Commit::new().put(key("a")?, "1").put(key("b")?, "2").delete(key("old")?)).await?;
    s.holds("a", "1").await?;
    s.holds("b", "2").await?;
    s.is_gone("old").await
}

async fn written_twice(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    let twice = Commit::new().put(key("a")?, "2");
    for commit in [
        twice.clone().put(key("a")?, "3"),
        twice.clone().delete(key("a")?),
        twice.clone().put(key("b")?, "4").put(key("a")?, "2"),
        Commit::new().delete(key("b")?).put(key("c")?, "1").delete(key("b")?),
    ] {
        s.refused(&commit, ErrorKind::Invalid).await?;
    }
    s.holds("a", "1").await
}

async fn failed_check(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    s.put("b", "1").await?;
    let writes = |commit: Commit| -> Verdict<Commit> {
        Ok(commit.put(key("a")?, "2").delete(key("b")?).put(key("c")?, "2"))
    };
    for (name, expect) in [("a", Expectation::Absent), ("x", Expectation::Present)] {
        s.conflicts(&writes(Commit::new().check(key(name)?, expect))?, name).await?;
    }
    let stale = s.version("b").await?;
    s.put("b", "1").await?;
    s.conflicts(&writes(Commit::new().check(key("b")?, Expectation::Version(stale)))?, "b").await?;
    s.holds("a", "1").await?;
    s.is_gone("c").await
}

async fn last_check(s: &Stage) -> Verdict {
    let mut commit = Commit::new().put(key("a")?, "1");
    for i in 0..20 {
        commit = commit.check(key(&format!("k{i}"))?, Expectation::Absent);
    }
    s.commit(&commit).await?;
    s.put("k19", "1").await?;
    s.conflicts(&commit, "k19").await?;
    s.delete("k19").await?;
    s.put("k0", "1").await?;
    s.conflicts(&commit, "k0").await
}

async fn before_the_writes(s: &Stage) -> Verdict {
    // Were the checks to see the writes, the first two would conflict and the last two go through.
    s.commit(&Commit::new().put(key("a")?, "1").put(key("b")?, "1").check(key("a")?, Expectation::Absent))
        .await?;
    s.commit(&Commit::new().delete(key("a")?).put(key("b")?, "2").check(key("a")?, Expectation::Present))
        .await?;
    let present = Commit::new().put(key("a")?, "3").put(key("b")?, "3");
    s.conflicts(&present.check(key("a")?, Expectation::Present), "a").await?;
    let absent = Commit::new().delete(key("b")?).put(key("c")?, "3");
    s.conflicts(&absent.check(key("b")?, Expectation::Absent), "b").await?;
    s.holds("b", "2").await
}

async fn checks_alone(s: &Stage) -> Verdict {
    let version = s.put("a", "1").await?;
    let checks = Commit::new()
        .check(key("a")?, Expectation::Version(version))
        .check(key("b")?, Expectation::Absent)
        .check(key("a")?, Expectation::Present);
    same("the outcomes", s.commit(&checks).await?, vec![])?;
    same("the version", s.version("a").await?, version)?;
    s.put("b", "1").await?;
    s.conflicts(&checks, "b").await
}

async fn names_the_key(s: &Stage) -> Verdict {
    s.put("b", "1").await?;
    let commit = Commit::new()
        .check(key("c")?, Expectation::Absent)
        .check(key("b")?, Expectation::Absent)
        .check(key("d")?, Expectation::Absent)
        .put(key("a")?, "1");
    s.conflicts(&commit, "b").await
}

async fn failed_add(s: &Stage) -> Verdict {
    s.put("text", "no number").await?;
    s.put("most", i64::MAX.to_string()).await?;
    s.put("gone", "1").await?;
    for bad in ["text", "most"] {
        let around = Commit::new()
            .put(key("a")?, "1")
            .add(key("n")?, 1)
            .add(key(bad)?, 1)
            .delete(key("gone")?)
            .put(key("z")?, "1");
        s.refused(&around, ErrorKind::Invalid).await?;
    }
    s.is_gone("a").await?;
    s.is_gone("n").await?;
    s.holds("gone", "1").await
}

async fn moves(s: &Stage) -> Verdict {
    let version = s.put("queue:1", "job").await?;
    let take = Commit::new()
        .check(key("queue:1")?, Expectation::Version(version))
        .delete(key("queue:1")?)
        .put(key("taken:1")?, "job");
    s.commit(&take).await?;
    s.conflicts(&take, "queue:1").await?;
    s.is_gone("queue:1").await?;
    s.holds("taken:1", "job").await
}

async fn versions_of_many(s: &Stage) -> Verdict {
    let names = ["a", "b", "c"];
    let commit = names.iter().try_fold(Commit::new(), |c, name| Verdict::Ok(c.put(key(name)?, "1")))?;
    for round in 0..2 {
        let before: Vec<_> = match round {
            0 => Vec::new(),
            _ => vec![s.version("a").await?, s.version("b").await?, s.version("c").await?],
        };
        for (i, (name, outcome)) in names.iter().zip(s.commit(&commit).await?).enumerate() {
            let version = written(outcome)?;
            same(&format!("the version of {name}"), s.version(name).await?, version)?;
            ensure!(before.get(i) != Some(&version), "{name} has version {version} again");
        }
    }
    Ok(())
}

async fn cancelled(s: &Stage) -> Verdict {
    let commit = Commit::new().put(key("a")?, "1").put(key("b")?, "1");
    futures::future::select(s.store.commit(&commit), futures::future::ready(())).await;
    // One commit asks for both keys at one moment; between the two questions the cancelled commit
    // may still have happened, but never half of it.
    let both =
        |expect| -> Verdict<Commit> { Ok(Commit::new().check(key("a")?, expect).check(key("b")?, expect)) };
    let none = s.store.commit(&both(Expectation::Absent)?).await.is_ok();
    let all = s.store.commit(&both(Expectation::Present)?).await.is_ok();
    ensure!(none || all, "one key of a cancelled commit is there and the other is not");
    Ok(())
}
