//! Calls whose callers go away.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::FutureExt as _;
use tokio_util::task::TaskTracker;

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
