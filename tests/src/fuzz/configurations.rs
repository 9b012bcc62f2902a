//! Configurations: the examples of the documentation, spoiled.
#![expect(
    clippy::indexing_slicing,
    reason = "places are drawn within what is there; a fuzzer that errs may end"
)]

use larder::Config;
use rand::{RngExt as _, rngs::StdRng};

use super::{Tally, guarded, spoil::spoil};

/// All that a configuration can say, in the other format.
const TOML: &str = r#"
[stores.frontier]
backend = "redis"
url = "redis://127.0.0.1:6379/0"
layers = ["kv-pass", { plugin = "kv-encrypt" }]

[stores.pages]
kind = "blob"
backend = "s3"
bucket = "pages"

[plugins.kv-log]
path = "kv-log.wasm"
settings = { folder = "/data" }
grants = { folders = [{ path = "state", as = "/data", access = "read-write" }], env = ["HOME"], tcp = ["127.0.0.1:11211"] }
limits = { memory = "64 MiB", deadline = "5 s" }
"#;

/// Fenced blocks of a language in a text.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

pub(super) fn read(random: &mut StdRng, iterations: u64) -> Tally {
    let docs = crate::workspace_root().join("docs").join("configuration.md");
    let docs = std::fs::read_to_string(docs).expect("the documentation can be read");
    let yaml = blocks(&docs, "yaml");
    assert!(!yaml.is_empty(), "the documentation has examples");
    let mut tally = Tally::default();
    for number in 0..iterations {
        let is_toml = random.random_ratio(1, 4);
        let right = if is_toml { TOML } else { &yaml[random.random_range(0..yaml.len())] };
        let mut bytes = right.as_bytes().to_vec();
        spoil(random, &mut bytes, 0);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let planned = guarded(number, &bytes, || {
            let config = if is_toml { Config::from_toml(&text) } else { Config::from_yaml(&text) };
            config.and_then(|config| config.plan().map(drop))
        });
        match planned {
            Ok(()) => tally.accepted += 1,
            Err(_) => tally.refused += 1,
        }
    }
    tally
}
