//! Many tasks at once. What is lost here is lost in no other case.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use larder_core::{
    Capabilities, Commit, Error, ErrorKind, Expectation, Key, KeyRange, KvStore, Outcome, Scan,
};
use tokio::task::JoinSet;

use crate::kv::{
    case::{Failure, Group, Verdict, case, ensure, same},
    stage::{Stage, key},
};

pub(super) const GROUP: Group = Group {
    feature: "concurrency",
    needs: Capabilities::empty(),
    cases: &[
        case("concurrent writes of different keys are all there", |s| Box::pin(different_keys(s))),
        case("concurrent writes of one key leave one whole value", |s| Box::pin(one_key(s))),
        case("each task reads its own writes", |s| Box::pin(own_writes(s))),
        case("concurrent increments lose nothing and give each value once", |s| Box::pin(increments(s)))
            .needs(Capabilities::COUNTERS),
        case("of concurrent compare-and-sets exactly one wins each round", |s| Box::pin(compare_and_set(s)))
            .needs(Capabilities::VERSIONS),
        case("of concurrent creations exactly one wins", |s| Box::pin(create(s)))
            .needs(Capabilities::VERSIONS),
        case("increments by compare-and-set lose nothing", |s| Box::pin(retried(s)))
            .needs(Capabilities::VERSIONS),
        case("concurrent deletes find the entry once", |s| Box::pin(deletes(s))),
        case("each job of a queue is taken once", |s| Box::pin(queue(s)))
            .needs(Capabilities::VERSIONS.union(Capabilities::TRANSACTIONS).union(Capabilities::SCAN)),
        case("transfers between counters keep their sum", |s| Box::pin(transfers(s)))
            .needs(Capabilities::COUNTERS.union(Capabilities::TRANSACTIONS)),
        case("a check on another key keeps two of them from both being taken", |s| Box::pin(write_skew(s)))
            .needs(Capabilities::VERSIONS.union(Capabilities::TRANSACTIONS)),
        case("a scan during writes sees each untouched entry once", |s| Box::pin(scan_during_writes(s)))
            .needs(Capabilities::SCAN),
    ],
};

/// Runs as many tasks as the options say, each with its number, and joins them.
async fn tasks<T, F>(s: &Stage, work: impl Fn(Arc<dyn KvStore>, u32) -> F) -> Verdict<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Verdict<T>> + Send + 'static,
{
    let mut set = JoinSet::new();
    for number in 0..s.options.tasks.max(2) {
        set.spawn(work(s.store.clone(), number));
    }
    let mut answers = Vec::new();
    while let Some(joined) = set.join_next().await {
        answers.push(joined.map_err(|error| Failure(format!("a task ended early: {error}")))??);
    }
    Ok(answers)
}

/// Whether a commit won; losing is a conflict, anything else fails the case.
fn won(result: Result<Vec<Outcome>, Error>) -> Verdict<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn different_keys(s: &Stage) -> Verdict {
    const EACH: u32 = 20;
    tasks(s, |store, task| async move {
        for i in 0..EACH {
            let name = key(&format!("t{task}:{i}"))?;
            store.commit(&Commit::new().put(name.clone(), name.to_string())).await?;
        }
        Ok(())
    })
    .await?;
    for task in 0..s.options.tasks.max(2) {
        for i in 0..EACH {
            let name = format!("t{task}:{i}");
            s.holds(&name, &name).await?;
        }
    }
    Ok(())
}

async fn one_key(s: &Stage) -> Verdict {
    const BYTES: usize = 8 << 10;
    tasks(s, |store, task| async move {
        let value = Bytes::from(vec![b'a' + (task % 26) as u8; BYTES]);
        for _ in 0..10 {
            store.commit(&Commit::new().put(key("a")?, value.clone())).await?;
            let got = store.get(&key("a")?).await?.map(|entry| entry.value).unwrap_or_default();
            let whole = got.len() == BYTES && got.iter().all(|byte| got.first() == Some(byte));
            ensure!(whole, "a torn value of {} bytes", got.len());
        }
        Ok(())
    })
    .await
    .map(drop)
}

