//! Answers that break the contract never reach the caller: the call fails, its instance is dropped,
//! and the next call works.

use larder_core::{Commit, Error, ErrorKind, KeyRange, KvStore, Scan};
use larder_tests::attacks::Attack;
use larder_wasm::KvPlugin;

use crate::{MODES, engine, is_alive, key, load_hostile};

/// The functions that can answer wrong, each with its ways to.
const LIES: [(&str, &[&str]); 4] = [
    ("get", &["oversized"]),
    ("get-many", &["too-many", "too-few", "oversized"]),
    ("scan", &["too-many", "unordered", "twice", "outside", "oversized", "bad-key", "go-back", "endless"]),
    ("commit", &["too-many", "too-few", "wrong-outcome"]),
];

async fn call(plugin: &KvPlugin, function: &str) -> Result<(), Error> {
    match function {
        "get" => plugin.get(&key("key-0")).await.map(drop),
        "get-many" => plugin.get_many(&[key("key-0"), key("x"), key("key-1")]).await.map(drop),
        "scan" => plugin.scan(&Scan::new(KeyRange::prefix("key-")).limit(5)).await.map(drop),
        _ => plugin.commit(&Commit::new().put(key("a"), "1").put(key("b"), "2")).await.map(drop),
    }
}

#[tokio::test]
async fn an_answer_that_breaks_the_contract_is_an_error_of_kind_plugin() {
    let engine = engine();
    let mut attacks =
        ["too many and too few answers", "lying pages", "oversized values", "outcomes of another kind"]
            .map(Attack::begin);
    for mode in MODES {
        for (function, lies) in LIES {
            for lie in lies {
                let row = match *lie {
                    "too-many" | "too-few" => 0,
                    "oversized" => 2,
                    "wrong-outcome" => 3,
                    _ => 1,
                };
                let settings = [(function, *lie), ("after", "1")];
                let plugin = load_hostile(&engine, mode, &settings).await.unwrap();
                let about = format!("{mode:?} {function} {lie}");
                call(&plugin, function).await.unwrap_or_else(|e| panic!("{about}: the honest call: {e}"));
                let error = call(&plugin, function).await.expect_err(&about);
                assert_eq!(error.kind(), ErrorKind::Plugin, "{about}: {}", error.chain());
                assert_eq!(error.context("plugin"), Some("hostile"), "{about}: {error}");
                assert_eq!(error.is_effect_unknown(), function == "commit", "{about}: {error}");
                attacks[row].reported(&error);
                call(&plugin, function).await.unwrap_or_else(|e| panic!("{about}: the next call: {e}"));
                plugin.health().await.unwrap_or_else(|e| panic!("{about}: health: {e}"));
            }
        }
    }
    is_alive(&engine).await;
    attacks.into_iter().for_each(Attack::held);
}

#[tokio::test]
async fn an_entry_without_time_left_is_no_entry() {
    let engine = engine();
    let plugin = load_hostile(&engine, MODES[0], &[("get", "expired")]).await.unwrap();
    assert_eq!(plugin.get(&key("key-0")).await.unwrap(), None);
}
