//! A plugin: a current generation, and the swap to another one.

use std::sync::Arc;

use arc_swap::ArcSwap;
use larder_core::{Error, ErrorKind, Result};
use tokio::sync::{Mutex, OwnedRwLockReadGuard};

use crate::{
    engine::Engine,
    generation::{Generation, Turn},
    inspect::World,
    instance::Exports,
    options::PluginOptions,
    prepared::Prepared,
    request::Request,
    source::Source,
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
    engine: Arc<Engine>,
    options: Arc<PluginOptions>,
    world: World,
    next: Option<X::Next>,
    current: ArcSwap<Generation<X>>,
    swapping: Mutex<()>,
}

impl<X: Exports> Plugin<X> {
    pub(crate) async fn load(
        engine: &Arc<Engine>,
        source: &Source,
        options: PluginOptions,
        world: World,
        next: Option<X::Next>,
    ) -> Result<Self> {
        let options = Arc::new(options);
        let loaded = Prepared::read(source, &options).await?;
        let prepared = Prepared::build(engine, source, loaded, &options, world).await?;
        let first = Generation::start(engine, &options, next.clone(), prepared, 1, None).await?;
        tracing::info!(plugin = options.name, digest = first.digest, "plugin loaded");
        Ok(Self {
            engine: Arc::clone(engine),
            options,
            world,
            next,
            current: ArcSwap::from_pointee(first),
            swapping: Mutex::new(()),
        })
    }

    /// Runs a request in the current generation.
    #[inline]
    pub(crate) async fn call<R: Request<X>>(&self, mut request: R) -> Result<R::Output> {
        let inline = self.current.load().call_inline(&mut request);
        match inline {
            Some(Ok(output)) => Ok(output),
            Some(Err(error)) => Err(self.about::<R>(error)),
            None => Box::pin(self.call_waiting(request)).await.map_err(|e| self.about::<R>(e)),
        }
    }

    async fn call_waiting<R: Request<X>>(&self, mut request: R) -> Result<R::Output> {
        loop {
            match self.current.load_full().call(request).await {
                Turn::Done(done) => return done,
                // A closed generation has a successor already, so this ends.
                Turn::Again(again) => request = again,
            }
        }
    }

    #[cold]
    fn about<R: Request<X>>(&self, error: Error) -> Error {
        error.operation(R::OPERATION).with("plugin", &self.options.name)
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
        let limit = self.options.limits.drain * 2;
        tokio::time::timeout(limit, begin).await.map_err(|_| {
            Error::new(ErrorKind::Unavailable, "the plugin is being swapped")
                .with("plugin", &self.options.name)
        })
    }

    /// What the current generation says of itself.
    pub(crate) fn description(&self) -> X::Description {
        self.current.load().description.clone()
    }

    pub(crate) fn current(&self) -> Arc<Generation<X>> {
        self.current.load_full()
    }

    pub(crate) fn name(&self) -> &str {
        &self.options.name
    }

    /// The next store, of a layer.
    pub(crate) fn next(&self) -> Option<&X::Next> {
        self.next.as_ref()
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
        let loaded = Prepared::read(source, &self.options).await?;
        let (from, to) = (old.digest.clone(), loaded.digest.clone());
        if from == to {
            return Ok(Swapped { from, to, generation: old.number, drained: true });
        }
        let prepared = Prepared::build(&self.engine, source, loaded, &self.options, self.world).await?;
        let drain = self.options.limits.drain;
        if X::is_one(&old.description) {
            let ended = tokio::time::timeout(drain, old.end_streams()).await;
            let _no_streams = ended.map_err(|_| {
                Error::new(ErrorKind::Timeout, "the writers of the old generation did not end in time")
            })?;
            self.swap_owner(old, prepared).await?;
            return Ok(Swapped { from, to, generation: old.number + 1, drained: true });
        }
        let new = self.start(prepared, old, None).await?;
        self.current.store(Arc::new(new));
        let ended = tokio::time::timeout(drain, old.end_streams()).await.is_ok();
        let drained = Arc::clone(old).retire().await && ended;
        Ok(Swapped { from, to, generation: old.number + 1, drained })
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
            Some(instance) if instance.has_handoff() => instance.save().await?,
            _ => None,
        };
        paused.instance = None;
        match self.start(prepared, old, snapshot.clone()).await {
            Ok(new) => {
                self.current.store(Arc::new(new));
                paused.close();
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

    async fn start(
        &self,
        prepared: Prepared,
        old: &Generation<X>,
        snapshot: Option<bytes::Bytes>,
    ) -> Result<Generation<X>> {
        let (next, number) = (self.next.clone(), old.number + 1);
        let new = Generation::start(&self.engine, &self.options, next, prepared, number, snapshot).await?;
        X::check_successor(&old.description, &new.description)?;
        Ok(new)
    }
}

/// A generation that serves several calls that belong together.
pub(crate) struct Stream<X: Exports> {
    plugin: Arc<Plugin<X>>,
    generation: Arc<Generation<X>>,
    _open: OwnedRwLockReadGuard<()>,
}

impl<X: Exports> Stream<X> {
    /// Runs a request in the stream's own generation.
    pub(crate) async fn call<R: Request<X>>(&self, mut request: R) -> Result<R::Output> {
        loop {
            match Arc::clone(&self.generation).call(request).await {
                Turn::Done(done) => return done.map_err(|e| self.plugin.about::<R>(e)),
                // A swap that was given up.
                Turn::Again(again) if self.plugin.current.load().number == self.generation.number => {
                    request = again
                }
                Turn::Again(_) => {
                    let gone = "the plugin was swapped, and the generation that began this is gone";
                    return Err(self.plugin.about::<R>(Error::new(ErrorKind::Unavailable, gone)));
                }
            }
        }
    }
}