async fn own_writes(s: &Stage) -> Verdict {
    tasks(s, |store, task| async move {
        let name = key(&format!("t{task}"))?;
        for i in 0..20 {
            let value = Bytes::from(format!("{task}:{i}"));
            store.commit(&Commit::new().put(name.clone(), value.clone())).await?;
            same("get", store.get(&name).await?.map(|entry| entry.value), Some(value.clone()))?;
            let many = store.get_many(std::slice::from_ref(&name)).await?;
            let got = many.into_iter().flatten().next().map(|entry| entry.value);
            same("get_many", got, Some(value))?;
        }
        store.commit(&Commit::new().delete(name.clone())).await?;
        same("get after delete", store.get(&name).await?, None)
    })
    .await
    .map(drop)
}

async fn increments(s: &Stage) -> Verdict {
    const EACH: u32 = 25;
    let answers = tasks(s, |store, _| async move {
        let mut values = Vec::new();
        for _ in 0..EACH {
            match store.commit(&Commit::new().add(key("n")?, 1)).await?.first() {
                Some(Outcome::Added(value)) => values.push(*value),
                other => return Err(Failure(format!("an add answered {other:?}"))),
            }
        }
        Ok(values)
    })
    .await?;
    let total = answers.iter().map(Vec::len).sum::<usize>();
    s.holds("n", total.to_string()).await?;
    let distinct: BTreeSet<i64> = answers.into_iter().flatten().collect();
    same("different values that the adds answered", distinct.len(), total)
}

async fn compare_and_set(s: &Stage) -> Verdict {
    s.put("a", "start").await?;
    for round in 0..12 {
        let version = s.version("a").await?;
        let wins = tasks(s, move |store, task| async move {
            let commit = Commit::new().check(key("a")?, Expectation::Version(version));
            let value = format!("{round}:{task}");
            let result = store.commit(&commit.put(key("a")?, value.clone())).await;
            Ok(won(result)?.then_some(value))
        })
        .await?;
        one_winner(s, wins).await?;
    }
    Ok(())
}

async fn create(s: &Stage) -> Verdict {
    for round in 0..6 {
        let wins = tasks(s, move |store, task| async move {
            let value = format!("{round}:{task}");
            let commit = Commit::new().check(key("a")?, Expectation::Absent).put(key("a")?, value.clone());
            Ok(won(store.commit(&commit).await)?.then_some(value))
        })
        .await?;
        one_winner(s, wins).await?;
        s.delete("a").await?;
    }
    Ok(())
}

async fn one_winner(s: &Stage, wins: Vec<Option<String>>) -> Verdict {
    let winners: Vec<String> = wins.into_iter().flatten().collect();
    same("winners", winners.len(), 1)?;
    s.holds("a", winners.concat()).await
}

