//! What is no plugin of ours is refused when it is loaded, and the message says what is wrong with it.

use larder_core::{Error, ErrorKind, MemoryKv};
use larder_tests::plugin;
use larder_wasm::{KvPlugin, Mode, PluginLimits, PluginOptions, Source};

use crate::{MODES, component, engine, is_alive, kinds, load_hostile};

/// Loading must fail, with this kind and all of these words in the message.
#[track_caller]
fn assert_refused(loaded: Result<KvPlugin, Error>, kind: ErrorKind, words: &[&str]) {
    let error = loaded.expect_err("this must not load");
    let text = error.chain();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(!error.is_effect_unknown(), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

async fn refused(source: &Source, kind: ErrorKind, words: &[&str]) {
    let engine = engine();
    assert_refused(KvPlugin::load(&engine, source, PluginOptions::new("p")).await, kind, words);
    is_alive(&engine).await;
}

fn wat(text: &str) -> Source {
    Source::bytes("hand-written", wat::parse_str(text).expect("the text of the test is valid"))
}

#[tokio::test]
async fn a_path_without_a_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Source::file(folder.path().join("no-such.wasm"));
    refused(&missing, ErrorKind::Config, &["no-such.wasm", "can't be read"]).await;
    refused(&Source::file(folder.path()), ErrorKind::Config, &["no file"]).await;
}

#[tokio::test]
async fn what_is_no_webassembly_is_told_from_what_is() {
    for bytes in [&b""[..], b"\0asm", b"#!/bin/sh\necho no plugin\n", &[0xff; 4096]] {
        refused(&Source::bytes("x", bytes.to_vec()), ErrorKind::Config, &["no WebAssembly"]).await;
    }
}

#[tokio::test]
async fn a_core_module_is_called_one() {
    refused(&wat("(module)"), ErrorKind::Config, &["core module"]).await;
}

#[tokio::test]
async fn a_component_that_was_cut_or_changed_is_not_valid() {
    let whole = std::fs::read(plugin("kv-memory")).unwrap();
    let cut = whole[..whole.len() / 2].to_vec();
    refused(&Source::bytes("cut", cut), ErrorKind::Config, &["not valid"]).await;
    let mut garbage = whole;
    garbage[8..].fill(0xa5);
    refused(&Source::bytes("garbage", garbage), ErrorKind::Config, &["not valid"]).await;
}

#[tokio::test]
async fn a_component_of_another_world_names_both_worlds() {
    for (name, world) in
        [("kv-pass", "kv-layer"), ("merge-longest", "merge-policy"), ("policy-fifo", "cache-policy")]
    {
        refused(&component(name), ErrorKind::Config, &[world, "kv-backend"]).await;
    }
    let engine = engine();
    let next = std::sync::Arc::new(MemoryKv::new());
    let loaded = KvPlugin::load_layer(&engine, &component("kv-memory"), PluginOptions::new("p"), next).await;
    assert_refused(loaded, ErrorKind::Config, &["kv-backend", "kv-layer"]);
}

#[tokio::test]
async fn a_component_of_no_world_lists_what_it_exports() {
    refused(&wat("(component)"), ErrorKind::Config, &["kv-backend", "nothing"]).await;
    let other = r#"(component (instance $i) (export "acme:shop/cart@1.0.0" (instance $i)))"#;
    refused(&wat(other), ErrorKind::Config, &["kv-backend", "acme:shop/cart@1.0.0"]).await;
}

#[tokio::test]
async fn a_component_of_another_version_names_both_versions() {
    let words = ["0.2.0", "0.1.0", "a later larder", "an earlier SDK"];
    refused(&component("kv-next-version"), ErrorKind::Config, &words).await;
}

/// Lifted in tests of the host alone: no promise goes with it.
#[tokio::test]
async fn a_component_of_a_version_too_old_says_what_to_do() {
    let words = ["0.0.9", "0.1.0", "build it again", "a later SDK"];
    refused(&component("kv-first-version"), ErrorKind::Config, &words).await;
}

#[tokio::test]
async fn a_component_of_wasi_without_settings_refuses_them_and_names_its_bucket() {
    let engine = engine();
    let load = |name: &'static str, value: &'static str| {
        let options = PluginOptions::new("p").with_setting(name, value);
        let engine = engine.clone();
        async move { KvPlugin::load(&engine, &component("kv-wasi-draft"), options).await }
    };
    assert_refused(load("colour", "blue").await, ErrorKind::Config, &["colour", "wasi:config", "bucket"]);
    assert_refused(load("bucket", "other").await, ErrorKind::Config, &["no bucket `other`"]);
    load("bucket", "default").await.unwrap();
}

#[tokio::test]
async fn a_component_of_wasi_reads_its_settings_through_wasi_config() {
    let options = PluginOptions::new("p").with_setting("name", "mine").with_setting("bucket", "mine");
    KvPlugin::load(&engine(), &component("kv-wasi-draft2"), options).await.unwrap();
    let options = PluginOptions::new("p").with_setting("name", "mine");
    let loaded = KvPlugin::load(&engine(), &component("kv-wasi-draft2"), options).await;
    assert_refused(loaded, ErrorKind::Config, &["no bucket `default`"]);
}

#[tokio::test]
async fn an_import_that_is_not_granted_is_named() {
    refused(&component("kv-ungranted"), ErrorKind::Denied, &["wasi:sockets/", "not granted"]).await;
    let stranger = r#"(component
        (import "acme:thing/secret@1.0.0" (instance))
        (instance $i)
        (export "larder:store/kv@0.1.0" (instance $i))
        (export "larder:store/lifecycle@0.1.0" (instance $i)))"#;
    refused(&wat(stranger), ErrorKind::Denied, &["acme:thing/secret@1.0.0"]).await;
}

