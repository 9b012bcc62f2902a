//! The way of one call through a tool: what the tool decides, when the store is asked, what is told at the end.
//!
//! Written once, for entries and blobs alike, so that a tool is no store itself and forgets no operation. The invariant:
//! a call is answered whole, by the store or by an error; an answer is never torn.

use std::{fmt, future::Future};

use larder_core::{BoxFuture, Error};

use super::{answer::Answer, call::Call};

/// What a tool decides of a call.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The store is asked, and its answer is the answer.
    Pass,
    /// The store is not asked; this is the answer.
    Refuse(Error),
    /// The store is asked, and its answer is lost: this is the answer. What fails in the store is told as it is.
    Lose(Error),
}

/// Something that stands in front of a store.
pub(super) trait Watch: fmt::Debug + Send + Sync + 'static {
    /// What it is called in `Display` of the stack.
    fn name(&self) -> &'static str;

    /// A call has come. The number is handed back at its end.
    fn begin(&self, _call: &Call) -> usize {
        0
    }

    /// What is to become of it; may take its time.
    fn decide<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, Verdict> {
        Box::pin(std::future::ready(Verdict::Pass))
    }

    /// The store has answered, and the caller has not heard of it yet.
    fn before_answer<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// What the caller was told.
    fn end(&self, _number: usize, _answer: Answer) {}
}

/// A call that has begun; dropped before its end, the caller did not wait for it.
struct Begun<'a> {
    watch: &'a dyn Watch,
    number: usize,
    is_over: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.watch.end(self.number, Answer::Dropped);
        }
    }
}

/// Leads a call through. `fail` makes the tool's error one of the store's kind, `show` says what was answered.
pub(super) async fn through<T, E>(
    watch: &dyn Watch,
    call: &Call,
    ask: impl Future<Output = Result<T, E>>,
    fail: impl Fn(Error) -> E,
    show: impl FnOnce(&Result<T, E>) -> Answer,
) -> Result<T, E> {
    let mut begun = Begun { watch, number: watch.begin(call), is_over: false };
    let answer = match watch.decide(call).await {
        Verdict::Refuse(error) => Err(fail(error)),
        Verdict::Pass => ask.await,
        Verdict::Lose(error) => ask.await.and_then(|_| Err(fail(error))),
    };
    watch.before_answer(call).await;
    begun.is_over = true;
    watch.end(begun.number, show(&answer));
    answer
}