async fn retried(s: &Stage) -> Verdict {
    const EACH: u64 = 5;
    s.put("n", "0").await?;
    let tasks_done = tasks(s, |store, _| async move {
        for _ in 0..EACH {
            loop {
                let Some(entry) = store.get(&key("n")?).await? else {
                    return Err(Failure("the entry is gone".into()));
                };
                let text = String::from_utf8_lossy(&entry.value).into_owned();
                let count: u64 = text.parse().map_err(|_| Failure(format!("a torn value {text:?}")))?;
                let commit = Commit::new().check(key("n")?, Expectation::Version(entry.version));
                if won(store.commit(&commit.put(key("n")?, (count + 1).to_string())).await)? {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        Ok(EACH)
    })
    .await?;
    s.holds("n", tasks_done.iter().sum::<u64>().to_string()).await
}

async fn deletes(s: &Stage) -> Verdict {
    for _ in 0..6 {
        s.put("a", "1").await?;
        let found = tasks(s, |store, _| async move {
            Ok(store.commit(&Commit::new().delete(key("a")?)).await? == [Outcome::Deleted(true)])
        })
        .await?;
        same("deletes that found the entry", found.into_iter().filter(|found| *found).count(), 1)?;
    }
    Ok(())
}

async fn queue(s: &Stage) -> Verdict {
    const JOBS: usize = 40;
    s.fill((0..JOBS).map(|i| (format!("queue:{i:03}"), Bytes::from(format!("job {i}")))).collect()).await?;
    let taken = tasks(s, |store, task| async move {
        let mut taken = Vec::new();
        loop {
            let page = store.scan(&Scan::new(KeyRange::prefix("queue:")).limit(3)).await?;
            if page.entries.is_empty() && page.next.is_none() {
                return Ok(taken);
            }
            for (name, entry) in page.entries {
                let commit = Commit::new()
                    .check(name.clone(), Expectation::Version(entry.version))
                    .delete(name.clone())
                    .put(key(&format!("taken:{name}:{task}"))?, entry.value);
                if won(store.commit(&commit).await)? {
                    taken.push(name.to_string());
                }
            }
            tokio::task::yield_now().await;
        }
    })
    .await?;
    let all: Vec<String> = taken.into_iter().flatten().collect();
    same("jobs taken", all.len(), JOBS)?;
    same("different jobs taken", all.iter().collect::<BTreeSet<_>>().len(), JOBS)?;
    same("jobs recorded", s.names(KeyRange::prefix("taken:")).await?.len(), JOBS)
}

async fn transfers(s: &Stage) -> Verdict {
    const ACCOUNTS: u32 = 4;
    for account in 0..ACCOUNTS {
        s.put(&format!("account:{account}"), "100").await?;
    }
    tasks(s, |store, task| async move {
        for i in 0..15 {
            let (from, to) = ((task + i) % ACCOUNTS, (task + i + 1 + i % 3) % ACCOUNTS);
            let account = |number: u32| key(&format!("account:{number}"));
            if from != to {
                store.commit(&Commit::new().add(account(from)?, -7).add(account(to)?, 7)).await?;
            }
        }
        Ok(())
    })
    .await?;
    let mut sum = 0;
    for account in 0..ACCOUNTS {
        sum += s.add(&format!("account:{account}"), 0).await?;
    }
    same("the sum", sum, 100 * i64::from(ACCOUNTS))
}

async fn write_skew(s: &Stage) -> Verdict {
    // Each task takes its own key only if nobody has taken one: with checks that are not part of the
    // commit, two tasks take one each.
    for round in 0..6 {
        let claims = s.options.tasks.max(2);
        let wins = tasks(s, move |store, task| async move {
            let mut commit = Commit::new().put(key(&format!("r{round}:{task}"))?, "mine");
            for other in 0..claims {
                commit = commit.check(key(&format!("r{round}:{other}"))?, Expectation::Absent);
            }
            won(store.commit(&commit).await)
        })
        .await?;
        same("tasks that took a key", wins.into_iter().filter(|won| *won).count(), 1)?;
    }
    Ok(())
}

async fn scan_during_writes(s: &Stage) -> Verdict {
    const UNTOUCHED: usize = 50;
    let untouched: Vec<String> = (0..UNTOUCHED).map(|i| format!("k{i:03}")).collect();
    s.fill(untouched.iter().map(|name| (name.clone(), Bytes::from_static(b"1"))).collect()).await?;
    let expected = untouched.clone();
    tasks(s, move |store, task| {
        let expected = expected.clone();
        async move {
            for i in 0..4 {
                if task == 0 {
                    let seen = untouched_in(&store).await?;
                    same("untouched keys", seen, expected.clone())?;
                } else {
                    for j in 0..10 {
                        let name = key(&format!("k{:03}x{task}", (i * 13 + j * 5) % UNTOUCHED))?;
                        store.commit(&Commit::new().put(name.clone(), "1")).await?;
                        store.commit(&Commit::new().delete(name)).await?;
                    }
                }
            }
            Ok(())
        }
    })
    .await
    .map(drop)
}

/// The keys without an `x`, in the order in which a scan in small pages finds them.
async fn untouched_in(store: &Arc<dyn KvStore>) -> Verdict<Vec<String>> {
    let (mut scan, mut seen) = (Scan::new(KeyRange::prefix("k")).limit(7), Vec::new());
    loop {
        let page = store.scan(&scan).await?;
        seen.extend(page.entries.iter().map(|(name, _): &(Key, _)| name.to_string()));
        match page.next {
            Some(next) => scan.range = scan.range.resume(&next),
            None => break,
        }
    }
    seen.retain(|name| !name.contains('x'));
    Ok(seen)
}
