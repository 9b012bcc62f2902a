//! The life of a host's process, for tests that end it.
//!
//! Every backend of a host under test stands behind it. Once the process has crashed, no call of it reaches a backend any
//! more, however late it comes: handles and tasks of a real process would be gone.

use std::fmt;

use larder_core::{BoxFuture, Error, ErrorKind};
use tokio::sync::watch;

use super::{
    answer::Answer,
    call::Call,
    passage::{Verdict, Watch},
};

/// A process, while it lives and after.
pub(super) struct Life(watch::Sender<State>);

#[derive(Default)]
struct State {
    /// Calls that have come and not ended.
    inside: usize,
    is_over: bool,
}

impl Life {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(State::default()))
    }

    /// Ends it. When this returns, what a backend was doing is done, and nothing is done any more. Cancel safe: ended
    /// it is at the first poll.
    pub(super) async fn crash(&self) {
        self.0.send_modify(|state| state.is_over = true);
        if self.0.subscribe().wait_for(|state| state.inside == 0).await.is_err() {
            // It has its own sender, so that it can't be closed.
            std::future::pending::<()>().await;
        }
    }
}

impl Watch for Life {
    /// Not shown: the backend is what stands behind it.
    fn name(&self) -> &'static str {
        ""
    }

    fn begin(&self, _: &Call) -> usize {
        // Counted before the question whether it is over: who got past that is waited for.
        self.0.send_modify(|state| state.inside += 1);
        0
    }

    fn decide<'a>(&'a self, _: &'a Call) -> BoxFuture<'a, Verdict> {
        let verdict = match self.0.borrow().is_over {
            true => Verdict::Refuse(Error::new(
                ErrorKind::Unavailable,
                "the process of this host crashed in the test; use the host that was opened after it",
            )),
            false => Verdict::Pass,
        };
        Box::pin(std::future::ready(verdict))
    }

    fn end(&self, _: usize, _: Answer) {
        self.0.send_modify(|state| state.inside -= 1);
    }
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.0.borrow().is_over { "over" } else { "going on" };
        write!(f, "Life({word})")
    }
}
