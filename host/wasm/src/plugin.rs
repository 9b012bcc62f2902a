//! A plugin: a current generation, and the swap to another one.

use std::sync::Arc;

use arc_swap::ArcSwap;
use larder_core::{Error, ErrorKind, Result};
use tokio::{
    sync::{Mutex, OwnedRwLockReadGuard},
    task::JoinHandle,
};

use crate::{
    engine::Engine,
    generation::{Generation, Host, Turn},
    hand_over::lost,
    inspect::World,
    instance::Exports,
    job::Job,
    options::PluginOptions,
    prepared::{Prepared, Style},
    queue::Queue,
    request::Request,
    seats::Seats,
    source::Source,
    supervision::{PluginReport, Remedy, Supervisor},
};

/// What a swap did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swapped {
    /// The digest that served before.
    pub from: String,
    /// The digest that serves now.
    pub to: String,
    /// The generation that serves now; the same as before where the digest is.
    pub generation: u64,
    /// Whether all calls of the old generation ended before it was dropped. Those that did not were left to end by
    /// themselves, within their deadline.
    pub drained: bool,
}

/// A component of one kind behind a name, with a current generation.
pub(crate) struct Plugin<X: Exports> {
    host: Host<X>,
    world: World,
    current: ArcSwap<Generation<X>>,
    swapping: Mutex<()>,
    /// What served before, where the rules ask to keep it.
    last_good: std::sync::Mutex<Option<Prepared>>,
}

impl<X: Exports> Plugin<X> {
    pub(crate) async fn load(
        engine: &Arc<Engine>,
        source: &Source,
        mut options: PluginOptions,
        world: World,
        next: Option<X::Next>,
    ) -> Result<Self> {
        // Options may serve several plugins; what each of them says is its own.
        options.log = Arc::default();
        // Whoever cloned the options for two plugins has shared no connection.
        options.connections = Arc::default();
        let options = Arc::new(options);
        let supervisor = Supervisor::new(&options, world);
        let read = Prepared::read(engine, source, &options).await?;
        supervisor.check(engine, read.digest())?;
        let prepared = Prepared::build(engine, source, read, &options, world).await?;
        let is_inline = prepared.style == Style::Inline;
        let queue = Arc::new(Queue::new(options.limits.waiting_max));
        let seats = || {
            let attention = Arc::clone(&supervisor.attention);
            Arc::new(Seats::new(options.limits.instances_max, Arc::clone(&queue), attention))
        };
        let seats = is_inline.then(seats);
        let host = Host { engine: Arc::clone(engine), options, next, seats, queue, supervisor };
        let first = Generation::start(&host, prepared, 1, None).await?;
        first.watched.take_over(None);
        first.serve();
        tracing::info!(plugin = host.options.name, digest = first.digest, "plugin loaded");
        Ok(Self {
            host,
            world,
            current: ArcSwap::from_pointee(first),
            swapping: Mutex::new(()),
            last_good: std::sync::Mutex::default(),
        })
    }

