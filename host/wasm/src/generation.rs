//! One generation of a plugin: a compiled component, its instances, and how a job runs in one of them.

use std::{sync::Arc, task::Poll, time::Duration};

use futures::FutureExt as _;

use larder_core::{Effect, Error, ErrorKind, Result};
use tokio::{
    sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock},
    task::JoinHandle,
};
use tokio_util::task::TaskTracker;

use crate::{
    engine::{Engine, TICK},
    hand_over::{HandOver, on_a_thread},
    instance::{Access, Exports, Instance},
    job::{Caller, Job},
    lift::Linked,
    options::PluginOptions,
    pool::FiberPool,
    prepared::{Prepared, Style},
    queue::Queue,
    seats::{Aside, Seat, Seats},
    supervision::{Supervisor, Watched},
};

/// A component with its instances, serving or about to.
pub(crate) struct Generation<X: Exports> {
    pub(crate) number: u64,
    pub(crate) digest: String,
    pub(crate) source: String,
    pub(crate) description: X::Description,
    has_handoff: bool,
    engine: Arc<Engine>,
    pre: Linked,
    style: Style,
    options: Arc<PluginOptions>,
    next: Option<X::Next>,
    pool: Pool<X>,
    tasks: TaskTracker,
    /// Read by each stream of calls, written by who waits for their end.
    streams: Arc<RwLock<()>>,
    queue: Arc<Queue>,
    pub(crate) watched: Arc<Watched>,
}

/// What the pool of a generation looks like now.
pub(crate) struct Look {
    pub(crate) instances: usize,
    pub(crate) busy: usize,
    pub(crate) instances_max: usize,
    /// Of an inline plugin; those on fibers are counted by the plugin's tally.
    pub(crate) calls: u64,
}

/// What all generations of a plugin have in common.
pub(crate) struct Host<X: Exports> {
    pub(crate) engine: Arc<Engine>,
    pub(crate) options: Arc<PluginOptions>,
    /// What stands behind a layer.
    pub(crate) next: Option<X::Next>,
    /// The slots of a plugin that is called inline.
    pub(crate) seats: Option<Arc<Seats<X>>>,
    /// Who waits for an instance.
    pub(crate) queue: Arc<Queue>,
    pub(crate) supervisor: Supervisor,
}

enum Pool<X: Exports> {
    Inline(Inline<X>),
    Fiber(FiberPool<X>),
}

/// What a generation has of the plugin's slots.
struct Inline<X: Exports> {
    seats: Arc<Seats<X>>,
    /// How many of them it uses.
    width: usize,
    aside: Aside<X>,
}

impl<X: Exports> Inline<X> {
    /// Keeps new calls waiting and takes out an instance, once all calls have ended.
    fn pause_blocking(&self, number: u64) -> Option<Box<Seat<X>>> {
        self.seats.hold();
        let seated = self.seats.take_all_blocking(number);
        seated.into_iter().next().or_else(|| self.aside.take())
    }
}

impl<X: Exports> Generation<X> {
    /// Starts a first instance: configured, with what the earlier generation saved, healthy, described. Calls come to it
    /// once it serves.
    pub(crate) async fn start(
        host: &Host<X>,
        prepared: Prepared,
        number: u64,
        snapshot: Option<bytes::Bytes>,
    ) -> Result<Self> {
        let Host { engine, options, next, seats, queue, supervisor } = host;
        let Prepared { pre, style, digest, source, has_handoff } = prepared;
        let watched = supervisor.watch(&digest, engine.registry.record(&digest, options.clock.now()));
        let (deadline, threaded) = (options.limits.deadline, options.holds_its_thread());
        let starting = {
            let (engine, pre, options) = (Arc::clone(engine), pre.clone(), Arc::clone(options));
            let (next, watched) = (next.clone(), Arc::clone(&watched));
            async move {
                let mut first =
                    Instance::<X>::start(&engine, &pre, &options, style, next.as_ref(), &watched).await?;
                first.configure(&options.settings).await?;
                if let Some(snapshot) = snapshot {
                    first.restore(snapshot).await?;
                }
                first.health().await?;
                let description = X::describe(&mut first).await?;
                Ok((first, description))
            }
        };
        let started =
            if threaded { on_a_thread(deadline, starting).await } else { within(deadline, starting).await };
        let (first, description) = started
            .map_err(|e: Error| match e.context("plugin") {
                Some(_) => e,
                None => e.with("plugin", &options.name),
            })
            .map_err(|e| e.with("component", &source))?;
        let size = if X::is_one(&description) { 1 } else { options.limits.instances_max };
        let pool = match (style, seats) {
            (Style::Inline, Some(seats)) => {
                let first = Seat { number, about: description.clone(), instance: first };
                let aside = Aside::new(Box::new(first));
                Pool::Inline(Inline { seats: Arc::clone(seats), width: size, aside })
            }
            _ => Pool::Fiber(FiberPool::new(size, first)),
        };
        Ok(Self {
            number,
            digest,
            source,
            description,
            has_handoff,
            engine: Arc::clone(engine),
            pre,
            style,
            options: Arc::clone(options),
            next: next.clone(),
            pool,
            tasks: TaskTracker::new(),
            streams: Arc::default(),
            queue: Arc::clone(queue),
            watched,
        })
    }

