//! How many callers may wait for an instance of a plugin. Whoever would be one too many is told so at once: a queue that only
//! grows answers nobody.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use larder_core::{Error, ErrorKind};

/// When a caller who found the queue full may ask again: a queue moves within a few calls, whose length nobody knows.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// The callers of one plugin that wait, over all its generations.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// A place in the queue, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place<'q>(&'q Queue);

impl Queue {
    pub(crate) fn new(waiting_max: usize) -> Self {
        Self { waiting: AtomicUsize::new(0), waiting_max }
    }

    /// Takes a place, unless all are taken.
    pub(crate) fn enter(&self) -> Option<Place<'_>> {
        let place = |waiting: usize| (waiting < self.waiting_max).then_some(waiting + 1);
        let entered = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, place);
        entered.is_ok().then(|| Place(self))
    }

    /// How many wait now.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many may wait.
    pub(crate) fn waiting_max(&self) -> usize {
        self.waiting_max
    }

    /// What a caller is told for whom there is no place.
    #[cold]
    pub(crate) fn full(&self) -> Error {
        let message = format!(
            "all instances of the plugin are busy, and as many callers wait as may (`limits.queue`: {})",
            self.waiting_max
        );
        Error::new(ErrorKind::Unavailable, message).retry_after(RETRY_AFTER)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_left_is_free_for_the_next() {
        let queue = Queue::new(2);
        let (first, second) = (queue.enter(), queue.enter());
        assert!(first.is_some() && second.is_some() && queue.enter().is_none());
        drop(first);
        assert!(queue.enter().is_some());
        assert_eq!(queue.waiting(), 1);
        assert!(queue.full().retry_after_hint().is_some());
    }

    #[test]
    fn where_nobody_may_wait_nobody_does() {
        assert!(Queue::new(0).enter().is_none());
    }
}
