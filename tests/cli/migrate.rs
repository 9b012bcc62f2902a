//! `larder migrate`: between all kinds of stores, killed and gone on with, and never a key too few.

#![expect(clippy::unwrap_used, reason = "the machinery of the tests fails the test")]
#![expect(clippy::print_stdout, reason = "the seed is needed to replay a run")]

use larder_core::{Clock, SystemClock};
use larder_tests::{
    crash::Random,
    migration::{Migration, migrate},
    plugin,
};
use serde_json::Value;

use crate::command::Larder;

/// Replays a run's choices.
const SEED: &str = "LARDER_MIGRATE_SEED";

pub(crate) fn seed() -> u64 {
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| SystemClock.now().0);
    println!("{SEED}={seed}");
    seed
}

/// Stores of every kind that needs no server, filled by name.
fn larder() -> Larder {
    let (log, folder) = (plugin("kv-log"), plugin("blob-folder"));
    Larder::with_config(&format!(
        "
        stores:
          old: {{ backend: file, path: old }}
          new: {{ backend: file, path: new }}
          log: {{ backend: kv-log }}
          scratch: memory://
          pages: {{ kind: blob, backend: file, path: pages }}
          copies: {{ kind: blob, backend: file, path: copies }}
          foldered: {{ kind: blob, backend: blob-folder }}
        plugins:
          kv-log:
            path: {}
            grants: {{ folders: [ {{ path: log, as: /data, access: read-write }} ] }}
          blob-folder:
            path: {}
            settings: {{ folder: /data }}
            grants: {{ folders: [ {{ path: foldered, as: /data, access: read-write }} ] }}
        ",
        log.display(),
        folder.display()
    ))
    // That plugins are not pinned is no news here.
    .with_variable("LARDER_LOG", "error")
}

/// A run in the larder's folder.
fn run(larder: &Larder, arguments: &[&str], steps_max: Option<u64>) -> Migration {
    migrate(larder.path(), &[], arguments, steps_max)
}

/// A run that must end well; its report.
fn moved(larder: &Larder, arguments: &[&str]) -> Value {
    let run = run(larder, &[arguments, &["--json"]].concat(), None);
    assert_eq!(run.code, Some(0), "{}\n{}", run.err, run.out);
    serde_json::from_str(&run.out).unwrap()
}

/// Entries by the thousand, quickly: with a handle of the library.
pub(crate) fn fill(larder: &Larder, folder: &str, entries: u64, random: &mut Random) {
    use larder_backends::file::{FileKv, FileOptions};
    use larder_core::{Commit, Key, KvStore};

    let store = FileKv::open(larder.path().join(folder), FileOptions::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for first in (0..entries).step_by(500) {
        let mut commit = Commit::new();
        for number in first..(first + 500).min(entries) {
            let key = Key::new(format!("{:02x}/{number}", number % 251)).unwrap();
            let value = vec![number as u8; random.below(400) as usize];
            commit = match number % 10 {
                0 => commit.add(key, number as i64),
                1 => commit.put_with_ttl(key, value, std::time::Duration::from_secs(86_400)),
                _ => commit.put(key, value),
            };
        }
        runtime.block_on(store.commit(&commit)).unwrap();
    }
    store.close().unwrap();
}

/// Blobs of all sizes, with metadata: `a/1/7` is one of them.
pub(crate) fn put_blobs(larder: &Larder, folder: &str, blobs: u64, random: &mut Random) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let operator = larder_backends::object::fs(&larder.path().join(folder)).unwrap();
    for number in 0..blobs {
        let size = random.below(if number % 10 == 0 { 9 << 20 } else { 40_000 }) as usize;
        let (path, meta) = (format!("a/{}/{number}", number % 3), [("n".to_owned(), number.to_string())]);
        let write = operator.write_with(&path, vec![number as u8; size]).content_type("text/x");
        runtime.block_on(async { write.user_metadata(meta).await }).unwrap();
    }
}

/// What a scan prints, which is all but expiries; those are compared by `--verify`.
fn scanned(larder: &Larder, store: &str) -> String {
    larder.done(&["kv", "scan", "--store", store])
}

