//! A blob plugin that goes wrong, or lies, in each of its functions.

use std::error::Error as _;

use larder_core::{Error, ErrorKind};
use larder_tests::attacks::Attack;
use larder_wasm::{BlobPlugin, Mode};
use opendal::Operator;

use crate::{MODES, component, engine, hostile, is_alive, kinds};

/// Every function, by the settings of the guest.
const FUNCTIONS: [&str; 9] = ["stat", "read", "list", "delete", "copy", "put", "begin", "part", "finish"];

/// Past what goes in one put, in bytes.
const LARGE_BYTES: usize = 20 << 20;

async fn load(
    engine: &std::sync::Arc<larder_wasm::Engine>,
    mode: Mode,
    function: &str,
    misdeed: &str,
) -> BlobPlugin {
    // The guest of this module knows no `fill`.
    let mut options = hostile(&[]).with_mode(mode);
    options.settings = vec![(function.to_owned(), misdeed.to_owned())];
    BlobPlugin::load(engine, &component("blob-hostile"), options).await.unwrap()
}

async fn call(operator: &Operator, function: &str) -> Result<(), opendal::Error> {
    match function {
        "stat" => operator.stat("a").await.map(drop),
        "read" => operator.read_with("a").range(0..5).await.map(drop),
        "list" => operator.list_with("d/").recursive(true).await.map(drop),
        "delete" => operator.delete("a").await,
        "copy" => operator.copy("a", "b").await.map(drop),
        "put" => operator.write("a", vec![1; 10]).await.map(drop),
        "begin" | "part" | "finish" => {
            let mut writer = operator.writer("a").await?;
            for _ in 0..LARGE_BYTES >> 20 {
                writer.write(vec![1; 1 << 20]).await?;
            }
            writer.close().await.map(drop)
        }
        other => panic!("no function {other:?}"),
    }
}

/// larder's error inside of OpenDAL's.
fn inner(error: &opendal::Error) -> &Error {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref::<Error>() {
            return found;
        }
        cause = inner.source();
    }
    panic!("no error of larder in {error:?}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_function_may_go_wrong_and_the_host_lives() {
    let engine = engine();
    let mut attack = Attack::begin("misdeeds of a blob plugin");
    for mode in MODES {
        for function in FUNCTIONS {
            for misdeed in ["trap", "loop", "deep-recursion"] {
                let plugin = load(&engine, mode, function, misdeed).await;
                let about = format!("{mode:?} {function} {misdeed}");
                let failed = call(&plugin.operator(), function).await.expect_err(&about);
                let error = inner(&failed);
                assert!(kinds(mode, misdeed).contains(&error.kind()), "{about}: {}", error.chain());
                attack.reported(error);
            }
        }
    }
    is_alive(&engine).await;
    attack.held();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_about_blobs_that_breaks_the_contract_is_an_error_of_kind_plugin() {
    let engine = engine();
    let mut attack = Attack::begin("lies of a blob plugin");
    for mode in MODES {
        for (function, lies) in [
            ("stat", &["oversized"][..]),
            ("read", &["too-many"]),
            ("list", &["too-many", "unordered", "twice", "outside", "bad-key"]),
            ("delete", &["too-many", "too-few"]),
            ("begin", &["oversized"]),
            ("part", &["oversized"]),
        ] {
            for lie in lies {
                let plugin = load(&engine, mode, function, lie).await;
                let about = format!("{mode:?} {function} {lie}");
                let failed = call(&plugin.operator(), function).await.expect_err(&about);
                let error = inner(&failed);
                assert_eq!(error.kind(), ErrorKind::Plugin, "{about}: {}", error.chain());
                attack.reported(error);
            }
        }
    }
    is_alive(&engine).await;
    attack.held();
}
