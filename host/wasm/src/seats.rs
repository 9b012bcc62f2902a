//! The instances of an inline plugin, and who may call one now.
//!
//! A plugin has a few slots, each behind a plain mutex that is held for the call itself, which never waits. A thread goes to
//! the slot that it used last, so that an instance stays near its thread's cache.
//!
//! What a slot holds is a [`Seat`]: an instance *with* the number and the description of its generation. So a call needs
//! nothing but its slot: it compares the number with the one that serves, a word that threads only read, and touches
//! nothing that another thread writes. The slots outlive a swap, which changes that word; seats of another
//! generation are then refused and dropped. The one invariant: the word is looked at under the slot's lock, so once a
//! swap has changed it and then had every lock, no call of the old generation is under way.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard, TryLockError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use larder_core::{Error, ErrorKind, Result};
use tokio::sync::Notify;

use crate::{
    instance::{Exports, Instance},
    job::{Caller, Job},
    queue::Queue,
    request::Request,
    supervision::Attention,
};

/// Stands for the number of a generation while a swap keeps callers waiting. Generations count from 1.
const HELD: u64 = 0;

/// The slots of an inline plugin.
pub(crate) struct Seats<X: Exports> {
    slots: Box<[Slot<X>]>,
    /// The number of the generation that serves, or [`HELD`].
    serving: AtomicU64,
    /// How many slots that generation uses, from the first on.
    width: AtomicUsize,
    moved: Notify,
    attention: Arc<Attention>,
    /// Those who wait for a slot, and while a swap keeps them waiting.
    pub(crate) queue: Arc<Queue>,
}

/// A place for an instance, on cache lines of its own: two threads that lock neighbours must not slow each other.
#[repr(align(128))]
struct Slot<X: Exports> {
    seat: Mutex<Option<Box<Seat<X>>>>,
    /// Calls that were made here. Written under the lock alone, so that counting costs no more than adding.
    calls: AtomicU64,
}

/// An instance that can be called without asking anybody else.
pub(crate) struct Seat<X: Exports> {
    /// The number of its generation.
    pub(crate) number: u64,
    /// What its generation says of itself.
    pub(crate) about: X::Description,
    pub(crate) instance: Instance<X>,
}

impl<X: Exports> Seat<X> {
    /// Runs a request on this thread. Says whether the instance can be called again.
    #[inline]
    pub(crate) fn call<R: Request<X>>(&mut self, request: &mut R) -> (Result<R::Output>, bool) {
        if let Err(refused) = request.fits(&self.about) {
            return (Err(refused), true);
        }
        let answer = self.instance.request_now(request);
        self.instance.finish(request, answer, &self.about)
    }
}

impl<X: Exports> Seat<X> {
    /// Runs a job on this thread. Says whether the instance can be called again.
    pub(crate) fn run<J: Job<X>>(&mut self, job: J) -> (Result<J::Output>, bool) {
        // No call of an inline plugin waits, so the limit is never asked for, and the job is done at the first poll.
        let mut caller = Caller::new(&mut self.instance, &self.about, Duration::MAX);
        let output = job
            .run(&mut caller)
            .now_or_never()
            .unwrap_or_else(|| Err(Error::new(ErrorKind::Plugin, "a call of an inline plugin waited")));
        (output, caller.keeps_instance())
    }
}

impl<X: Exports> Seats<X> {
    /// So many slots, all empty, and no generation that serves.
    pub(crate) fn new(slots: usize, queue: Arc<Queue>, attention: Arc<Attention>) -> Self {
        let slot = |_| Slot { seat: Mutex::new(None), calls: AtomicU64::new(0) };
        Self {
            slots: (0..slots.max(1)).map(slot).collect(),
            serving: AtomicU64::new(HELD),
            width: AtomicUsize::new(1),
            moved: Notify::new(),
            attention,
            queue,
        }
    }

