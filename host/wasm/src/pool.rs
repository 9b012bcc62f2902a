//! The instances of one generation, and who may call one now.
//!
//! Inline: a few slots behind plain mutexes; a thread goes to the slot that it used last, so that an instance stays near its
//! thread's cache. The mutex is held for the call itself, which never waits.
//!
//! Fiber: idle instances on a stack and as many permits as there may be instances; a call owns its instance
//! while it waits.
//!
//! Both can be *paused* (new calls wait, the ones in flight end) and then opened again or *closed* (callers
//! turn to the next generation).

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::instance::Instance;

/// Instances for inline calls.
pub(crate) struct InlinePool<X> {
    slots: Box<[Slot<X>]>,
    gate: AtomicU8,
    moved: Notify,
}

/// A place for an instance, on cache lines of its own: two threads that lock neighbours must not slow each other.
#[repr(align(128))]
struct Slot<X>(Mutex<Option<Box<Instance<X>>>>);

const OPEN: u8 = 0;
const PAUSED: u8 = 1;
const CLOSED: u8 = 2;

/// What a caller finds at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    Paused,
    Closed,
}

impl<X> InlinePool<X> {
    pub(crate) fn new(size: usize, first: Instance<X>) -> Self {
        let slots: Box<[Slot<X>]> = (0..size.max(1)).map(|_| Slot(Mutex::new(None))).collect();
        if let Some(slot) = slots.first() {
            *lock(&slot.0) = Some(Box::new(first));
        }
        Self { slots, gate: AtomicU8::new(OPEN), moved: Notify::new() }
    }

    /// A slot to call in, or none while the pool is paused or closed. The gate is looked at under the lock, so that no
    /// call begins after a pause has seen the slot free.
    #[inline]
    pub(crate) fn enter(&self) -> Option<MutexGuard<'_, Option<Box<Instance<X>>>>> {
        let slot = self.lock_any()?;
        (self.gate.load(Ordering::Acquire) == OPEN).then_some(slot)
    }

    #[inline]
    fn lock_any(&self) -> Option<MutexGuard<'_, Option<Box<Instance<X>>>>> {
        if let [only] = &*self.slots {
            return Some(lock(&only.0));
        }
        let home = home_slot() % self.slots.len();
        let (before, from_home) = self.slots.split_at_checked(home)?;
        for slot in from_home.iter().chain(before) {
            match slot.0.try_lock() {
                Ok(guard) => return Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        // All are computing, each within its budget: wait for the one that is nearest.
        from_home.first().map(|slot| lock(&slot.0))
    }

    pub(crate) fn gate(&self) -> Gate {
        match self.gate.load(Ordering::Acquire) {
            OPEN => Gate::Open,
            PAUSED => Gate::Paused,
            _ => Gate::Closed,
        }
    }

    /// Waits until the gate is no longer paused. Cancel safe.
    pub(crate) async fn unpaused(&self) {
        loop {
            let moved = self.moved.notified();
            if self.gate() != Gate::Paused {
                return;
            }
            moved.await;
        }
    }

    /// Stops new calls and takes out the instances, waiting for each slot's call to end. Blocks the thread for as
    /// long as the longest of them.
    pub(crate) fn pause_blocking(&self) -> Vec<Box<Instance<X>>> {
        self.gate.store(PAUSED, Ordering::Release);
        self.slots.iter().filter_map(|slot| lock(&slot.0).take()).collect()
    }

    /// Lets calls in again, into this instance if there is one.
    pub(crate) fn open(&self, instance: Option<Instance<X>>) {
        if let Some(slot) = self.slots.first() {
            *lock(&slot.0) = instance.map(Box::new);
        }
        self.gate.store(OPEN, Ordering::Release);
        self.moved.notify_waiters();
    }

    /// Sends callers to the next generation and drops the instances. Blocks as [`Self::pause_blocking`] does.
    pub(crate) fn close_blocking(&self) {
        drop(self.pause_blocking());
        self.gate.store(CLOSED, Ordering::Release);
        self.moved.notify_waiters();
    }
}

/// A panic in a call leaves an instance that may be half way: the guard's owner marks such an instance as trapped
/// before it calls, so the data behind a poisoned lock is sound.
fn lock<T>(slot: &Mutex<T>) -> MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number per thread, so that threads spread over the slots.
#[inline]
fn home_slot() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static HOME: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    let home = HOME.get();
    if home != usize::MAX {
        return home;
    }
    let home = NEXT.fetch_add(1, Ordering::Relaxed);
    HOME.set(home);
    home
}

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
