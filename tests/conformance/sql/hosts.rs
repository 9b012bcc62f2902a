//! Several hosts on one table, as processes that share a database are: each with connections of its own, and nothing
//! between them but the database. Everything here holds for both dialects.

use std::{collections::BTreeSet, sync::Arc};

use larder_backends::sql::{SqlKv, SqlOptions};
use larder_core::{Commit, ErrorKind, Expectation, Key, KeyRange, KvStore, Outcome, Result, Scan, Version};
use larder_tests::servers::postgres::Postgres;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Hosts in each test.
const HOSTS: usize = 3;
/// Tasks of each host.
const TASKS: usize = 4;

/// A database, and what keeps it there.
struct Place {
    url: String,
    _server: Option<Postgres>,
    _folder: Option<TempDir>,
}

impl Place {
    fn postgres() -> Self {
        let server = Postgres::start().unwrap();
        Self { url: server.url(), _server: Some(server), _folder: None }
    }

    fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join("state.db").display());
        Self { url, _server: None, _folder: Some(folder) }
    }

    fn options(&self) -> SqlOptions {
        SqlOptions::from_url(&self.url).unwrap()
    }

    async fn host(&self) -> Arc<SqlKv> {
        Arc::new(SqlKv::connect(self.options()).await.unwrap())
    }

    async fn hosts(&self) -> Vec<Arc<SqlKv>> {
        let mut hosts = Vec::new();
        for _ in 0..HOSTS {
            hosts.push(self.host().await);
        }
        hosts
    }
}

/// Makes the same test of each dialect.
macro_rules! for_both {
    ($($name:ident: $body:path;)*) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $body(super::Place::postgres()).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $body(super::Place::sqlite()).await;
            })*
        }
    };
}

for_both! {
    counters_of_several_hosts_are_exact: super::exact_counters;
    of_several_hosts_one_wins_a_compare_and_set: super::one_winner;
    commits_that_cross_each_other_all_happen: super::crossing_commits;
    versions_of_several_hosts_are_never_the_same: super::new_versions;
    a_check_holds_until_the_commit_is_seen: super::strict_order;
    hosts_that_start_together_make_one_table: super::first_starts;
    a_newer_schema_is_refused: super::newer_schema;
    hostile_names_are_only_names: super::hostile_names;
    a_dropped_commit_holds_nothing: super::dropped_commits;
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// Whether a commit won; losing is a conflict, anything else is a defect.
fn won(result: Result<Vec<Outcome>>) -> bool {
    match result {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.chain());
            false
        }
    }
}