    /// Runs a request on this thread, if the slot that it comes to has an instance of the generation that serves, and nobody
    /// wants to look closer. Else nothing was done, and the generation itself has to be asked.
    #[inline]
    pub(crate) fn call<R: Request<X>>(&self, request: &mut R) -> Option<Result<R::Output>> {
        let (slot, mut held) = self.lock_any(self.width.load(Ordering::Relaxed))?;
        // After the lock: whoever waited for it may have waited for the call that failed.
        if !self.attention.is_clear() {
            return None;
        }
        let seat = held.as_mut().filter(|seat| self.serves(seat.number))?;
        slot.count();
        let (output, keep) = seat.call(request);
        if !keep {
            *held = None;
        }
        Some(output)
    }

    /// Lets `run` have a seat of the generation of this number, that uses `width` slots; `fill` makes one for an empty slot.
    /// What `run` says besides is whether the seat can be used again. None where another generation serves, or none.
    pub(crate) fn enter<T>(
        &self,
        number: u64,
        width: usize,
        fill: impl FnOnce() -> Result<Box<Seat<X>>>,
        run: impl FnOnce(&mut Seat<X>) -> (Result<T>, bool),
    ) -> Option<Result<T>> {
        let Some((slot, mut held)) = self.lock_any(width) else { return Some(Err(self.queue.full())) };
        // A seat of an earlier generation goes now, and not when its slot is looked at by the swap.
        let own = held.take_if(|_| self.serves(number)).filter(|seat| seat.number == number);
        self.serves(number).then(|| {
            slot.count();
            use_seat(&mut held, own, fill, run)
        })
    }

    /// Whether the generation of this number serves.
    #[inline]
    pub(crate) fn serves(&self, number: u64) -> bool {
        self.serving.load(Ordering::Acquire) == number
    }

    /// Whether a swap keeps callers waiting.
    pub(crate) fn is_held(&self) -> bool {
        self.serves(HELD)
    }

    /// A slot, and what it holds. None where all are computing and as many threads wait as may.
    #[inline]
    fn lock_any(&self, width: usize) -> Option<(&Slot<X>, Held<'_, X>)> {
        let slots = self.slots.get(..width).unwrap_or(&self.slots);
        if let [only] = slots {
            return only.try_lock().map(|held| (only, held)).or_else(|| self.wait_for(only));
        }
        let (before, from_home) = slots.split_at_checked(home_slot() % slots.len().max(1))?;
        for slot in from_home.iter().chain(before) {
            if let Some(held) = slot.try_lock() {
                return Some((slot, held));
            }
        }
        // All are computing, each within its budget: wait for the one that is nearest.
        from_home.first().and_then(|nearest| self.wait_for(nearest))
    }

    #[cold]
    fn wait_for<'s>(&self, slot: &'s Slot<X>) -> Option<(&'s Slot<X>, Held<'s, X>)> {
        let _place = self.queue.enter()?;
        Some((slot, slot.lock()))
    }

    /// How many calls were made here, how many instances are there, and how many of them are in a call.
    pub(crate) fn look(&self) -> (u64, usize, usize) {
        let (mut calls, mut live, mut busy) = (0, 0, 0);
        for slot in &self.slots {
            calls += slot.calls.load(Ordering::Relaxed);
            match slot.try_lock() {
                Some(held) => live += usize::from(held.is_some()),
                None => (live, busy) = (live + 1, busy + 1),
            }
        }
        (calls, live, busy)
    }

    /// Lets calls go to the generation of this number, that uses `width` slots.
    pub(crate) fn serve(&self, number: u64, width: usize) {
        self.width.store(width, Ordering::Relaxed);
        self.serving.store(number, Ordering::Release);
        self.moved.notify_waiters();
    }

    /// Keeps new calls waiting, whatever their generation.
    pub(crate) fn hold(&self) {
        self.serving.store(HELD, Ordering::Release);
    }

    /// Waits until a generation serves. Cancel safe.
    pub(crate) async fn served(&self) {
        loop {
            let moved = self.moved.notified();
            if !self.is_held() {
                return;
            }
            moved.await;
        }
    }

    /// Takes out the instances of one generation, waiting for each slot's call to end. Blocks the thread for as long as
    /// the longest of them.
    pub(crate) fn take_all_blocking(&self, number: u64) -> Vec<Box<Seat<X>>> {
        self.slots.iter().filter_map(|slot| slot.lock().take_if(|seat| seat.number == number)).collect()
    }
}

