//! Bounds the time of one attempt. A read that took too long changed nothing; of a write nobody knows.

use std::{fmt, sync::Arc, task::Poll, time::Duration};

use larder_core::{
    BoxFuture, Commit, Description, Effect, Entry, Error, ErrorKind, Key, KvStore, Outcome, Page, Result,
    Scan,
};

use crate::config::show_duration;

/// A store whose attempts end.
#[derive(Debug)]
pub(crate) struct Timed {
    next: Arc<dyn KvStore>,
    attempt_max: Duration,
}

impl Timed {
    pub(crate) fn new(next: Arc<dyn KvStore>, attempt_max: Duration) -> Self {
        Self { next, attempt_max }
    }

    async fn within<T>(&self, effect: Effect, mut call: BoxFuture<'_, Result<T>>) -> Result<T> {
        // Most calls are answered at once; those need no timer.
        if let Poll::Ready(answer) = futures::poll!(&mut call) {
            return answer;
        }
        tokio::time::timeout(self.attempt_max, call).await.unwrap_or_else(|_| {
            let message = format!("no answer within {}", show_duration(self.attempt_max));
            Err(Error::new(ErrorKind::Timeout, message).effect(effect))
        })
    }
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl KvStore for Timed {
    fn describe(&self) -> Description {
        self.next.describe()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(self.within(Effect::None, self.next.get(key)))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(self.within(Effect::None, self.next.get_many(keys)))
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(self.within(Effect::None, self.next.scan(scan)))
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(self.within(Effect::Unknown, self.next.commit(commit)))
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.within(Effect::None, self.next.health()))
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timeout({}, {})", show_duration(self.attempt_max), self.next)
    }
}
