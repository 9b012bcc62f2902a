//! One generation of a plugin: a compiled component, its instances, and how a request runs in one of them.

use std::{sync::Arc, task::Poll, time::Duration};

use futures::FutureExt as _;

use larder_core::{Effect, Error, ErrorKind, Result};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio_util::task::TaskTracker;
use wasmtime::component::InstancePre;

use crate::{
    engine::{Engine, TICK},
    hand_over::{HandOver, on_a_thread},
    instance::{Access, Exports, Instance},
    options::PluginOptions,
    pool::{FiberPool, InlinePool},
    prepared::{Prepared, Style},
    request::Request,
    state::State,
};

/// A component with its instances, serving or about to.
pub(crate) struct Generation<X: Exports> {
    pub(crate) number: u64,
    pub(crate) digest: String,
    pub(crate) source: String,
    pub(crate) description: X::Description,
    has_handoff: bool,
    engine: Arc<Engine>,
    pre: InstancePre<State>,
    style: Style,
    options: Arc<PluginOptions>,
    next: Option<X::Next>,
    pool: Pool<X>,
    tasks: TaskTracker,
    /// Read by each stream of calls, written by who waits for their end.
    streams: Arc<RwLock<()>>,
}

enum Pool<X> {
    Inline(InlinePool<X>),
    Fiber(FiberPool<X>),
}