/// What a slot holds, while nobody else can have it.
type Held<'s, X> = MutexGuard<'s, Option<Box<Seat<X>>>>;

impl<X: Exports> Slot<X> {
    /// Counts a call; the slot's lock is held.
    #[inline]
    fn count(&self) {
        self.calls.store(self.calls.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    #[inline]
    fn lock(&self) -> Held<'_, X> {
        self.seat.lock().unwrap_or_else(|poisoned| self.emptied(poisoned.into_inner()))
    }

    #[inline]
    fn try_lock(&self) -> Option<Held<'_, X>> {
        match self.seat.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(self.emptied(poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The host panicked in a call: the instance may be half way through it, and is dropped.
    #[cold]
    fn emptied<'a>(&'a self, mut guard: Held<'a, X>) -> Held<'a, X> {
        *guard = None;
        self.seat.clear_poison();
        guard
    }
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

/// The seats that a generation keeps for itself: those that are warm before it serves, until a slot takes them; and those
/// that answer what a swap left to the old generation, its streams and what is repeated in it.
pub(crate) struct Aside<X: Exports>(Mutex<Spare<X>>);

struct Spare<X: Exports> {
    seats: Vec<Box<Seat<X>>>,
    is_closed: bool,
}

impl<X: Exports> Aside<X> {
    pub(crate) fn new(first: Box<Seat<X>>) -> Self {
        Self(Mutex::new(Spare { seats: vec![first], is_closed: false }))
    }

    pub(crate) fn take(&self) -> Option<Box<Seat<X>>> {
        self.lock().seats.pop()
    }

    /// Keeps more seats; a generation that is closed drops them.
    pub(crate) fn put(&self, seats: impl IntoIterator<Item = Box<Seat<X>>>) {
        let mut spare = self.lock();
        if !spare.is_closed {
            spare.seats.extend(seats);
        }
    }

    /// Drops the seats, once the call of one has ended, and takes no more calls.
    pub(crate) fn close_blocking(&self) {
        *self.lock() = Spare { seats: Vec::new(), is_closed: true };
    }

    /// As [`Seats::enter`]; none where the generation is closed.
    pub(crate) fn enter<T>(
        &self,
        fill: impl FnOnce() -> Result<Box<Seat<X>>>,
        run: impl FnOnce(&mut Seat<X>) -> (Result<T>, bool),
    ) -> Option<Result<T>> {
        let mut spare = self.lock();
        if spare.is_closed {
            return None;
        }
        let mut slot = None;
        let own = spare.seats.pop();
        let done = use_seat(&mut slot, own, fill, run);
        spare.seats.extend(slot);
        Some(done)
    }

    fn lock(&self) -> MutexGuard<'_, Spare<X>> {
        self.0.lock().unwrap_or_else(|poisoned| {
            // The instance that was in the middle of a call was taken out for it, and is gone.
            self.0.clear_poison();
            poisoned.into_inner()
        })
    }
}

fn use_seat<X: Exports, T>(
    slot: &mut Option<Box<Seat<X>>>,
    own: Option<Box<Seat<X>>>,
    fill: impl FnOnce() -> Result<Box<Seat<X>>>,
    run: impl FnOnce(&mut Seat<X>) -> (Result<T>, bool),
) -> Result<T> {
    let seat = slot.insert(own.map_or_else(fill, Ok)?);
    let (output, keep) = run(seat);
    if !keep {
        *slot = None;
    }
    output
}