    /// Begins a stream of calls; waits while a swap waits for the end of those before.
    pub(crate) async fn open_stream(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.streams).read_owned().await
    }

    /// Waits until no stream is open, and lets none begin while the guard lives.
    pub(crate) async fn end_streams(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.streams).write_owned().await
    }

    /// Another instance, ready for calls.
    async fn instance(&self, snapshot: Option<bytes::Bytes>) -> Result<Instance<X>> {
        let (engine, options, next) = (&self.engine, &self.options, self.next.as_ref());
        let mut instance =
            Instance::start(engine, &self.pre, options, self.style, next, &self.watched).await?;
        instance.configure(&self.options.settings).await?;
        if let Some(snapshot) = snapshot {
            instance.restore(snapshot).await?;
        }
        Ok(instance)
    }

    /// A first or further instance with what a call needs to know of its generation. Of an inline plugin alone.
    fn seat(&self) -> Result<Box<Seat<X>>> {
        // An inline instance never waits, so this is ready at once.
        let made = self.instance(None).now_or_never().unwrap_or_else(|| {
            Err(Error::new(
                ErrorKind::Plugin,
                "the plugin asked to wait, which one that is called inline may not",
            ))
        });
        made.inspect_err(|error| self.watched.not_started(error)).map(|instance| self.seated(instance))
    }

    fn seated(&self, instance: Instance<X>) -> Box<Seat<X>> {
        Box::new(Seat { number: self.number, about: self.description.clone(), instance })
    }

    /// Makes instances ahead of their calls, until there are `count`, or as many as there may be. Says how many there are.
    pub(crate) async fn prewarm(self: &Arc<Self>, count: usize) -> Result<usize> {
        let (width, deadline) = (self.look().instances_max, self.options.limits.deadline);
        // The first one is there since the start.
        let warm = count.min(width).max(1);
        for _ in 1..warm {
            let this = Arc::clone(self);
            let making = async move { this.instance(None).await };
            let instance = if self.options.holds_its_thread() {
                on_a_thread(deadline, making).await?
            } else {
                within(deadline, making).await?
            };
            match &self.pool {
                Pool::Inline(inline) => inline.aside.put([self.seated(instance)]),
                Pool::Fiber(pool) => pool.give_back(Box::new(instance)),
            }
        }
        Ok(warm)
    }

    /// What it was started from, to be started again.
    pub(crate) fn prepared(&self) -> Prepared {
        Prepared {
            pre: self.pre.clone(),
            style: self.style,
            digest: self.digest.clone(),
            source: self.source.clone(),
            has_handoff: self.has_handoff,
        }
    }

    /// Waits until the calls that came before another generation served have ended, for as long as a drain may take, and
    /// keeps the instances warm. Says whether all ended.
    pub(crate) async fn rest(self: &Arc<Self>) -> bool {
        match &self.pool {
            Pool::Inline(_) => {
                let this = Arc::clone(self);
                let emptied = tokio::task::spawn_blocking(move || {
                    if let Pool::Inline(inline) = &this.pool {
                        inline.aside.put(inline.seats.take_all_blocking(this.number));
                    }
                });
                emptied.await.is_ok()
            }
            Pool::Fiber(pool) => tokio::time::timeout(self.options.limits.drain, pool.pause()).await.is_ok(),
        }
    }

    /// Lets calls come here. A fiber generation is served by being the current one.
    pub(crate) fn serve(&self) {
        if let Pool::Inline(inline) = &self.pool {
            inline.seats.serve(self.number, inline.width);
        }
    }

    /// Runs a job whatever the style; none where this generation is closed and another one serves.
    pub(crate) async fn call<J: Job<X>>(self: Arc<Self>, job: J) -> Turn<J, J::Output> {
        match &self.pool {
            Pool::Inline(inline) => self.call_inline(inline, job).await,
            Pool::Fiber(pool) => {
                if let Err(refused) = job.fits(&self.description) {
                    return Turn::Done(Err(refused));
                }
                let permit = match pool.try_permit() {
                    Some(permit) => Ok(Some(permit)),
                    None => {
                        let Some(_place) = self.queue.enter() else {
                            return Turn::Done(Err(self.queue.full()));
                        };
                        tokio::time::timeout(self.options.limits.deadline, pool.permit()).await
                    }
                };
                match permit {
                    Err(_) => Turn::Done(Err(busy("all instances of the plugin are busy"))),
                    Ok(None) => Turn::Again(job),
                    Ok(Some(permit)) => {
                        let (options, tasks) = (Arc::clone(&self.options), self.tasks.clone());
                        let work = Self::work(self, job, permit);
                        let done = if options.holds_its_thread() {
                            let limit = (options.limits.deadline + 8 * TICK) * J::CALLS_MAX;
                            on_a_thread(limit, work).await.map_err(|e| in_doubt(e, J::ACCESS))
                        } else {
                            HandOver { work: Some(Box::pin(work)), tasks }.await
                        };
                        Turn::Done(done)
                    }
                }
            }
        }
    }

    async fn call_inline<J: Job<X>>(&self, inline: &Inline<X>, job: J) -> Turn<J, J::Output> {
        let mut job = Some(job);
        let mut run = |seat: &mut Seat<X>| match (self.watched.admit(), job.take()) {
            (Err(refused), _) => (Err(refused), true),
            (Ok(()), Some(job)) => seat.run(job),
            (Ok(()), None) => (Err(Error::invalid("a job ran twice")), true),
        };
        let fill = || {
            self.watched.admit()?;
            inline.aside.take().map_or_else(|| self.seat(), Ok)
        };
        let mut done = inline.seats.enter(self.number, inline.width, fill, &mut run);
        if done.is_none() && !inline.seats.serves(self.number) && !inline.seats.is_held() {
            // Another generation serves, and this one still answers the streams that it began.
            done = inline.aside.enter(|| self.watched.admit().and_then(|()| self.seat()), &mut run);
        }
        match (done, job) {
            (Some(done), _) => Turn::Done(done),
            (None, Some(job)) => {
                let Some(_place) = self.queue.enter() else {
                    return Turn::Done(Err(self.queue.full()));
                };
                match tokio::time::timeout(self.options.limits.drain, inline.seats.served()).await {
                    Ok(()) => Turn::Again(job),
                    Err(_) => Turn::Done(Err(busy("the plugin is being swapped"))),
                }
            }
            (None, None) => Turn::Done(Err(Error::invalid("a job was lost"))),
        }
    }

    /// Begins a job on a thread of its own, if the plugin is called there and an instance is free now. It ends by itself,
    /// also where nobody waits for it.
    pub(crate) fn begin<J: Job<X>>(self: &Arc<Self>, job: J) -> Option<JoinHandle<Result<J::Output>>> {
        let Pool::Fiber(pool) = &self.pool else { return None };
        if !self.options.holds_its_thread() || job.fits(&self.description).is_err() {
            return None;
        }
        let permit = pool.try_permit()?;
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        let work = Self::work(Arc::clone(self), job, permit);
        Some(runtime.clone().spawn_blocking(move || runtime.block_on(work)))
    }

    /// A job on a fiber, that owns all it needs, so that it can end in the background.
    async fn work<J: Job<X>>(
        self: Arc<Self>,
        job: J,
        _permit: tokio::sync::OwnedSemaphorePermit,
    ) -> Result<J::Output> {
        let Pool::Fiber(pool) = &self.pool else {
            return Err(Error::new(ErrorKind::Plugin, "an inline plugin was called on a fiber"));
        };
        // After the wait for an instance, in which another call may have failed.
        self.watched.admit()?;
        self.watched.began();
        let deadline = self.options.limits.deadline;
        let mut instance = match pool.take() {
            Some(instance) => instance,
            None => {
                let started = within(deadline, self.instance(None)).await;
                Box::new(started.inspect_err(|error| self.watched.not_started(error))?)
            }
        };
        let mut caller = Caller::new(&mut instance, &self.description, deadline);
        let output = job.run(&mut caller).await;
        if caller.keeps_instance() && !pool.is_closed() {
            pool.give_back(instance);
        }
        output
    }

    /// Waits for the calls in flight and keeps new ones waiting.
    ///
    /// # Errors
    /// `timeout` where they did not end in time; then the generation goes on serving.
    pub(crate) async fn pause(self: &Arc<Self>) -> Result<Paused<X>> {
        let (instance, permit) = match &self.pool {
            Pool::Inline(_) => {
                let this = Arc::clone(self);
                let paused = tokio::task::spawn_blocking(move || match &this.pool {
                    Pool::Inline(inline) => inline.pause_blocking(this.number),
                    Pool::Fiber(_) => None,
                });
                (paused.await.unwrap_or_default().map(|seat| seat.instance), None)
            }
            Pool::Fiber(pool) => match tokio::time::timeout(self.options.limits.drain, pool.pause()).await {
                Ok(permit) => (pool.take_all().into_iter().next().map(|instance| *instance), permit),
                Err(_) => {
                    return Err(Error::new(
                        ErrorKind::Timeout,
                        "the calls of the old generation did not end in time",
                    )
                    .operation("swap"));
                }
            },
        };
        Ok(Paused { generation: Some(Arc::clone(self)), instance, _permit: permit })
    }

    /// Lets the calls in flight end, for as long as a drain may take, and drops the instances. Says whether all ended.
    pub(crate) async fn retire(self: Arc<Self>) -> bool {
        let this = Arc::clone(&self);
        match &self.pool {
            Pool::Inline(_) => {
                let closed = tokio::task::spawn_blocking(move || {
                    if let Pool::Inline(inline) = &this.pool {
                        inline.aside.close_blocking();
                        drop(inline.seats.take_all_blocking(this.number));
                    }
                });
                closed.await.is_ok()
            }
            Pool::Fiber(pool) => {
                let drained = tokio::time::timeout(self.options.limits.drain, pool.pause()).await.is_ok();
                pool.close();
                drained
            }
        }
    }

    /// How many instances are there, how many of them are in a call, how many there may be; and how many calls the slots of
    /// an inline plugin saw.
    pub(crate) fn look(&self) -> Look {
        match &self.pool {
            Pool::Inline(inline) => {
                let (calls, live, busy) = inline.seats.look();
                Look { instances: live, busy, instances_max: inline.width, calls }
            }
            Pool::Fiber(pool) => {
                let (live, busy) = pool.look();
                Look { instances: live, busy, instances_max: pool.size(), calls: 0 }
            }
        }
    }

    pub(crate) fn has_handoff(&self) -> bool {
        self.has_handoff
    }

    pub(crate) fn style(&self) -> Style {
        self.style
    }
}

