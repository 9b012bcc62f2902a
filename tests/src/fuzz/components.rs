//! Components: those of the suites, spoiled.
#![expect(
    clippy::indexing_slicing,
    reason = "places are drawn within what is there; a fuzzer that errs may end"
)]

use std::{sync::Arc, time::Duration};

use larder_core::{Commit, Error, Key, KeyRange, KvStore, Result, Scan};
use larder_wasm::{
    Engine, EngineOptions, KvPlugin, Mode, PluginLimits, PluginOptions, Source, SupervisionRules, inspect,
};
use rand::{RngExt as _, rngs::StdRng};

use super::{
    Tally, guarded,
    spoil::{spoil, spoil_in_place},
};

/// What every component begins with: magic, version, layer. Spoiled, nothing else would be looked at.
const HEAD_BYTES: usize = 8;

fn engine() -> Arc<Engine> {
    Engine::new(EngineOptions::default()).expect("this machine runs WebAssembly")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(crate::plugin(name)).expect("the component is built")
}

/// Reads spoiled components, of each world and by hand.
pub(super) fn load(random: &mut StdRng, iterations: u64) -> Tally {
    let small = wat::parse_str(
        r#"(component (core module $m (memory 1) (func (export "f"))) (core instance (instantiate $m))
            (type $t (record (field "a" string))) (import "larder:store/log@0.1.0" (instance)) (instance $i)
            (export "larder:store/kv@0.1.0" (instance $i)) (export "larder:store/lifecycle@0.1.0" (instance $i)))"#,
    );
    let mut corpus = vec![small.expect("the text is valid")];
    corpus.extend(["kv-memory", "kv-pass", "blob-pass", "merge-longest", "policy-fifo"].map(read));
    let engine = engine();
    let mut tally = Tally::default();
    for number in 0..iterations {
        // The small one half of the time: there most changes hit what frames the rest.
        let which = if random.random() { 0 } else { random.random_range(0..corpus.len()) };
        let mut bytes = corpus[which].clone();
        spoil(random, &mut bytes, HEAD_BYTES);
        let source = Source::bytes("fuzzed", bytes.clone());
        match guarded(number, &bytes, || inspect(&engine, &source)) {
            Ok(_) => tally.accepted += 1,
            Err(_) => tally.refused += 1,
        }
    }
    tally
}

/// Calls components whose code and data were spoiled: they answer what no guest would.
pub(super) fn call(random: &mut StdRng, iterations: u64) -> Tally {
    let corpus = ["kv-memory", "kv-static"].map(read);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let engine = engine();
    let mut tally = Tally::default();
    for number in 0..iterations {
        let mut bytes = corpus[random.random_range(0..corpus.len())].clone();
        let mode = if random.random() { Mode::Inline } else { Mode::Fiber };
        spoil_in_place(random, &mut bytes[HEAD_BYTES..]);
        let source = Source::bytes("fuzzed", bytes.clone());
        let used = guarded(number, &bytes, || runtime.block_on(use_all(&engine, &source, mode)));
        for answer in used {
            match answer {
                Ok(()) => tally.accepted += 1,
                Err(error) => {
                    assert!(!error.chain().contains("panicked"), "input {number}: {}", error.chain());
                    tally.refused += 1;
                }
            }
        }
    }
    tally
}

/// Each function once, also after one that failed.
async fn use_all(engine: &Arc<Engine>, source: &Source, mode: Mode) -> Vec<Result<(), Error>> {
    let mut limits = PluginLimits::default();
    limits.deadline = Duration::from_millis(200);
    limits.inline_budget = limits.deadline;
    limits.memory_bytes_max = 32 << 20;
    let mut rules = SupervisionRules::default();
    (rules.strikes_max, rules.backoff) = (u32::MAX, Duration::ZERO);
    let options = PluginOptions::new("fuzzed").with_limits(limits).with_supervision(rules).with_mode(mode);
    let plugin = match KvPlugin::load(engine, source, options).await {
        Ok(plugin) => plugin,
        Err(error) => return vec![Err(error)],
    };
    let keys = ["0", "a", "999"].map(|key| Key::new(key).expect("a key"));
    let [first, second, _] = &keys;
    let commit = Commit::new().put(first.clone(), "1").add(second.clone(), 2);
    vec![
        plugin.commit(&commit).await.map(drop),
        plugin.get(first).await.map(drop),
        plugin.get_many(&keys).await.map(drop),
        plugin.scan(&Scan::new(KeyRange::all()).limit(10)).await.map(drop),
        plugin.health().await,
    ]
}