impl<X: Exports> Generation<X> {
    /// Starts a first instance: configured, with what the earlier generation saved, healthy, described.
    pub(crate) async fn start(
        engine: &Arc<Engine>,
        options: &Arc<PluginOptions>,
        next: Option<X::Next>,
        prepared: Prepared,
        number: u64,
        snapshot: Option<bytes::Bytes>,
    ) -> Result<Self> {
        let Prepared { pre, style, digest, source, has_handoff } = prepared;
        let (deadline, threaded) = (options.limits.deadline, options.holds_its_thread());
        let starting = {
            let (engine, pre, options) = (Arc::clone(engine), pre.clone(), Arc::clone(options));
            let next = next.clone();
            async move {
                let mut first = Instance::<X>::start(&engine, &pre, &options, style, next.as_ref()).await?;
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
        let pool = match style {
            Style::Inline => Pool::Inline(InlinePool::new(size, first)),
            Style::Fiber => Pool::Fiber(FiberPool::new(size, first)),
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
            next,
            pool,
            tasks: TaskTracker::new(),
            streams: Arc::default(),
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
        let mut instance =
            Instance::start(&self.engine, &self.pre, &self.options, self.style, self.next.as_ref()).await?;
        instance.configure(&self.options.settings).await?;
        if let Some(snapshot) = snapshot {
            instance.restore(snapshot).await?;
        }
        Ok(instance)
    }

    /// Runs a request on this thread, if this generation is called inline and is open.
    #[inline]
    pub(crate) fn call_inline<R: Request<X>>(&self, request: &mut R) -> Option<Result<R::Output>> {
        let Pool::Inline(pool) = &self.pool else { return None };
        if let Err(refused) = request.fits(&self.description) {
            return Some(Err(refused));
        }
        let mut slot = pool.enter()?;
        // Taken out for the call: were the host to panic in it, the slot is empty and the instance gone.
        let mut instance = match slot.take() {
            Some(instance) => instance,
            // An inline instance never waits, so this is ready at once.
            None => match self.instance(None).now_or_never()? {
                Ok(instance) => Box::new(instance),
                Err(error) => return Some(Err(error)),
            },
        };
        let func = R::func(&instance);
        let answer = instance.call_now(func, request.params(), R::ACCESS);
        let (output, keep) = self.finish(request, answer, &instance);
        if keep {
            *slot = Some(instance);
        }
        Some(output)
    }

    /// Runs a request whatever the style; none where this generation is closed and another one serves.
    pub(crate) async fn call<R: Request<X>>(self: Arc<Self>, request: R) -> Turn<R, R::Output> {
        match &self.pool {
            Pool::Inline(pool) => {
                let mut request = request;
                if let Some(done) = self.call_inline(&mut request) {
                    return Turn::Done(done);
                }
                match tokio::time::timeout(self.options.limits.drain, pool.unpaused()).await {
                    Ok(()) => Turn::Again(request),
                    Err(_) => Turn::Done(Err(busy("the plugin is being swapped"))),
                }
            }
            Pool::Fiber(pool) => {
                if let Err(refused) = request.fits(&self.description) {
                    return Turn::Done(Err(refused));
                }
                let permit = match pool.try_permit() {
                    Some(permit) => Ok(Some(permit)),
                    None => tokio::time::timeout(self.options.limits.deadline, pool.permit()).await,
                };
                match permit {
                    Err(_) => Turn::Done(Err(busy("all instances of the plugin are busy"))),
                    Ok(None) => Turn::Again(request),
                    Ok(Some(permit)) => {
                        let (options, tasks) = (Arc::clone(&self.options), self.tasks.clone());
                        let work = Self::work(self, request, permit);
                        let done = if options.holds_its_thread() {
                            let limit = options.limits.deadline + 8 * TICK;
                            on_a_thread(limit, work).await.map_err(|e| in_doubt::<X, R>(e))
                        } else {
                            HandOver { work: Some(Box::pin(work)), tasks }.await
                        };
                        Turn::Done(done)
                    }
                }
            }
        }
    }

    /// A call on a fiber, that owns all it needs, so that it can end in the background.
    async fn work<R: Request<X>>(
        self: Arc<Self>,
        mut request: R,
        _permit: tokio::sync::OwnedSemaphorePermit,
    ) -> Result<R::Output> {
        let Pool::Fiber(pool) = &self.pool else {
            return Err(Error::new(ErrorKind::Plugin, "an inline plugin was called on a fiber"));
        };
        let deadline = self.options.limits.deadline;
        let mut instance = match pool.take() {
            Some(instance) => instance,
            None => Box::new(within(deadline, self.instance(None)).await?),
        };
        let func = R::func(&instance);
        let call = instance.call(func, request.params(), R::ACCESS);
        // A little longer than the guest's own ticks, so that a guest that computes is told apart from one that waits.
        let answer = match tokio::time::timeout(deadline + 4 * TICK, call).await {
            Ok(answer) => answer,
            Err(_) => {
                let effect = if R::ACCESS == Access::Writes { Effect::Unknown } else { Effect::None };
                // The instance is dropped with its fiber in the middle of a call.
                return Err(Error::new(
                    ErrorKind::Timeout,
                    format!("the plugin did not answer within {deadline:?}"),
                )
                .effect(effect));
            }
        };
        let (output, keep) = self.finish(&mut request, answer, &instance);
        if keep && !pool.is_closed() {
            pool.give_back(instance);
        }
        output
    }

    /// Checks an answer, and whether its instance can be called again.
    #[inline]
    fn finish<R: Request<X>>(
        &self,
        request: &mut R,
        answer: Result<R::Wit>,
        instance: &Instance<X>,
    ) -> (Result<R::Output>, bool) {
        if instance.is_trapped() {
            tracing::warn!(
                plugin = self.options.name,
                operation = R::OPERATION,
                "an instance trapped and was dropped"
            );
        }
        let mut keep = !instance.is_trapped();
        let output = answer.and_then(|wit| {
            let checked = request.check(wit, instance, &self.description);
            keep &= !checked.as_ref().is_err_and(|e| e.kind() == ErrorKind::Plugin);
            checked
        });
        (output, keep)
    }

    /// Waits for the calls in flight and keeps new ones waiting.
    ///
    /// # Errors
    /// `timeout` where they did not end in time; then the generation goes on serving.
    pub(crate) async fn pause(self: &Arc<Self>) -> Result<Paused<X>> {
        let (instances, permit) = match &self.pool {
            Pool::Inline(_) => {
                let this = Arc::clone(self);
                let paused = tokio::task::spawn_blocking(move || match &this.pool {
                    Pool::Inline(pool) => pool.pause_blocking(),
                    Pool::Fiber(_) => Vec::new(),
                });
                (paused.await.unwrap_or_default(), None)
            }
            Pool::Fiber(pool) => match tokio::time::timeout(self.options.limits.drain, pool.pause()).await {
                Ok(permit) => (pool.take_all(), permit),
                Err(_) => {
                    return Err(Error::new(
                        ErrorKind::Timeout,
                        "the calls of the old generation did not end in time",
                    )
                    .operation("swap"));
                }
            },
        };
        let instance = instances.into_iter().next().map(|boxed| *boxed);
        Ok(Paused { generation: Some(Arc::clone(self)), instance, _permit: permit })
    }

    /// Lets the calls in flight end, for as long as a drain may take, and drops the instances. Says whether all ended.
    pub(crate) async fn retire(self: Arc<Self>) -> bool {
        let this = Arc::clone(&self);
        match &self.pool {
            Pool::Inline(_) => {
                let closed = tokio::task::spawn_blocking(move || {
                    if let Pool::Inline(pool) = &this.pool {
                        pool.close_blocking();
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

    /// Sends the waiting calls to the next generation.
    pub(crate) fn close(mut self) {
        if let Some(generation) = self.generation.take() {
            match &generation.pool {
                Pool::Inline(pool) => pool.close_blocking(),
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
            Pool::Inline(pool) => pool.open(instance),
            Pool::Fiber(pool) => {
                if let Some(instance) = instance {
                    pool.give_back(Box::new(instance));
                }
            }
        }
    }
}

/// What came of an attempt to run a request.
pub(crate) enum Turn<R, T> {
    /// It ran, or can't.
    Done(Result<T>),
    /// It did not run, and another generation may.
    Again(R),
}

/// Bounds a start by the deadline. An inline instance is ready at the first poll, and then no timer is asked for:
/// inline calls work on any thread.
async fn within<T>(deadline: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut work = std::pin::pin!(work);
    if let Poll::Ready(done) = futures::poll!(&mut work) {
        return done;
    }
    tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Timeout, format!("starting the plugin took longer than {deadline:?}")))
    })
}

/// A failed write whose call may go on, or ended nobody knows how.
fn in_doubt<X: Exports, R: Request<X>>(error: Error) -> Error {
    let lost = matches!(error.kind(), ErrorKind::Timeout) && R::ACCESS == Access::Writes;
    if lost { error.effect(Effect::Unknown) } else { error }
}

fn busy(message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, message)
}
