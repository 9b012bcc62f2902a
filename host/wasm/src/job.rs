//! Requests that run one after the other in one instance, without letting it go in between.

use std::{task::Poll, time::Duration};

use larder_core::{Effect, Error, ErrorKind, Result};

use crate::{
    engine::TICK,
    instance::{Access, Exports, Instance},
    request::Request,
    usage::Usage,
};

/// One request, or several that belong together. A plugin with a folder runs a job on a blocking thread, so what needs
/// several calls pays one trip.
pub(crate) trait Job<X: Exports>: Send + 'static {
    /// What the caller gets.
    type Output: Send + 'static;
    /// Named in errors.
    const OPERATION: &'static str;
    /// Whether a failure leaves open if something was written.
    const ACCESS: Access;
    /// How many calls it makes at most: each may take the plugin's whole deadline.
    const CALLS_MAX: u32;

    /// As of [`Request::fits`].
    fn fits(&self, about: &X::Description) -> Result<()>;
    /// As of [`Request::again`].
    fn again(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
    /// As of [`Request::probe`].
    fn probe(&self) -> Option<X::Probe> {
        None
    }
    /// Makes the calls.
    fn run(self, caller: &mut Caller<'_, X>) -> impl Future<Output = Result<Self::Output>> + Send;
}

impl<X: Exports, R: Request<X> + 'static> Job<X> for R {
    type Output = R::Output;
    const OPERATION: &'static str = R::OPERATION;
    const ACCESS: Access = R::ACCESS;
    const CALLS_MAX: u32 = 1;

    fn fits(&self, about: &X::Description) -> Result<()> {
        Request::fits(self, about)
    }

    fn again(&self) -> Option<Self> {
        Request::again(self)
    }

    fn probe(&self) -> Option<X::Probe> {
        Request::probe(self)
    }

    async fn run(mut self, caller: &mut Caller<'_, X>) -> Result<R::Output> {
        caller.call(&mut self).await
    }
}

/// An instance, for the time of a job.
pub(crate) struct Caller<'i, X: Exports> {
    instance: &'i mut Instance<X>,
    about: &'i X::Description,
    deadline: Duration,
    keep: bool,
}

impl<'i, X: Exports> Caller<'i, X> {
    pub(crate) fn new(instance: &'i mut Instance<X>, about: &'i X::Description, deadline: Duration) -> Self {
        Self { instance, about, deadline, keep: true }
    }

    /// Runs a request, within the deadline, and checks its answer.
    pub(crate) async fn call<R: Request<X> + 'static>(&mut self, request: &mut R) -> Result<R::Output> {
        if !self.keep {
            return Err(Error::new(ErrorKind::Plugin, "the instance failed in the call before"));
        }
        // Unless the call ends and says otherwise: one that is dropped half way leaves an instance that can't be used.
        self.keep = false;
        let answer = {
            let mut call = std::pin::pin!(self.instance.request(request));
            match futures::poll!(&mut call) {
                Poll::Ready(answer) => Some(answer),
                // A little longer than the guest's own ticks, so that a guest that computes is told from one that waits.
                Poll::Pending => tokio::time::timeout(self.deadline + 4 * TICK, call).await.ok(),
            }
        };
        let Some(answer) = answer else {
            let error = late(self.deadline, R::ACCESS);
            self.instance.late(&error);
            return Err(error);
        };
        let (output, keep) = self.instance.finish(request, answer, self.about);
        self.keep = keep;
        output
    }

    /// The time, as the instance sees it.
    pub(crate) fn clock_now(&self) -> larder_core::Timestamp {
        self.instance.clock_now()
    }

    /// What the instance holds now; calls nothing.
    pub(crate) fn usage(&mut self) -> Usage {
        self.instance.usage()
    }

    /// Whether the instance can be called again.
    pub(crate) fn keeps_instance(&self) -> bool {
        self.keep
    }
}

/// The instance is dropped with its fiber in the middle of a call.
fn late(deadline: Duration, access: Access) -> Error {
    let effect = if access == Access::Writes { Effect::Unknown } else { Effect::None };
    Error::new(ErrorKind::Timeout, format!("the plugin did not answer within {deadline:?}")).effect(effect)
}