    /// Runs a request in the current generation.
    #[inline]
    pub(crate) async fn call<R: Request<X> + 'static>(&self, mut request: R) -> Result<R::Output> {
        match self.call_now(&mut request) {
            Some(done) => done,
            None => Box::pin(self.run(request)).await,
        }
    }

    /// Runs a request on this thread, if the plugin is called inline, an instance is ready and nobody looks closer; else
    /// nothing was done. The whole of a hot call: it takes a slot's lock and compares two numbers.
    #[inline]
    pub(crate) fn call_now<R: Request<X>>(&self, request: &mut R) -> Option<Result<R::Output>> {
        match self.host.seats.as_ref()?.call(request)? {
            Ok(output) => Some(Ok(output)),
            Err(error) => Some(Err(self.about(error, R::OPERATION))),
        }
    }

    /// Runs a job in the current generation, whatever that takes.
    pub(crate) async fn run<J: Job<X>>(&self, mut job: J) -> Result<J::Output> {
        loop {
            let current = self.current.load_full();
            if let Err(refused) = current.watched.admit() {
                if self.recover(&current).await {
                    continue;
                }
                return Err(self.about(refused, J::OPERATION));
            }
            match current.call(job).await {
                Turn::Done(done) => return done.map_err(|e| self.about(e, J::OPERATION)),
                // A closed generation has a successor already, so this ends.
                Turn::Again(again) => job = again,
            }
        }
    }

    /// Begins a job ahead of its time, on a thread of its own, if the plugin is called there and an instance is free now.
    pub(crate) fn begin<J: Job<X>>(&self, job: J) -> Option<Begun<J::Output>> {
        self.current.load_full().begin(job).map(Begun)
    }

    /// What became of a job that was begun.
    ///
    /// # Cancel safety
    /// The job ends by itself, within its deadline, and its output is lost.
    pub(crate) async fn end<J: Job<X>>(&self, begun: Begun<J::Output>) -> Result<J::Output> {
        begun.0.await.unwrap_or_else(lost).map_err(|e| self.about(e, J::OPERATION))
    }

    #[cold]
    fn about(&self, error: Error, operation: &'static str) -> Error {
        let error = error.operation(operation).with("plugin", self.name());
        self.host.supervisor.failed(&error);
        error
    }

    /// The current generation, held for several calls that belong together: a swap waits for their end.
    pub(crate) async fn stream(self: &Arc<Self>) -> Result<Stream<X>> {
        let begin = async {
            loop {
                let generation = self.current.load_full();
                // Waits while a swap waits for the streams before; then another generation may be current.
                let open = generation.open_stream().await;
                if self.current.load().number == generation.number {
                    return Stream { plugin: Arc::clone(self), generation, _open: open };
                }
            }
        };
        let limit = self.host.options.limits.drain * 2;
        tokio::time::timeout(limit, begin).await.map_err(|_| {
            Error::new(ErrorKind::Unavailable, "the plugin is being swapped")
                .with("plugin", &self.host.options.name)
        })
    }

    /// What the current generation says of itself.
    pub(crate) fn description(&self) -> X::Description {
        self.current.load().description.clone()
    }

    pub(crate) fn current(&self) -> Arc<Generation<X>> {
        self.current.load_full()
    }

    /// Whether calls are refused now.
    pub(crate) fn is_refusing(&self) -> bool {
        self.current.load().watched.is_refusing()
    }

    /// How the plugin does.
    pub(crate) fn report(&self) -> PluginReport {
        let current = self.current.load();
        let dropped = self.host.options.log.dropped();
        PluginReport {
            log_lines_dropped: dropped,
            ..current.watched.report(&current.look(), &self.host.queue)
        }
    }

    /// Forgets the strikes of the component that serves, for each plugin that runs it.
    pub(crate) fn release(&self) {
        self.current.load().watched.release();
    }

    pub(crate) fn name(&self) -> &str {
        &self.host.options.name
    }

    /// The next store, of a layer.
    pub(crate) fn next(&self) -> Option<&X::Next> {
        self.host.next.as_ref()
    }

    /// Puts another component in the place of the current one. A failed step leaves the current one serving.
    pub(crate) async fn swap(&self, source: &Source) -> Result<Swapped> {
        let _one_at_a_time = self.swapping.lock().await;
        let old = self.current.load_full();
        let swapped = self.swap_from(&old, source).await;
        match &swapped {
            Ok(done) => {
                tracing::info!(
                    plugin = self.name(),
                    from = done.from,
                    to = done.to,
                    drained = done.drained,
                    "swapped"
                );
            }
            Err(error) => {
                tracing::warn!(plugin = self.name(), %error, "the swap failed; the old generation serves on")
            }
        }
        swapped.map_err(|e| e.operation("swap"))
    }

    async fn swap_from(&self, old: &Arc<Generation<X>>, source: &Source) -> Result<Swapped> {
        let read = Prepared::read(&self.host.engine, source, &self.host.options).await?;
        let (from, to) = (old.digest.clone(), read.digest().to_owned());
        if from == to {
            return Ok(Swapped { from, to, generation: old.number, drained: true });
        }
        self.host.supervisor.check(&self.host.engine, &to)?;
        let prepared =
            Prepared::build(&self.host.engine, source, read, &self.host.options, self.world).await?;
        let drained = self.replace(old, prepared).await?;
        Ok(Swapped { from, to, generation: old.number + 1, drained })
    }

    /// Lets another component serve. Says whether all calls of the old one ended.
    async fn replace(&self, old: &Arc<Generation<X>>, prepared: Prepared) -> Result<bool> {
        let drain = self.host.options.limits.drain;
        if X::is_one(&old.description) {
            let ended = tokio::time::timeout(drain, old.end_streams()).await;
            let _no_streams = ended.map_err(|_| {
                Error::new(ErrorKind::Timeout, "the writers of the old generation did not end in time")
            })?;
            self.swap_owner(old, prepared).await?;
            self.remember(old);
            return Ok(true);
        }
        let new = self.start(prepared, old, None).await?;
        self.put_in_place(old, new);
        self.remember(old);
        let ended = tokio::time::timeout(drain, old.end_streams()).await.is_ok();
        Ok(Arc::clone(old).retire().await && ended)
    }

    /// Keeps a component that served, for the day on which its successor is quarantined.
    fn remember(&self, old: &Generation<X>) {
        if self.host.options.supervision.remedy == Remedy::LastGood && !old.watched.is_quarantined() {
            *self.last_good() = Some(old.prepared());
        }
    }

    fn last_good(&self) -> std::sync::MutexGuard<'_, Option<Prepared>> {
        self.last_good.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Puts the component back that served before a quarantined one, where the rules ask for it and one is known. Says whether
    /// another component serves now. It needs a runtime: a caller without one is refused, and the next may have it.
    ///
    /// # Cancel safety
    /// Either component serves; what was dropped half way is not tried again.
    #[cold]
    async fn recover(&self, failed: &Arc<Generation<X>>) -> bool {
        let wanted = self.host.options.supervision.remedy == Remedy::LastGood;
        let has_runtime = tokio::runtime::Handle::try_current().is_ok();
        if !wanted || !failed.watched.is_quarantined() || !has_runtime {
            return false;
        }
        let _one_at_a_time = self.swapping.lock().await;
        if self.current.load().number != failed.number {
            return true;
        }
        let Some(good) = self.last_good().take() else { return false };
        let (from, to) = (failed.digest.as_str(), good.digest.clone());
        let put_back = match self.host.supervisor.check(&self.host.engine, &to) {
            Ok(()) => self.replace(failed, good).await,
            Err(refused) => Err(refused),
        };
        match put_back {
            Ok(drained) => {
                tracing::warn!(
                    plugin = self.name(),
                    from,
                    to,
                    drained,
                    "the last good component serves again"
                );
                true
            }
            Err(error) => {
                tracing::error!(plugin = self.name(), from, to, %error, "the last good component can't be put back");
                false
            }
        }
    }

    /// The swap of a plugin that owns its data: with a short pause, so that never two instances have it.
    async fn swap_owner(&self, old: &Arc<Generation<X>>, prepared: Prepared) -> Result<()> {
        if old.has_handoff() && !prepared.has_handoff {
            return Err(Error::unsupported(
                "the plugin's state is in its memory, and the new component has no `handoff` to take it over",
            )
            .with("plugin", self.name()));
        }
        let mut paused = old.pause().await?;
        let snapshot = match &mut paused.instance {
            // Dropped here, `paused` gives the instance back; a trapped one is found so at its next call.
            Some(instance) if instance.has_handoff() => match instance.save().await {
                Err(error) if old.watched.is_quarantined() => {
                    tracing::warn!(plugin = self.name(), %error, "the quarantined component hands nothing over");
                    None
                }
                saved => saved?,
            },
            _ => None,
        };
        paused.instance = None;
        match self.start(prepared, old, snapshot.clone()).await {
            Ok(new) => {
                // Closed before the new one serves, so that never both can be called; the other way round with `current`,
                // so that whoever finds the old one closed finds another.
                let new = Arc::new(new);
                self.current.store(Arc::clone(&new));
                new.watched.take_over(Some(&old.watched));
                paused.close();
                new.serve();
                Ok(())
            }
            Err(error) => match paused.restart(snapshot).await {
                Ok(()) => Err(error),
                Err(worse) => {
                    tracing::error!(plugin = self.name(), %worse, "the old generation could not be started again");
                    Err(error.with("and then", worse))
                }
            },
        }
    }

    fn put_in_place(&self, old: &Generation<X>, new: Generation<X>) {
        let new = Arc::new(new);
        self.current.store(Arc::clone(&new));
        new.serve();
        new.watched.take_over(Some(&old.watched));
    }

    async fn start(
        &self,
        prepared: Prepared,
        old: &Generation<X>,
        snapshot: Option<bytes::Bytes>,
    ) -> Result<Generation<X>> {
        let new = Generation::start(&self.host, prepared, old.number + 1, snapshot).await?;
        X::check_successor(&old.description, &new.description)?;
        Ok(new)
    }
}

/// A job that was begun ahead of its time.
pub(crate) struct Begun<T>(JoinHandle<Result<T>>);

/// A generation that serves several calls that belong together.
pub(crate) struct Stream<X: Exports> {
    plugin: Arc<Plugin<X>>,
    generation: Arc<Generation<X>>,
    _open: OwnedRwLockReadGuard<()>,
}

impl<X: Exports> Stream<X> {
    /// Runs a request in the stream's own generation.
    pub(crate) async fn call<R: Request<X> + 'static>(&self, mut request: R) -> Result<R::Output> {
        loop {
            match Arc::clone(&self.generation).call(request).await {
                Turn::Done(done) => return done.map_err(|e| self.plugin.about(e, R::OPERATION)),
                // A swap that was given up.
                Turn::Again(again) if self.plugin.current.load().number == self.generation.number => {
                    request = again
                }
                Turn::Again(_) => {
                    let gone = "the plugin was swapped, and the generation that began this is gone";
                    return Err(self.plugin.about(Error::new(ErrorKind::Unavailable, gone), R::OPERATION));
                }
            }
        }
    }
}
