//! Answers that are none by the binary interface: what is no text, lies outside the memory, or claims more than there is.

use larder_core::{ErrorKind, Key, KeyRange, KvStore, Scan};
use larder_tests::attacks::Attack;

use super::spies::{act, load, options};
use crate::{MODES, engine, is_alive, key};

#[tokio::test]
async fn texts_that_are_no_utf_8_cost_the_instance() {
    let mut attack = Attack::begin("invalid UTF-8");
    let engine = engine();
    for mode in MODES {
        let plugin = load(&engine, options(mode)).await;
        let error = act(&plugin, "text").await.expect_err("no text");
        assert_eq!(error.kind(), ErrorKind::Plugin, "{mode:?}: {}", error.chain());
        attack.reported(&error);
        for start in ["text", "text-next"] {
            let range = KeyRange { start: Key::new(start).unwrap().into_inner(), end: None };
            let error = plugin.scan(&Scan::new(range)).await.expect_err("no text");
            assert_eq!(error.kind(), ErrorKind::Plugin, "{mode:?} {start}: {}", error.chain());
            attack.reported(&error);
        }
        assert_eq!(act(&plugin, "env").await.unwrap(), "");
    }
    is_alive(&engine).await;
    attack.held();
}

#[tokio::test]
async fn lists_that_are_not_in_the_memory_or_claim_more_than_it_cost_the_instance() {
    let engine = engine();
    for (row, deed) in [("list outside the memory", "outside"), ("giant list", "giant")] {
        let mut attack = Attack::begin(row);
        for mode in MODES {
            let plugin = load(&engine, options(mode)).await;
            let error = plugin.get(&key(deed)).await.expect_err(deed);
            assert_eq!(error.kind(), ErrorKind::Plugin, "{mode:?}: {}", error.chain());
            attack.reported(&error);
            assert_eq!(act(&plugin, "env").await.unwrap(), "");
        }
        is_alive(&engine).await;
        attack.held();
    }
}

#[tokio::test]
async fn a_page_of_a_hundred_thousand_entries_is_refused() {
    let mut attack = Attack::begin("giant count of entries");
    let engine = engine();
    for mode in MODES {
        let plugin = load(&engine, options(mode)).await;
        let range = KeyRange { start: Key::new("count").unwrap().into_inner(), end: None };
        let error = plugin.scan(&Scan::new(range).limit(10)).await.expect_err("more than asked for");
        assert_eq!(error.kind(), ErrorKind::Plugin, "{mode:?}: {}", error.chain());
        attack.reported(&error);
        assert_eq!(act(&plugin, "env").await.unwrap(), "");
    }
    is_alive(&engine).await;
    attack.held();
}
