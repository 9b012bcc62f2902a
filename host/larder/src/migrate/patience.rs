//! Waiting for a store that is away: a migration may run for hours, and a server that starts again meanwhile is no reason
//! to end it. Beyond what the store's own retries do.

use std::time::Duration;

use larder_core::{Error, ErrorKind, KvStore, Page, Result, Scan};

/// How often something is done again: with the waits, for about a minute.
const REPETITIONS: u32 = 6;
/// The first wait; doubled before each further repetition.
const WAIT: Duration = Duration::from_secs(1);

/// What is left of the patience with one operation, which must be one that can be repeated.
#[derive(Default)]
pub(super) struct Patience {
    repetitions: u32,
}

impl Patience {
    /// Waits where the store may be back then.
    ///
    /// # Errors
    /// The error itself, where it is no such case or this has gone on for long enough.
    pub(super) async fn wait(&mut self, error: Error) -> Result<()> {
        if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) {
            return Err(error);
        }
        self.wait_anyway(error).await
    }

    /// The same for whatever kind of error.
    pub(super) async fn wait_anyway(&mut self, error: Error) -> Result<()> {
        if self.repetitions == REPETITIONS {
            return Err(error);
        }
        tracing::warn!("this is tried again: {}", error.chain());
        tokio::time::sleep(WAIT.saturating_mul(1 << self.repetitions)).await;
        self.repetitions += 1;
        Ok(())
    }
}

/// Reads a page, and waits for the store where it is away.
pub(super) async fn scan(store: &dyn KvStore, scan: &Scan) -> Result<Page> {
    let mut patience = Patience::default();
    loop {
        match store.scan(scan).await {
            Ok(page) => return Ok(page),
            Err(error) => patience.wait(error).await?,
        }
    }
}