async fn tasks<F, T>(hosts: &[Arc<SqlKv>], work: impl Fn(Arc<SqlKv>, usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut set = JoinSet::new();
    for (number, host) in hosts.iter().cycle().take(HOSTS * TASKS).enumerate() {
        set.spawn(work(host.clone(), number));
    }
    set.join_all().await
}

async fn exact_counters(place: Place) {
    const EACH: usize = 20;
    let hosts = place.hosts().await;
    let seen = tasks(&hosts, |host, number| async move {
        let mut seen = Vec::new();
        for i in 0..EACH {
            // Alone, and as a part of a larger commit.
            let commit = Commit::new().add(key("n"), 1);
            let commit = if i % 2 == 0 { commit } else { commit.add(key(&format!("own {number}")), 1) };
            match host.commit(&commit).await.unwrap().first() {
                Some(Outcome::Added(value)) => seen.push(*value),
                other => panic!("an add answered {other:?}"),
            }
        }
        seen
    })
    .await;
    let distinct: BTreeSet<i64> = seen.into_iter().flatten().collect();
    assert_eq!(distinct.len(), HOSTS * TASKS * EACH);
    assert_eq!(distinct.last(), Some(&240), "no value was skipped");
}

async fn one_winner(place: Place) {
    let hosts = place.hosts().await;
    for round in 0..10 {
        let version = match hosts[0].get(&key("a")).await.unwrap() {
            Some(entry) => Expectation::Version(entry.version),
            None => Expectation::Absent,
        };
        let wins = tasks(&hosts, move |host, number| async move {
            let commit = Commit::new().check(key("a"), version).put(key("a"), format!("{round}:{number}"));
            // Half of them in a way that takes more than one statement.
            let commit = if number % 2 == 0 { commit } else { commit.check(key("b"), Expectation::Absent) };
            won(host.commit(&commit).await)
        })
        .await;
        assert_eq!(wins.into_iter().filter(|won| *won).count(), 1, "round {round}");
    }
}

async fn crossing_commits(place: Place) {
    // In each direction, so that locks taken in the order of the writes would wait in circles.
    let hosts = place.hosts().await;
    tasks(&hosts, |host, number| async move {
        for i in 0..15 {
            let mut names = ["a", "b", "c", "d"].map(key);
            names.rotate_left((number + i) % 4);
            let [first, second, third, fourth] = names;
            let commit =
                Commit::new().add(first, 1).delete(second).put(third, "1").check(fourth, Expectation::Absent);
            won(host.commit(&commit).await);
            let [first, second] = if number % 2 == 0 { ["m", "n"] } else { ["n", "m"] }.map(key);
            host.commit(&Commit::new().add(first, 1).add(second, -1)).await.unwrap();
            let [first, second] = if number % 2 == 0 { ["x", "y"] } else { ["y", "x"] }.map(key);
            host.commit(&Commit::new().put(first, "1").put(second, "2")).await.unwrap();
        }
    })
    .await;
    let value = async |name: &str| hosts[0].get(&key(name)).await.unwrap().unwrap().value;
    let number =
        async |name: &str| String::from_utf8(value(name).await.to_vec()).unwrap().parse::<i64>().unwrap();
    assert_eq!(number("m").await + number("n").await, 0);
}

async fn new_versions(place: Place) {
    // Not "put, delete, put": a version that came back would let a stale compare-and-set pass.
    let hosts = place.hosts().await;
    let versions = tasks(&hosts, |host, _| async move {
        let mut versions = Vec::new();
        for i in 0..10 {
            let commit = Commit::new().put(key("a"), "same");
            let commit = if i % 3 == 0 { commit.put(key("b"), "same") } else { commit };
            for outcome in host.commit(&commit).await.unwrap() {
                if let Outcome::Written(Version(version)) = outcome {
                    versions.push(version);
                }
            }
            host.commit(&Commit::new().delete(key("a"))).await.unwrap();
        }
        versions
    })
    .await;
    let all: Vec<u64> = versions.into_iter().flatten().collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    // Nor after all hosts have gone and come back.
    drop(hosts);
    let outcomes = place.host().await.commit(&Commit::new().put(key("a"), "same")).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Written(Version(version))] if !all.contains(&version)));
}

/// What snapshots alone would get wrong: a commit whose check held on a snapshot may be acknowledged after the checked
/// key was written again and that was seen, as if it had happened before; but nobody had seen it then.
async fn strict_order(place: Place) {
    let hosts = place.hosts().await;
    let (checking, writing) = (hosts[0].clone(), hosts[1].clone());
    for round in 0..40 {
        let absent = round % 2 == 0;
        let (a, b) = (key(&format!("a{round}")), key(&format!("b{round}")));
        let expect = if absent {
            Expectation::Absent
        } else {
            writing.commit(&Commit::new().put(a.clone(), "before")).await.unwrap();
            Expectation::Version(writing.get(&a).await.unwrap().unwrap().version)
        };
        let commit = Commit::new().check(a.clone(), expect).put(b.clone(), "after the check");
        let checking = checking.clone();
        let check = tokio::spawn(async move { won(checking.commit(&commit).await) });
        writing.commit(&Commit::new().put(a.clone(), "written")).await.unwrap();
        let seen = writing.get(&b).await.unwrap().is_some();
        assert_eq!(
            check.await.unwrap(),
            seen,
            "round {round}: the check was held against what was gone by then"
        );
    }
}

