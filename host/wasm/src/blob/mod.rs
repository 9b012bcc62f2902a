//! A component of world `blob-backend` or `blob-layer` as an OpenDAL service, so that every layer of OpenDAL works
//! on it.
//!
//! The contract of a blob plugin is calls, OpenDAL's is streams. The difference is made up here: a writer cuts what it
//! gets into parts of the size that the plugin wants, a reader asks for bounded ranges, a lister for pages. A
//! writer stays with the generation that began it, and a swap waits for it. Reads and listings are single
//! calls that any generation answers; that their pieces belong together is checked by the blob's entity tag.

mod convert;
mod error;
mod list;
mod pieces;
mod read;
mod request;
mod service;
mod shadow;
#[cfg(test)]
mod tests;
mod trial;
mod write;

use std::{fmt, sync::Arc};

use larder_core::{Clock, Error, Result};
use opendal::{Builder, Operator, raw::Service};

pub(crate) use self::{convert::BlobDescription, error::from_operator};
use self::{request::Describe, service::BlobService, shadow::BlobProbe};
use crate::{
    bindings::blob::{BlobExports, BlobFuncs, Features, Instances},
    blob_import::NextBlob,
    engine::Engine,
    generation::Generation,
    inspect::World,
    instance::{Exports, Instance, Loader},
    job::Caller,
    lift::{Calls, Contract, Lifted, not_lifted},
    options::PluginOptions,
    plugin::Plugin,
    prepared::Style,
    request::Health,
    source::Source,
    standard::Objects,
    state::State,
    supervision::PluginReport,
    swap::{ReadySwap, Scratch, SwapOptions, Swappable, Swapped, Tried},
    usage::{Measure, Usage},
};

/// A component as a blob store. Cheap to clone; the clones share its instances.
#[derive(Clone)]
pub struct BlobPlugin(Arc<Plugin<BlobExports>>);

impl BlobPlugin {
    /// Loads a component of world `blob-backend`: read, checked, compiled, instantiated, configured, healthy.
    ///
    /// # Errors
    /// As [`KvPlugin::load`](crate::KvPlugin::load).
    pub async fn load(engine: &Arc<Engine>, source: &Source, options: PluginOptions) -> Result<Self> {
        let plugin = Plugin::load(engine, source, options, World::BlobBackend, None).await?;
        Ok(Self(Arc::new(plugin)))
    }

    /// Loads a component of world `blob-layer` in front of `next`. The next store must list in the order of the paths,
    /// as larder's own do; its parts come one after the other.
    ///
    /// # Errors
    /// As [`KvPlugin::load`](crate::KvPlugin::load).
    pub async fn load_layer(
        engine: &Arc<Engine>,
        source: &Source,
        options: PluginOptions,
        next: Operator,
    ) -> Result<Self> {
        let next = Arc::new(NextBlob::new(next));
        let plugin = Plugin::load(engine, source, options, World::BlobLayer, Some(next)).await?;
        Ok(Self(Arc::new(plugin)))
    }

    /// The plugin as an operator, with OpenDAL's checks of what it declares. The operator follows swaps.
    #[expect(clippy::missing_panics_doc, reason = "the builder below fails only without a service")]
    pub fn operator(&self) -> Operator {
        let ready = Ready(Some(BlobService::new(Arc::clone(&self.0))));
        #[expect(clippy::expect_used, reason = "the builder below fails only without a service")]
        Operator::new(ready).expect("a service that is there already")
    }

    /// Puts another component in the place of the current one, on the same settings and grants, as the options that every
    /// swap has say: tried out, warm, and on probation afterwards. No call is lost and none sees two generations. A failed
    /// step leaves the current one serving. Writers stay with the generation that began them.
    ///
    /// # Errors
    /// As [`Self::load`]; `unsupported` where the new component can do less than the old; `plugin` where it fails its
    /// self-test or answers reads otherwise than the old; `timeout` where calls in flight did not end.
    pub async fn swap(&self, source: &Source) -> Result<Swapped> {
        self.swap_with(source, &SwapOptions::default()).await
    }

    /// The same with other options.
    ///
    /// # Errors
    /// As [`Self::swap`].
    pub async fn swap_with(&self, source: &Source, options: &SwapOptions) -> Result<Swapped> {
        self.prepare_swap(source, options).await?.finish().await
    }

    /// Does all of a swap that changes nothing yet, so that several plugins can be swapped together or not at all.
    ///
    /// # Errors
    /// As [`Self::swap`].
    pub async fn prepare_swap(&self, source: &Source, options: &SwapOptions) -> Result<ReadySwap> {
        ReadySwap::prepare(&self.0, source, options).await
    }

    /// Waits until no generation is on probation: it has passed, or the one before serves again. Cancel safe.
    pub async fn settled(&self) {
        self.0.settled().await;
    }

    /// Whether a generation is on probation.
    pub fn is_on_probation(&self) -> bool {
        self.0.is_on_probation()
    }

