//! A fetcher that keeps its state by `wasi:keyvalue`, of both drafts, and its pages by `wasi:blobstore`.
//!
//! It imports what only a host has, so there is nothing of it on another target.
#![cfg(target_arch = "wasm32")]

mod blobs;
mod first;
mod second;

mod fetcher {
    wit_bindgen::generate!({
        path: ["../kv-wasi-draft/wit", "../kv-wasi-draft2/wit", "../blob-wasi/wit", "wit"],
        world: "test:fetch/fetcher",
        generate_all,
    });
}

struct Fetcher;

impl fetcher::Guest for Fetcher {
    fn run(what: String, store: String) -> Result<String, String> {
        match what.as_str() {
            "first" => first::visit(&store),
            "second" => second::visit(&store),
            "second-list" => second::list(&store),
            "second-race" => second::race(&store),
            "page" => blobs::page(&store),
            "unfinished" => blobs::unfinished(&store),
            "unnamed" => blobs::unnamed(&store),
            "hoard" => blobs::hoard(&store),
            other => Err(format!("there is nothing like `{other}`")),
        }
    }
}

#[expect(unsafe_code, reason = "what the generated macro expands to")]
mod exported {
    use super::{Fetcher, fetcher};

    fetcher::export!(Fetcher with_types_in fetcher);
}
