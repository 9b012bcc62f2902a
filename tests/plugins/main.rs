//! Plugins that are wrong, hostile, slow or swapped, through the host that runs them.
//!
//! Always the same three promises: the error is clear and of the right kind, the host is alive
//! afterwards and its next good call works, and nothing that was acknowledged is lost.
#![expect(clippy::unwrap_used, reason = "a suite fails where its own doings do")]

use std::{sync::Arc, time::Duration};

use larder_core::{Commit, ErrorKind, Key, KvStore, Result};
use larder_tests::plugin;
use larder_wasm::{
    Engine, EngineOptions, KvPlugin, Mode, PluginLimits, PluginOptions, Source, SupervisionRules,
};

mod answers;
mod blob_listing;
mod blob_swap;
mod calls;
mod compiled;
mod embedder;
mod host;
mod http;
mod loading;
mod network;
mod stand_ins;
mod supervision;
mod swap_checked;
mod swap_host;
mod swaps;
mod testing;

fn engine() -> Arc<Engine> {
    Engine::new(EngineOptions::default()).expect("this machine runs WebAssembly")
}

fn key(text: &str) -> Key {
    Key::new(text).expect("a key of a test is a key")
}

/// A component that was built with the plugins.
fn component(name: &str) -> Source {
    Source::file(plugin(name))
}

/// Both ways to call.
const MODES: [Mode; 2] = [Mode::Inline, Mode::Fiber];

/// The hostile guest, which has 8 entries `key-0`… in each instance and misbehaves as the settings say.
fn hostile(settings: &[(&str, &str)]) -> PluginOptions {
    let mut limits = PluginLimits::default();
    // Short, because some guests use all of it; long enough for a guest that starts on a busy machine.
    limits.deadline = Duration::from_secs(2);
    limits.inline_budget = Duration::from_millis(500);
    limits.memory_bytes_max = 64 << 20;
    let options = PluginOptions::new("hostile")
        .with_limits(limits)
        .with_supervision(patient())
        .with_setting("fill", "8");
    settings.iter().fold(options, |options, (name, value)| options.with_setting(*name, *value))
}

/// Rules that end no call: what one misdeed leads to is looked at, not what many do.
fn patient() -> SupervisionRules {
    let mut rules = SupervisionRules::default();
    (rules.strikes_max, rules.backoff) = (u32::MAX, Duration::ZERO);
    rules
}

async fn load_hostile(engine: &Arc<Engine>, mode: Mode, settings: &[(&str, &str)]) -> Result<KvPlugin> {
    KvPlugin::load(engine, &component("kv-hostile"), hostile(settings).with_mode(mode)).await
}

/// The host lives: a plugin of the same engine that is as it should be does its work.
async fn is_alive(engine: &Arc<Engine>) {
    let good = KvPlugin::load(engine, &component("kv-memory"), PluginOptions::new("good"))
        .await
        .expect("a good plugin loads after a bad one");
    good.commit(&Commit::new().put(key("a"), "1")).await.expect("it takes writes");
    let entry = good.get(&key("a")).await.expect("it answers").expect("it has what was put");
    assert_eq!(entry.value, "1");
}

/// The kinds of error that a guest's end may have. One that computes for ever on a fiber steps aside at each tick; on a
/// busy machine the deadline passes before its ticks are used up, and then it is told as late.
fn kinds(mode: Mode, misdeed: &str) -> &'static [ErrorKind] {
    match (mode, misdeed) {
        (Mode::Fiber, "loop") => &[ErrorKind::Plugin, ErrorKind::Timeout],
        _ => &[ErrorKind::Plugin],
    }
}
