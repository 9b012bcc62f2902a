//! The instances of one generation that is called on fibers: idle ones on a stack, and as many permits as there may be
//! instances. A call owns its instance while it waits.
//!
//! A pool can be *paused* (new calls wait, the ones in flight end) and then goes on, or is *closed* (callers turn to
//! the next generation).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::instance::Instance;

/// Instances for calls on fibers.
pub(crate) struct FiberPool<X> {
    idle: Mutex<Vec<Box<Instance<X>>>>,
    permits: Arc<Semaphore>,
    size: u32,
}

impl<X> FiberPool<X> {
    pub(crate) fn new(size: usize, first: Instance<X>) -> Self {
        let size = u32::try_from(size.max(1)).unwrap_or(u32::MAX);
        Self {
            idle: Mutex::new(vec![Box::new(first)]),
            permits: Arc::new(Semaphore::new(size as usize)),
            size,
        }
    }

    /// The right to use an instance, if one is free now and nobody waits for it.
    pub(crate) fn try_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// The right to use an instance; none once the pool is closed. Cancel safe.
    pub(crate) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// How many instances are there, and how many of them are in a call.
    pub(crate) fn look(&self) -> (usize, usize) {
        let busy = (self.size as usize).saturating_sub(self.permits.available_permits());
        (lock(&self.idle).len() + busy, busy)
    }

    pub(crate) fn size(&self) -> usize {
        self.size as usize
    }

    pub(crate) fn take(&self) -> Option<Box<Instance<X>>> {
        lock(&self.idle).pop()
    }

    pub(crate) fn give_back(&self, instance: Box<Instance<X>>) {
        lock(&self.idle).push(instance);
    }

    /// Waits for the calls in flight; new ones wait behind it. Cancel safe: a pause given up lets the calls go on.
    pub(crate) async fn pause(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_many_owned(self.size).await.ok()
    }

    pub(crate) fn take_all(&self) -> Vec<Box<Instance<X>>> {
        std::mem::take(&mut *lock(&self.idle))
    }

    /// Sends callers to the next generation; calls in flight end by themselves.
    pub(crate) fn close(&self) {
        self.permits.close();
        drop(self.take_all());
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }
}

/// The stack of idle instances is whole whoever panicked: an instance in a call is not on it.
fn lock<T>(idle: &Mutex<T>) -> MutexGuard<'_, T> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
