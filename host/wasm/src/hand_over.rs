//! Calls that outlive their callers: on the runtime, or on a thread of their own.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::FutureExt as _;
use larder_core::{Error, ErrorKind, Result};
use tokio_util::task::TaskTracker;

/// Runs work that may hold its thread, because it reads and syncs files, on a thread where that hurts nobody. The
/// work ends by itself, also where the caller goes away or does not wait longer than `limit`. (Sending the work there costs
/// about as much as one file operation that does the same by itself; a call makes many.)
pub(crate) async fn on_a_thread<T: Send + 'static>(
    limit: Duration,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let runtime = tokio::runtime::Handle::current();
    let running = tokio::task::spawn_blocking(move || runtime.block_on(work));
    match tokio::time::timeout(limit, running).await {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => lost(error),
        Err(_) => Err(Error::new(ErrorKind::Timeout, format!("the plugin did not answer within {limit:?}"))),
    }
}

/// The answer of a call whose thread gave none.
pub(crate) fn lost<T>(error: tokio::task::JoinError) -> Result<T> {
    Err(Error::new(ErrorKind::Timeout, "the call was lost: its thread panicked or the runtime ended")
        .caused_by(error))
}

/// A call whose caller may go away: then it ends in the background, within its deadline, and its instance lives.
pub(crate) struct HandOver<T: Send + 'static> {
    pub(crate) work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    pub(crate) tasks: TaskTracker,
}

impl<T: Send + 'static> Future for HandOver<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let output = std::task::ready!(work.as_mut().poll(context));
        self.work = None;
        Poll::Ready(output)
    }
}

impl<T: Send + 'static> Drop for HandOver<T> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.work.take(), tokio::runtime::Handle::try_current()) {
            self.tasks.spawn_on(work.map(drop), &runtime);
        }
    }
}
