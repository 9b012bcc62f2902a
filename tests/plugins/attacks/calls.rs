//! Code that never ends, or ends badly, in each function that a guest is called by.

use larder_core::{Commit, KeyRange, KvStore, Result, Scan};
use larder_tests::attacks::Attack;
use larder_wasm::KvPlugin;

use crate::{MODES, engine, is_alive, key, kinds, load_hostile};

/// What is done, and the row of the table.
const MISDEEDS: [(&str, &str); 4] = [
    ("loop", "endless loop in a call"),
    ("trap", "trap in a call"),
    ("deep-recursion", "endless recursion in a call"),
    ("eat-memory", "memory bomb in a call"),
];

async fn call(plugin: &KvPlugin, function: &str) -> Result<()> {
    match function {
        "get" => plugin.get(&key("key-0")).await.map(drop),
        "get-many" => plugin.get_many(&[key("key-0"), key("key-1")]).await.map(drop),
        "scan" => plugin.scan(&Scan::new(KeyRange::all()).limit(5)).await.map(drop),
        "commit" => plugin.commit(&Commit::new().put(key("a"), "1")).await.map(drop),
        other => panic!("no function {other:?}"),
    }
}

#[tokio::test]
async fn code_that_goes_wrong_in_any_function_costs_its_instance_and_nothing_else() {
    let engine = engine();
    for (misdeed, row) in MISDEEDS {
        let mut attack = Attack::begin(row);
        for mode in MODES {
            for function in ["get", "get-many", "scan", "commit"] {
                let settings = [(function, misdeed), ("after", "1")];
                let plugin = load_hostile(&engine, mode, &settings).await.unwrap();
                let about = format!("{mode:?} {function} {misdeed}");
                call(&plugin, function).await.unwrap_or_else(|e| panic!("{about}: the honest call: {e}"));
                let error = call(&plugin, function).await.expect_err(&about);
                assert!(kinds(mode, misdeed).contains(&error.kind()), "{about}: {}", error.chain());
                assert_eq!(error.is_effect_unknown(), function == "commit", "{about}: {error}");
                attack.reported(&error);
                call(&plugin, function).await.unwrap_or_else(|e| panic!("{about}: the next call: {e}"));
            }
        }
        is_alive(&engine).await;
        attack.held();
    }
}
