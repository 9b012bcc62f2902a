//! A plugin: a name, and the generation that serves under it. How another one comes in its place is told in `swap`.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use larder_core::{Error, ErrorKind, Result};
use tokio::{
    sync::{Mutex, OwnedRwLockReadGuard, watch},
    task::JoinHandle,
};

use crate::{
    engine::Engine,
    generation::{Generation, Host, Paused, Turn},
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
    supervision::{PluginReport, Reason, Supervisor},
    swap::{Place, Watch},
};

/// A component of one kind behind a name, with a current generation.
pub(crate) struct Plugin<X: Exports> {
    pub(crate) host: Host<X>,
    pub(crate) world: World,
    current: ArcSwap<Generation<X>>,
    /// The highest number that a generation had which served.
    pub(crate) last: AtomicU64,
    /// Held for the whole of a swap, so that there is one at a time.
    pub(crate) swapping: Arc<Mutex<()>>,
    /// Held while another generation takes over.
    pub(crate) place: Mutex<Place<X>>,
    pub(crate) watch: Arc<Watch<X>>,
    /// Whether a generation is on probation.
    pub(crate) probing: watch::Sender<bool>,
    /// What served before, where the rules ask to keep it.
    pub(crate) last_good: std::sync::Mutex<Option<Prepared>>,
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
        let read = Prepared::read(engine, source, &options, options.sha256.as_deref()).await?;
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
        let watch = Arc::new(Watch::new(&host.supervisor.attention));
        Ok(Self {
            host,
            world,
            last: AtomicU64::new(first.number),
            current: ArcSwap::from_pointee(first),
            swapping: Arc::default(),
            place: Mutex::default(),
            watch,
            probing: watch::Sender::new(false),
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
    pub(crate) async fn run<J: Job<X>>(&self, job: J) -> Result<J::Output> {
        let done = if self.is_observed() {
            Box::pin(self.run_looked_at(job)).await
        } else {
            self.run_unseen(job).await
        };
        done.map_err(|e| self.about(e, J::OPERATION))
    }

    /// Whether a swap looks at calls.
    fn is_observed(&self) -> bool {
        self.host.supervisor.attention.is_raised(Reason::Observed)
    }

    /// The same, whoever looks at calls.
    pub(crate) async fn run_unseen<J: Job<X>>(&self, mut job: J) -> Result<J::Output> {
        loop {
            let current = self.current.load_full();
            if let Err(refused) = current.watched.admit() {
                if Box::pin(self.recover(&current)).await {
                    continue;
                }
                return Err(refused);
            }
            match current.call(job).await {
                Turn::Done(done) => return done,
                // A closed generation has a successor already, so this ends.
                Turn::Again(again) => job = again,
            }
        }
    }

    /// Begins a job ahead of its time, on a thread of its own, if the plugin is called there and an instance is free now.
    pub(crate) fn begin<J: Job<X>>(&self, job: J) -> Option<Begun<J::Output>> {
        // A call that is looked at is one that is waited for.
        if self.is_observed() { None } else { self.current.load_full().begin(job).map(Begun) }
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

    /// Lets a generation serve, in place of the current one.
    pub(crate) fn put_in_place(&self, new: Arc<Generation<X>>) {
        self.last.fetch_max(new.number, Ordering::Relaxed);
        let old = self.current.swap(Arc::clone(&new));
        new.serve();
        new.watched.take_over(Some(&old.watched));
    }

    /// Lets a generation serve in place of one that is paused. That one is closed before the new one serves, so that never
    /// both can be called; the other way round with `current`, so that whoever finds the old one closed finds another.
    pub(crate) fn replace(&self, paused: Paused<X>, new: &Arc<Generation<X>>) {
        self.last.fetch_max(new.number, Ordering::Relaxed);
        let old = self.current.swap(Arc::clone(new));
        new.watched.take_over(Some(&old.watched));
        paused.close();
        new.serve();
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