#[tokio::test]
async fn interfaces_with_the_right_names_and_nothing_in_them_do_not_fit() {
    let hollow = r#"(component
        (instance $i)
        (export "larder:store/kv@0.1.0" (instance $i))
        (export "larder:store/lifecycle@0.1.0" (instance $i)))"#;
    refused(&wat(hollow), ErrorKind::Config, &["does not fit"]).await;
}

#[tokio::test]
async fn a_component_past_the_size_limit_is_not_compiled() {
    let engine = engine();
    let mut limits = PluginLimits::default();
    limits.component_bytes_max = 1_000;
    let options = PluginOptions::new("p").with_limits(limits);
    let loaded = KvPlugin::load(&engine, &component("kv-memory"), options).await;
    assert_refused(loaded, ErrorKind::Config, &["more than 1000"]);
}

#[tokio::test]
async fn a_component_of_another_digest_is_denied_and_names_both() {
    let engine = engine();
    let pinned = "00".repeat(32);
    let good = KvPlugin::load(&engine, &component("kv-memory"), PluginOptions::new("p")).await.unwrap();
    let options = PluginOptions::new("p").with_sha256(pinned.clone());
    let loaded = KvPlugin::load(&engine, &component("kv-memory"), options).await;
    assert_refused(loaded, ErrorKind::Denied, &[&pinned, &good.digest()]);
    let options = PluginOptions::new("p").with_sha256(good.digest());
    KvPlugin::load(&engine, &component("kv-memory"), options).await.unwrap();
}

#[tokio::test]
async fn settings_that_a_plugin_refuses_keep_it_out_of_service() {
    let engine = engine();
    let options = PluginOptions::new("p").with_setting("colour", "blue");
    let loaded = KvPlugin::load(&engine, &component("kv-memory"), options).await;
    assert_refused(loaded, ErrorKind::Config, &["colour"]);
    is_alive(&engine).await;
}

#[tokio::test]
async fn a_plugin_that_goes_wrong_while_it_starts_is_not_loaded() {
    let engine = engine();
    for mode in MODES {
        for call in ["configure", "health"] {
            for misdeed in ["trap", "loop", "eat-memory", "deep-recursion", "fail"] {
                let loaded = load_hostile(&engine, mode, &[(call, misdeed)]).await;
                let error = loaded.expect_err("a plugin that can't start must not load");
                let about = format!("{mode:?} {call} {misdeed}: {}", error.chain());
                assert!(kinds(mode, misdeed).contains(&error.kind()), "{about}");
                assert!(error.to_string().contains("hostile"), "the plugin is not named: {error}");
            }
        }
        let loaded = load_hostile(&engine, mode, &[("describe", "oversized")]).await;
        assert_refused(loaded, ErrorKind::Plugin, &["more than"]);
    }
    is_alive(&engine).await;
}

#[tokio::test]
async fn a_plugin_that_waits_too_long_while_it_starts_is_not_loaded() {
    let engine = engine();
    let settings = [("configure", "slow"), ("amount", "3600000")];
    let loaded = load_hostile(&engine, Mode::Fiber, &settings).await;
    assert_refused(loaded, ErrorKind::Timeout, &[]);
    is_alive(&engine).await;
}
