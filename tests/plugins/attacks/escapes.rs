//! Ways out of a granted folder.

use std::{fs, os::unix::fs::symlink, path::Path};

use larder_core::ErrorKind;
use larder_tests::attacks::Attack;
use larder_wasm::{Access, KvPlugin, Mode};

use super::spies::{act, load, options};
use crate::{engine, is_alive};

const SECRET: &str = "s3cret of the host";

/// A folder that is granted, beside one with a secret that is not.
struct Home {
    home: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        for folder in ["granted", "granted/inner", "outside"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        fs::write(home.path().join("outside/secret"), SECRET).unwrap();
        fs::write(home.path().join("granted/mine"), "mine").unwrap();
        Self { home }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    async fn spy(&self, access: Access) -> KvPlugin {
        let options = options(Mode::Fiber).with_folder(self.path("granted"), "/data", access);
        let plugin = load(&engine(), options).await;
        assert_eq!(act(&plugin, "read /data/mine").await.unwrap(), "mine");
        plugin
    }

    /// Nothing outside was changed, and nothing made there.
    fn assert_untouched(&self) {
        assert_eq!(fs::read_to_string(self.path("outside/secret")).unwrap(), SECRET);
        assert_eq!(names(&self.path("outside")), ["secret"]);
        assert_eq!(names(self.home.path()), ["granted", "outside"]);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Each deed is refused by the guest's own system, or answers nothing of the secret.
async fn assert_all_refused(plugin: &KvPlugin, deeds: &[String], attack: &mut Attack) {
    for deed in deeds {
        let error = act(plugin, deed).await.expect_err(deed);
        assert_eq!(error.kind(), ErrorKind::Denied, "{deed}: {}", error.chain());
        assert!(!error.chain().contains(SECRET), "{deed}: {}", error.chain());
        attack.reported(&error);
    }
}

/// All that can be tried with a path that leads out.
fn deeds_on(path: &str) -> Vec<String> {
    let deeds = ["read", "write", "cut", "remove", "make", "list"].map(|deed| format!("{deed} {path}"));
    let mut deeds = deeds.to_vec();
    deeds.extend([
        format!("move {path} /data/stolen"),
        format!("move /data/mine {path}"),
        format!("link {path} /data/stolen"),
        format!("link /data/mine {path}"),
    ]);
    deeds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_grant_there_are_no_folders() {
    let mut attack = Attack::begin("folders that were not granted");
    let engine = engine();
    let plugin = load(&engine, options(Mode::Fiber)).await;
    for path in ["/", ".", "..", "/etc/passwd", "/proc/self/environ", "/tmp"] {
        assert_all_refused(&plugin, &[format!("list {path}"), format!("read {path}")], &mut attack).await;
    }
    is_alive(&engine).await;
    attack.held();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_path_leads_out_of_a_folder() {
    let home = Home::new();
    let plugin = home.spy(Access::ReadWrite).await;
    let mut attack = Attack::begin("path escape by `..`");
    for path in [
        "/data/../outside/secret",
        "/data/../outside/new",
        "/data/inner/../../outside/secret",
        "/data/./.././outside/secret",
        "/data//..//outside//secret",
        "../outside/secret",
    ] {
        assert_all_refused(&plugin, &deeds_on(path), &mut attack).await;
    }
    home.assert_untouched();
    attack.held();

    let mut attack = Attack::begin("path escape by absolute path");
    let secret = home.path("outside/secret").display().to_string();
    assert_all_refused(&plugin, &deeds_on(&secret), &mut attack).await;
    assert_all_refused(&plugin, &deeds_on(&format!("/data/{secret}")), &mut attack).await;
    home.assert_untouched();
    assert_eq!(act(&plugin, "read /data/mine").await.unwrap(), "mine");
    attack.held();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_link_leads_out_of_a_folder() {
    let home = Home::new();
    let plugin = home.spy(Access::ReadWrite).await;
    let mut attack = Attack::begin("path escape by a link of the guest");
    let outside = home.path("outside").display().to_string();
    for (n, at) in [outside.as_str(), "../outside", "/", "inner/../../outside"].into_iter().enumerate() {
        // Whether it may make the link or not: it does not get through it.
        let made = act(&plugin, &format!("point {at} /data/way{n}")).await;
        attack_reported(&mut attack, made);
        assert_all_refused(&plugin, &deeds_beyond(&format!("/data/way{n}")), &mut attack).await;
    }
    home.assert_untouched();
    attack.held();

    let mut attack = Attack::begin("path escape by a link of the host");
    symlink(home.path("outside"), home.path("granted/door")).unwrap();
    symlink("../outside", home.path("granted/hole")).unwrap();
    symlink("../outside/secret", home.path("granted/key")).unwrap();
    for door in ["/data/door", "/data/hole"] {
        assert_all_refused(&plugin, &deeds_beyond(door), &mut attack).await;
    }
    let on_file = ["read /data/key", "write /data/key", "cut /data/key"].map(str::to_owned);
    assert_all_refused(&plugin, &on_file, &mut attack).await;
    home.assert_untouched();
    assert_eq!(act(&plugin, "read /data/mine").await.unwrap(), "mine");
    attack.held();
}

fn attack_reported(attack: &mut Attack, made: larder_core::Result<String>) {
    if let Err(error) = made {
        assert_eq!(error.kind(), ErrorKind::Denied, "{}", error.chain());
        attack.reported(&error);
    }
}

/// What can be tried through a link to a folder outside.
fn deeds_beyond(link: &str) -> Vec<String> {
    let mut deeds = vec![
        format!("list {link}"),
        format!("read {link}/secret"),
        format!("write {link}/secret"),
        format!("write {link}/new"),
        format!("cut {link}/secret"),
        format!("remove {link}/secret"),
        format!("make {link}/new"),
    ];
    deeds.extend([format!("move {link}/secret /data/stolen"), format!("link {link}/secret /data/stolen")]);
    deeds.extend([format!("move /data/mine {link}/new"), format!("link /data/mine {link}/new")]);
    deeds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_may_be_read_is_not_written() {
    let mut attack = Attack::begin("write into a read-only folder");
    let home = Home::new();
    let plugin = home.spy(Access::Read).await;
    let deeds = [
        "write /data/mine",
        "write /data/new",
        "cut /data/mine",
        "remove /data/mine",
        "make /data/new",
        "move /data/mine /data/new",
        "link /data/mine /data/new",
        "point mine /data/new",
    ]
    .map(str::to_owned);
    assert_all_refused(&plugin, &deeds, &mut attack).await;
    assert_eq!(names(&home.path("granted")), ["inner", "mine"]);
    assert_eq!(act(&plugin, "read /data/mine").await.unwrap(), "mine");
    attack.held();
}