#[test]
fn entries_go_from_store_to_store_with_all_that_belongs_to_them() {
    let larder = larder();
    fill(&larder, "old", 2_500, &mut Random::new(seed(), 0, 0));
    let report = moved(&larder, &["--from-store", "old", "--to-store", "log", "--verify"]);
    assert_eq!(report["copied"], 2_500);
    assert_eq!(report["expiring"], 250);
    assert_eq!(report["verification"]["different"], 0);
    let report = moved(&larder, &["--from-store", "log", "--to-store", "new", "--verify"]);
    assert_eq!(report["verification"]["compared"], 2_500);
    assert_eq!(scanned(&larder, "old"), scanned(&larder, "new"));
    // 10 is 0a/10, a counter.
    assert_eq!(larder.done(&["kv", "incr", "0a/10", "--store", "new"]), "11\n");
    let entry: Value =
        serde_json::from_str(&larder.done(&["kv", "get", "--json", "0b/11", "--store", "new"])).unwrap();
    assert!(entry["expires_at_ms"].is_u64(), "{entry}");
    moved(&larder, &["--from-store", "old", "--to", "memory://", "--verify"]);
}

#[test]
fn a_migration_killed_twice_is_gone_on_with_and_ends_equal() {
    let larder = larder();
    let seed = seed();
    let mut random = Random::new(seed, 0, 1);
    fill(&larder, "old", 12_000, &mut random);
    for (from, to) in [("old", "log"), ("old", "new")] {
        let arguments = ["--from-store", from, "--to-store", to, "--verify", "--json"];
        let mut steps = 0;
        for _ in 0..2 {
            let killed = run(&larder, &arguments, Some(1 + random.below(6)));
            assert_eq!(killed.code, None, "{}", killed.err);
            steps += killed.steps;
        }
        let done = run(&larder, &arguments, None);
        assert_eq!(done.code, Some(0), "{}\n{}", done.err, done.out);
        let report: Value = serde_json::from_str(&done.out).unwrap();
        assert!(steps >= 2 && report["resumed"] == true, "{report}");
        assert_eq!(
            (&report["copied"], &report["verification"]["compared"]),
            (&12_000.into(), &12_000.into())
        );
        assert_eq!(scanned(&larder, from), scanned(&larder, to), "{to}, and no checkpoint is left");
    }
}

#[test]
fn blobs_killed_twice_on_their_way_arrive_with_their_metadata() {
    let larder = larder();
    let mut random = Random::new(seed(), 0, 2);
    put_blobs(&larder, "pages", 40, &mut random);
    for to in ["copies", "foldered"] {
        let arguments = ["--from-store", "pages", "--to-store", to, "--verify", "--json"];
        for _ in 0..2 {
            let killed = run(&larder, &arguments, Some(1 + random.below(15)));
            assert_eq!(killed.code, None, "{}", killed.err);
        }
        let done = run(&larder, &arguments, None);
        assert_eq!(done.code, Some(0), "{}\n{}", done.err, done.out);
        let report: Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!(report["verification"]["compared"], 40);
        assert_eq!(report["copied"].as_u64().unwrap() + report["present"].as_u64().unwrap(), 40);
        let listed = larder.done(&["blob", "ls", "--recursive", "--store", to]);
        assert_eq!(listed.lines().count(), 40, "no checkpoint is left: {listed}");
        let stat: Value =
            serde_json::from_str(&larder.done(&["blob", "stat", "a/1/7", "--json", "--store", to])).unwrap();
        assert_eq!((&stat["content_type"], &stat["meta"]["n"]), (&"text/x".into(), &"7".into()));
    }
}

#[test]
fn urls_do_without_a_configuration_and_a_report_is_for_people() {
    let larder = Larder::new();
    let url = |name: &str| format!("file://{}", larder.path().join(name).display());
    larder.done(&["--url", &url("a"), "kv", "set", "key", "value"]);
    let shown = larder.done(&["migrate", "--from", &url("a"), "--to", &url("b"), "--verify"]);
    for part in ["copied    1 entries", "verified  equal: 1 compared in 1 ranges, digest "] {
        assert!(shown.contains(part), "no `{part}` in:\n{shown}");
    }
    assert_eq!(larder.done(&["--url", &url("b"), "kv", "get", "key"]), "value");
    larder.write("page", "<p>");
    larder.write(
        "larder.yaml",
        "stores: { from: { kind: blob, backend: file, path: pages }, to: { kind: blob, backend: file, path: copies } }",
    );
    larder.done(&["blob", "put", "page", "1.html", "--store", "from"]);
    let report = moved(&larder, &["--from", &url("pages"), "--to", &url("copies"), "--kind", "blob"]);
    assert_eq!(report["copied"], 1);
    assert_eq!(larder.done(&["blob", "get", "1.html", "--store", "to"]), "<p>");
}