    /// Asks the plugin whether the service behind it is usable.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub async fn health(&self) -> Result<()> {
        self.0.call(Health).await
    }

    /// Whether its calls are refused now, because its component is in a back-off or in quarantine.
    pub fn is_refusing(&self) -> bool {
        self.0.is_refusing()
    }

    /// What an instance holds now. It is one of them: of a plugin with several it says nothing about the others.
    ///
    /// # Errors
    /// As of any call that does not get an instance.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn usage(&self) -> Result<Usage> {
        self.0.run(Measure).await
    }

    /// How the plugin does: whether it is called, what its calls came to, what waits.
    pub fn report(&self) -> PluginReport {
        self.0.report()
    }

    /// Forgets the strikes of the component that serves, and ends its back-off or quarantine, for each plugin of the engine
    /// that runs the same bytes.
    pub fn release(&self) {
        self.0.release();
    }

    /// The number of the generation that serves, from 1 on. A number is given once: after a return it is a lower one.
    pub fn generation(&self) -> u64 {
        self.0.current().number
    }

    /// The SHA-256 of the component that serves, in hexadecimal.
    pub fn digest(&self) -> String {
        self.0.current().digest.clone()
    }

    /// Where the component that serves came from.
    pub fn source(&self) -> String {
        self.0.current().source.clone()
    }

    /// Whether the plugin is called inline, on the caller's thread.
    pub fn is_inline(&self) -> bool {
        self.0.current().style() == Style::Inline
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        self.0.name()
    }
}

impl fmt::Display for BlobPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.next() {
            None => f.write_str(self.name()),
            Some(next) => write!(f, "{}({next})", self.name()),
        }
    }
}

impl fmt::Debug for BlobPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.0.current();
        write!(f, "BlobPlugin({self}, generation {}, {})", current.number, current.digest)
    }
}

impl BlobExports {
    fn own(&self) -> Option<&BlobFuncs> {
        match self {
            Self::Own(blob) => Some(blob),
            Self::Lifted(_) => None,
        }
    }

    fn lifted(&mut self) -> wasmtime::Result<&mut Objects> {
        match self {
            Self::Own(_) => Err(not_lifted()),
            Self::Lifted(objects) => Ok(objects),
        }
    }
}

impl Exports for BlobExports {
    type Description = BlobDescription;
    type Next = Arc<NextBlob>;
    type Probe = BlobProbe;

    fn load(loader: &mut Loader<'_>, contract: &Contract) -> wasmtime::Result<Self> {
        Ok(match contract {
            Contract::Blobstore(shape) => Self::Lifted(Box::new(Objects::load(shape, loader)?)),
            _ => Self::Own(BlobFuncs::load(loader)?),
        })
    }

    async fn configure(&mut self, calls: &mut Calls<'_>, settings: &[(String, String)]) -> Lifted<()> {
        self.lifted()?.configure(calls, settings).await
    }

    async fn health(&mut self, calls: &mut Calls<'_>) -> Lifted<()> {
        self.lifted()?.health(calls).await
    }

    async fn describe(instance: &mut Instance<Self>) -> Result<BlobDescription> {
        let wit = instance.request(&mut Describe).await?;
        let is_lifted = instance.exports().own().is_none();
        Ok(BlobDescription { in_order: is_lifted, ..convert::description(&wit)? })
    }

    fn is_one(description: &BlobDescription) -> bool {
        description.instances == Instances::One
    }

    fn set_next(state: &mut State, next: Self::Next) {
        state.next_blob = Some(next);
    }

    fn check_successor(old: &BlobDescription, new: &BlobDescription) -> Result<()> {
        if (old.features & new.features) != old.features {
            return Err(Error::unsupported("the new component can do less than the old"));
        }
        let whole = |about: &BlobDescription| about.features & Features::MULTIPART == Features::default();
        if whole(new) && new.part_bytes_max < old.part_bytes_max {
            return Err(Error::unsupported("the new component takes smaller blobs than the old"));
        }
        Ok(())
    }
}

impl Swappable for BlobExports {
    type Answer = shadow::BlobAnswer;
    type CleanUp = trial::CleanUp;

    #[expect(clippy::expect_used, reason = "a store in memory has nothing that could be wrong")]
    fn scratch_next(_: Arc<dyn Clock>) -> Self::Next {
        let memory = Operator::new(opendal::services::Memory::default()).expect("a store in memory opens");
        Arc::new(NextBlob::new(memory))
    }

    async fn try_out(
        caller: &mut Caller<'_, Self>,
        about: &BlobDescription,
        scratch: &Scratch,
    ) -> Result<Tried> {
        trial::try_out(caller, about, scratch).await
    }

    async fn clean_up(caller: &mut Caller<'_, Self>, scratch: &Scratch) -> Result<()> {
        trial::clean_up(caller, scratch).await
    }

    fn cleaner(scratch: Scratch) -> trial::CleanUp {
        trial::CleanUp(scratch)
    }

    async fn ask(generation: &Arc<Generation<Self>>, probe: &BlobProbe) -> Result<shadow::BlobAnswer> {
        shadow::answer(generation, probe).await
    }

    fn difference(
        about: (&BlobDescription, &BlobDescription),
        old: &shadow::BlobAnswer,
        new: &shadow::BlobAnswer,
    ) -> Option<&'static str> {
        shadow::difference(about, old, new)
    }

    fn name(probe: &BlobProbe) -> (&'static str, &str) {
        ("read", &probe.0)
    }
}

/// A builder of a service that is there already: `Operator::new` puts OpenDAL's checks of what a service
/// declares on top of it, `Operator::from_inner` does not.
#[derive(Default)]
struct Ready(Option<BlobService>);

impl Builder for Ready {
    type Config = ();

    fn build(self) -> opendal::Result<impl Service> {
        self.0.ok_or_else(|| opendal::Error::new(opendal::ErrorKind::ConfigInvalid, "no plugin to call"))
    }
}
