//! The scripts, each one atomic step on the server. They are sent by their digest, and whole where the server does not
//! know them (it was restarted, failed over, or told to forget them).

use redis::Script;

/// What all scripts share.
const REFUSAL: &str = include_str!("scripts/refusal.lua");

/// What ends each script: an error of the server is the script's answer, with the code that it had.
const ENDING: &str = "\nend\n\
    local done, answer = pcall(main)\n\
    if refusal then return refusal end\n\
    if done then return answer end\n\
    error(answer)\n";

/// A script and its digest.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) code: String,
    pub(super) digest: String,
}

/// All scripts of a store.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) commit: Prepared,
    pub(super) put: Prepared,
    pub(super) read: Prepared,
    pub(super) scan: Prepared,
    pub(super) index: Prepared,
    pub(super) sweep: Prepared,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            commit: prepare(include_str!("scripts/commit.lua")),
            put: digested([REFUSAL, include_str!("scripts/put.lua")].concat()),
            read: prepare(include_str!("scripts/read.lua")),
            scan: prepare(include_str!("scripts/scan.lua")),
            index: prepare(include_str!("scripts/index.lua")),
            sweep: prepare(include_str!("scripts/sweep.lua")),
        }
    }
}

fn prepare(body: &str) -> Prepared {
    digested([REFUSAL, include_str!("scripts/entry.lua"), "\nlocal function main()\n", body, ENDING].concat())
}

fn digested(code: String) -> Prepared {
    let digest = Script::new(&code).get_hash().to_owned();
    Prepared { code, digest }
}