#[test]
fn what_differs_is_named_and_the_exit_code_says_so() {
    let larder = larder();
    larder.done(&["kv", "set", "a", "1", "--store", "old"]);
    larder.done(&["kv", "set", "b", "2", "--store", "new"]);
    let both = ["migrate", "--from-store", "old", "--to-store", "new"];
    larder.refused(&both, 11, &["not empty", "--merge", "--overwrite", "key: b"]);
    larder.done(&[&both[..], &["--merge", "--verify"]].concat());
    larder.done(&["kv", "set", "a", "other", "--store", "new"]);
    larder.refused(&[&both[..], &["--merge"]].concat(), 5, &["conflict", "key: a", "--overwrite"]);
    assert_eq!(larder.done(&["kv", "get", "a", "--store", "new"]), "other");
    larder.done(&[&both[..], &["--overwrite", "--verify"]].concat());
    assert_eq!(larder.done(&["kv", "get", "a", "--store", "new"]), "1");

    larder.done(&["kv", "set", "large", &"x".repeat(2_000), "--store", "old"]);
    larder.write(
        "small.yaml",
        "stores: { old: { backend: file, path: old }, new: { backend: file, path: new2, value_max: 1KiB } }",
    );
    let small = ["migrate", "--config", "small.yaml", "--from-store", "old", "--to-store", "new"];
    larder.refused(&small, 4, &["unsupported", "key: large", "2000 bytes", "value_max"]);
    let dry = larder.run(&[&small[..], &["--dry-run"]].concat());
    assert_eq!(dry.code, 1, "{}", dry.err);
    assert!(dry.text().contains("refused   large: ") && dry.text().contains("nothing was written"));
}

#[test]
fn stores_that_can_not_be_moved_are_refused_before_anything_is_opened() {
    let larder = larder();
    for (from, to, says) in [
        ("old", "pages", "one kind"),
        ("old", "old", "the same data"),
        ("old", "nwe", "`new`"),
        ("pages", "pages", "the same data"),
    ] {
        larder.refused(&["migrate", "--from-store", from, "--to-store", to], 11, &[says]);
    }
    assert!(!larder.path().join("old").exists());
    for wrong in [
        &["migrate"][..],
        &["migrate", "--from", "memory://"],
        &["migrate", "--from", "memory://", "--to", "memory://", "--merge", "--overwrite"],
        &["migrate", "--from", "memory://", "--to", "memory://", "--bytes-per-second", "0"],
        &["migrate", "--from", "memory://", "--to", "memory://", "--kind", "files"],
    ] {
        assert_eq!(larder.run(wrong).code, 2, "{wrong:?}");
    }
}

/// The story: a mistyped path was opened, and so made, and moved: nothing, verified equal, exit 0. So was a folder of blobs
/// whose kind nobody had said.
#[test]
fn a_source_that_is_not_there_is_refused_and_not_made() {
    let larder = larder();
    let pages = larder.path().join("pages");
    std::fs::create_dir(&pages).unwrap();
    std::fs::write(pages.join("1.html"), "<p>").unwrap();
    let url = |scheme: &str, name: &str| format!("{scheme}://{}", larder.path().join(name).display());
    let target = url("file", "target");
    for (from, says) in [
        (url("file", "typo"), "nothing to move"),
        (url("sqlite", "typo.db"), "no such file"),
        (url("file", "pages"), "--kind blob"),
    ] {
        larder.refused(&["migrate", "--from", &from, "--to", &target, "--verify"], 11, &[says]);
    }
    let blobs = ["migrate", "--kind", "blob", "--from", &url("file", "typo"), "--to", &target];
    larder.refused(&blobs, 11, &["no folder"]);
    for made in ["typo", "typo.db", "target", "pages/store.redb"] {
        assert!(!larder.path().join(made).exists(), "{made} was made");
    }
}