async fn first_starts(place: Place) {
    let mut set = JoinSet::new();
    for _ in 0..8 {
        let options = place.options().table("made by eight");
        let options = if place._server.is_some() { options.schema("a schema") } else { options };
        set.spawn(async move {
            let host = SqlKv::connect(options).await?;
            host.commit(&Commit::new().add(key("starts"), 1)).await.map(drop)
        });
    }
    for started in set.join_all().await {
        started.unwrap();
    }
}

async fn newer_schema(place: Place) {
    place.host().await.close().await.unwrap();
    let future = "UPDATE larder_migrations SET schema = 99 WHERE store = 'larder'";
    if place._server.is_some() {
        let pool = sqlx::PgPool::connect(&place.url).await.unwrap();
        sqlx::query(future).execute(&pool).await.unwrap();
    } else {
        let pool = sqlx::SqlitePool::connect(&place.url).await.unwrap();
        sqlx::query(future).execute(&pool).await.unwrap();
    }
    let error = SqlKv::connect(place.options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert_eq!((error.context("schema"), error.context("known")), (Some("99"), Some("1")), "{error}");
    // Another store beside it is not concerned.
    SqlKv::connect(place.options().table("other")).await.unwrap();
}

async fn hostile_names(place: Place) {
    let names = [
        "a\"; DROP TABLE larder; --",
        "'; SELECT 1; --",
        "{table}",
        "{index}",
        "select",
        "Größe 1 \u{1F980}",
        "$1",
        "?1",
        "%s",
        "a.b",
        "Case",
    ];
    let first = place.host().await;
    first.commit(&Commit::new().put(key("k"), "larder")).await.unwrap();
    let mut hosts = Vec::new();
    for name in names {
        let host =
            SqlKv::connect(place.options().table(name)).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(host.get(&key("k")).await.unwrap(), None, "{name}");
        host.commit(&Commit::new().put(key("k"), name)).await.unwrap();
        host.commit(&Commit::new().put(key("l"), "1").delete(key("m")).add(key("n"), 1)).await.unwrap();
        hosts.push(host);
    }
    for (host, name) in hosts.iter().zip(names) {
        assert_eq!(host.get(&key("k")).await.unwrap().unwrap().value, name);
        assert_eq!(host.scan(&Scan::new(KeyRange::all())).await.unwrap().entries.len(), 3, "{name}");
    }
    assert_eq!(first.get(&key("k")).await.unwrap().unwrap().value, "larder");
    for name in ["larder_migrations", "larder_versions", "sqlite_stat1", "", "nul\0"] {
        let error = SqlKv::connect(place.options().table(name)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{name:?}: {error}");
    }
}

/// A caller that goes away at any moment leaves no transaction open: the next commit, on the same connections, gets
/// through at once, and what was dropped happened whole or not at all.
async fn dropped_commits(place: Place) {
    let options = place.options().connections_max(2);
    let host = Arc::new(SqlKv::connect(options).await.unwrap());
    let mut happened = 0;
    for round in 0..60_u32 {
        let (a, b) = (key(&format!("a{round}")), key(&format!("b{round}")));
        let commit =
            Commit::new().check(key("gate"), Expectation::Absent).put(a.clone(), "1").put(b.clone(), "2");
        let mut work = Box::pin(host.commit(&commit));
        // Polled so many times, each at the next step of the work, and then dropped.
        for _ in 0..round / 4 {
            if futures::poll!(work.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(work);
        let found = host.get_many(&[a.clone(), b]).await.unwrap();
        // The commit may have been on the way when it was dropped, and may arrive only now.
        host.commit(&Commit::new().add(key("n"), 1).delete(key("gate"))).await.unwrap();
        let after = host.get_many(&[a, key(&format!("b{round}"))]).await.unwrap();
        for found in [found, after.clone()] {
            assert_eq!(found[0].is_some(), found[1].is_some(), "round {round}: half a commit");
        }
        happened += u32::from(after[0].is_some());
    }
    assert!(happened < 60, "none was dropped in time");
    assert_eq!(host.get(&key("n")).await.unwrap().unwrap().value, "60");
    let other = place.host().await;
    other.commit(&Commit::new().put(key("gate"), "1").put(key("a0"), "2")).await.unwrap();
}
