//! A small fetcher, and how it is tested: `tests/fetcher.rs` holds it against faults, crashes and swaps with
//! `larder::testing`. The chapter that goes with it is below.
//!
//! Its promise: each page is fetched until it is kept, and counted once, whatever the stores do. The page itself is a
//! blob; after it one commit says that the page is done, and counts it.
#![doc = include_str!("../../../docs/testing.md")]

use std::time::Duration;

use larder::{Blobs, Error, ErrorKind, Host, Kv, Result};

/// How often a page is tried before the fetcher gives up.
pub const TRIES_MAX: u32 = 4;
/// How long it waits before it tries again, unless the store says how long.
pub const WAIT: Duration = Duration::from_secs(10);
/// How long a page is not fetched again.
pub const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// A fetcher over the stores `state` and `storage` of a host.
#[derive(Debug)]
pub struct Fetcher<W> {
    state: Kv,
    pages: Blobs,
    web: W,
}

impl<W: Fn(&str) -> String> Fetcher<W> {
    /// A fetcher that asks `web` for pages.
    ///
    /// # Errors
    /// `config` where the host lacks one of the stores.
    pub fn new(host: &Host, web: W) -> Result<Self> {
        Ok(Self { state: host.kv("state")?, pages: host.blobs("storage")?, web })
    }

    /// Fetches what is not fresh, and answers how many pages it has fetched in all its life.
    ///
    /// # Errors
    /// Those of the stores that do not pass, or do not pass soon enough.
    pub async fn run(&self, paths: &[&str]) -> Result<u64> {
        for path in paths {
            self.fetch(path).await?;
        }
        Ok(self.state.get("count").await?.unwrap_or(0))
    }

    async fn fetch(&self, path: &str) -> Result<()> {
        for _ in 1..TRIES_MAX {
            match self.try_to_fetch(path).await {
                Err(error) if passes(&error) => {
                    tokio::time::sleep(error.retry_after_hint().unwrap_or(WAIT)).await;
                }
                done => return done,
            }
        }
        self.try_to_fetch(path).await
    }

    /// Whether a write of unknown effect was done is looked up before it is tried again.
    async fn try_to_fetch(&self, path: &str) -> Result<()> {
        let done = format!("done/{path}");
        if self.state.exists(&done).await? {
            return Ok(());
        }
        let page = (self.web)(path);
        // The page first: what says that it is there comes after it.
        self.pages.put(path, page).await?;
        let counted =
            self.state.commit().if_absent(&done).set_with_ttl(&done, &true, FRESH).increment("count", 1);
        match counted.run().await {
            // Another fetcher was faster.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            counted => counted.map(drop),
        }
    }
}

fn passes(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}