/// A generation whose calls are waiting. Dropped, it goes on serving.
pub(crate) struct Paused<X: Exports> {
    generation: Option<Arc<Generation<X>>>,
    pub(crate) instance: Option<Instance<X>>,
    _permit: Option<tokio::sync::OwnedSemaphorePermit>,
}

impl<X: Exports> Paused<X> {
    /// Starts the component again, with what it saved, after a successor failed.
    pub(crate) async fn restart(&mut self, snapshot: Option<bytes::Bytes>) -> Result<()> {
        let Some(generation) = self.generation.clone() else { return Ok(()) };
        let (deadline, threaded) =
            (generation.options.limits.deadline, generation.options.holds_its_thread());
        let starting = async move { generation.instance(snapshot).await };
        self.instance = Some(if threaded {
            on_a_thread(deadline, starting).await?
        } else {
            within(deadline, starting).await?
        });
        Ok(())
    }

    /// Sends the waiting calls to the next generation: at once, or when that serves.
    pub(crate) fn close(mut self) {
        if let Some(generation) = self.generation.take() {
            match &generation.pool {
                Pool::Inline(inline) => inline.aside.close_blocking(),
                Pool::Fiber(pool) => pool.close(),
            }
        }
    }
}

impl<X: Exports> Drop for Paused<X> {
    fn drop(&mut self) {
        let Some(generation) = self.generation.take() else { return };
        // One that trapped while it saved is left out, so that the next caller gets a new one and no error.
        let instance = self.instance.take().filter(|instance| !instance.is_trapped());
        match &generation.pool {
            Pool::Inline(inline) => {
                inline.aside.put(instance.map(|instance| generation.seated(instance)));
                generation.serve();
            }
            Pool::Fiber(pool) => {
                if let Some(instance) = instance {
                    pool.give_back(Box::new(instance));
                }
            }
        }
    }
}

/// What came of an attempt to run a job.
pub(crate) enum Turn<R, T> {
    /// It ran, or can't.
    Done(Result<T>),
    /// It did not run, and another generation may.
    Again(R),
}

/// Bounds a start by the deadline. An inline instance is ready at the first poll, and then no timer is asked for:
/// inline calls work on any thread.
pub(crate) async fn within<T>(deadline: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut work = std::pin::pin!(work);
    if let Poll::Ready(done) = futures::poll!(&mut work) {
        return done;
    }
    tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Timeout, format!("starting the plugin took longer than {deadline:?}")))
    })
}

/// A failed write whose call may go on, or ended nobody knows how.
fn in_doubt(error: Error, access: Access) -> Error {
    let lost = matches!(error.kind(), ErrorKind::Timeout) && access == Access::Writes;
    if lost { error.effect(Effect::Unknown) } else { error }
}

fn busy(message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, message)
}
