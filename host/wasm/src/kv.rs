//! A component of world `kv-backend` or `kv-layer` as a key-value store.

mod shadow;
mod trial;

use std::{borrow::Borrow, fmt, sync::Arc};

use larder_core::{
    BoxFuture, Clock, Commit, Description, Entry, Error, ErrorKind, Key, KvStore, MemoryKv, Outcome, Page,
    Result, Scan, Want, limits::KEY_BYTES_MAX,
};
use wasmtime::component::TypedFunc;

use crate::{
    bindings::{
        Answer,
        kv::{
            CommitParams, Instances, KvExports, KvFuncs, ScanParams, WitDescription, WitEntry, WitOutcome,
            WitPage,
        },
    },
    convert,
    engine::Engine,
    generation::Generation,
    inspect::World,
    instance::{Access, Exports, Instance, Loader},
    job::Caller,
    lift::{Calls, Contract, KvLift, Lifted, not_lifted},
    options::PluginOptions,
    plugin::Plugin,
    prepared::Style,
    request::{Health, Request},
    source::Source,
    state::State,
    supervision::PluginReport,
    swap::{ReadySwap, Scratch, SwapOptions, Swappable, Swapped, Tried, is_scratch},
    usage::{Measure, Usage},
};
pub(crate) use shadow::KvProbe;

/// A component as a key-value store. Cheap to clone; the clones share its instances.
#[derive(Clone)]
pub struct KvPlugin(Arc<Plugin<KvExports>>);

impl KvPlugin {
    /// Loads a component of world `kv-backend`: read, checked, compiled, instantiated, configured, healthy.
    ///
    /// # Errors
    /// `config` where the component is not one, is of another world or version, or refuses its settings; `denied` where
    /// it imports what is not granted, or its digest is not the pinned one; `plugin` where it traps.
    pub async fn load(engine: &Arc<Engine>, source: &Source, options: PluginOptions) -> Result<Self> {
        Plugin::load(engine, source, options, World::KvBackend, None)
            .await
            .map(|plugin| Self(Arc::new(plugin)))
    }

    /// Loads a component of world `kv-layer` in front of `next`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn load_layer(
        engine: &Arc<Engine>,
        source: &Source,
        options: PluginOptions,
        next: Arc<dyn KvStore>,
    ) -> Result<Self> {
        Plugin::load(engine, source, options, World::KvLayer, Some(next))
            .await
            .map(|plugin| Self(Arc::new(plugin)))
    }

    /// Puts another component in the place of the current one, on the same settings and grants, as the options that every
    /// swap has say: tried out, warm, and on probation afterwards. No call is lost and none sees two generations. A failed
    /// step leaves the current one serving.
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

/// A conflict names its key as the caller wrote it: the guest's text was made printable, which is no key any more
/// where the key has control characters.
fn with_own_key(error: Error, commit: &Commit) -> Error {
    let told = error.context("key").filter(|_| error.kind() == ErrorKind::Conflict);
    let own = told.and_then(|told| {
        let mut keys = commit.checks.iter().map(|check| &check.key).filter(|key| key.as_str() != told);
        keys.find(|key| convert::printable(key, KEY_BYTES_MAX) == told)
    });
    match own {
        Some(key) => Error::conflict(error.message().to_owned(), key).operation("commit"),
        None => error,
    }
}

/// What a key-value plugin says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KvDescription {
    pub(crate) store: Description,
    instances: Instances,
}

impl KvExports {
    #[inline]
    fn own(&self) -> Option<&KvFuncs> {
        match self {
            Self::Own(kv) => Some(kv),
            Self::Lifted(_) => None,
        }
    }

    fn lifted(&mut self) -> wasmtime::Result<&mut KvLift> {
        match self {
            Self::Own(_) => Err(not_lifted()),
            Self::Lifted(lift) => Ok(lift),
        }
    }
}

/// Asks what the plugin is. What it says is checked by who asks.
struct Describe;

impl Request<KvExports> for Describe {
    type Params<'p> = ();
    type Wit = WitDescription;
    type Output = WitDescription;
    const OPERATION: &'static str = "describe";
    const ACCESS: Access = Access::Reads;

    fn func<'p>(instance: &Instance<KvExports>) -> Option<TypedFunc<(), Answer<WitDescription>>>
    where
        Self: 'p,
    {
        instance.exports().own().map(|kv| kv.describe)
    }

    async fn lift(&mut self, exports: &mut KvExports, calls: &mut Calls<'_>) -> Lifted<WitDescription> {
        exports.lifted()?.describe(calls).await
    }

    fn fits(&self, _: &KvDescription) -> Result<()> {
        Ok(())
    }

    fn params(&mut self) {}

    fn check(
        &mut self,
        wit: WitDescription,
        _: &Instance<KvExports>,
        _: &KvDescription,
    ) -> Result<WitDescription> {
        Ok(wit)
    }
}

impl Exports for KvExports {
    type Description = KvDescription;
    type Next = Arc<dyn KvStore>;
    type Probe = KvProbe;

    fn load(loader: &mut Loader<'_>, contract: &Contract) -> wasmtime::Result<Self> {
        Ok(match KvLift::load(loader, contract)? {
            Some(lift) => Self::Lifted(lift),
            None => Self::Own(KvFuncs::load(loader)?),
        })
    }

    async fn configure(&mut self, calls: &mut Calls<'_>, settings: &[(String, String)]) -> Lifted<()> {
        self.lifted()?.configure(calls, settings).await
    }

    async fn health(&mut self, calls: &mut Calls<'_>) -> Lifted<()> {
        self.lifted()?.health(calls).await
    }

    async fn describe(instance: &mut Instance<Self>) -> Result<KvDescription> {
        let wit = instance.request(&mut Describe).await?;
        Ok(KvDescription { store: convert::description(&wit)?, instances: wit.instances })
    }

    fn is_one(description: &KvDescription) -> bool {
        description.instances == Instances::One
    }

    fn set_next(state: &mut State, next: Self::Next) {
        state.next_kv = Some(next);
    }

    fn check_successor(old: &KvDescription, new: &KvDescription) -> Result<()> {
        new.store.require(old.store.capabilities)?;
        let shrunk = new.store.key_bytes_max < old.store.key_bytes_max
            || new.store.value_bytes_max < old.store.value_bytes_max;
        if shrunk {
            return Err(Error::unsupported(
                "the new component takes shorter keys or smaller values than the old",
            ));
        }
        Ok(())
    }
}

impl Swappable for KvExports {
    type Answer = shadow::KvAnswer;
    type CleanUp = trial::CleanUp;

    fn scratch_next(clock: Arc<dyn Clock>) -> Self::Next {
        Arc::new(MemoryKv::with_clock(clock))
    }

    async fn try_out(
        caller: &mut Caller<'_, Self>,
        about: &KvDescription,
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

    async fn ask(generation: &Arc<Generation<Self>>, probe: &KvProbe) -> Result<shadow::KvAnswer> {
        shadow::answer(generation, probe).await
    }

    fn difference(
        about: (&KvDescription, &KvDescription),
        old: &shadow::KvAnswer,
        new: &shadow::KvAnswer,
    ) -> Option<&'static str> {
        shadow::difference(about, old, new)
    }

    fn name(probe: &KvProbe) -> (&'static str, &str) {
        shadow::name(probe)
    }
}

/// The key is borrowed where the call runs at once (sharing it would cost as much as checking it), and owned where the call
/// may outlive its caller.
pub(crate) struct Get<K>(pub(crate) K);

impl<K: Borrow<Key> + Clone + Send> Request<KvExports> for Get<K> {
    type Params<'p>
        = (&'p str,)
    where
        Self: 'p;
    type Wit = Option<WitEntry>;
    type Output = Option<Entry>;
    const OPERATION: &'static str = "get";
    const ACCESS: Access = Access::Reads;

    fn func<'p>(instance: &Instance<KvExports>) -> Option<TypedFunc<Self::Params<'p>, Answer<Self::Wit>>>
    where
        Self: 'p,
    {
        instance.exports().own().map(|kv| kv.get)
    }

    async fn lift(&mut self, exports: &mut KvExports, calls: &mut Calls<'_>) -> Lifted<Self::Wit> {
        exports.lifted()?.get(calls, self.0.borrow().as_str()).await
    }

    fn fits(&self, about: &KvDescription) -> Result<()> {
        about.store.check_key(self.0.borrow())
    }

    fn again(&self) -> Option<Self> {
        Some(Self(self.0.clone()))
    }

    fn probe(&self) -> Option<KvProbe> {
        Some(KvProbe::Get(self.0.borrow().clone()))
    }

    fn params(&mut self) -> Self::Params<'_> {
        (self.0.borrow().as_str(),)
    }

    fn check(
        &mut self,
        wit: Self::Wit,
        instance: &Instance<KvExports>,
        about: &KvDescription,
    ) -> Result<Self::Output> {
        match wit {
            None => Ok(None),
            Some(found) => convert::entry(found, || instance.clock_now(), about.store.value_bytes_max),
        }
    }
}

/// As [`Get`].
pub(crate) struct GetMany<K>(pub(crate) K);

impl<K: AsRef<[Key]> + Clone + Send> Request<KvExports> for GetMany<K> {
    type Params<'p>
        = (Vec<&'p str>,)
    where
        Self: 'p;
    type Wit = Vec<Option<WitEntry>>;
    type Output = Vec<Option<Entry>>;
    const OPERATION: &'static str = "get_many";
    const ACCESS: Access = Access::Reads;

    fn func<'p>(instance: &Instance<KvExports>) -> Option<TypedFunc<Self::Params<'p>, Answer<Self::Wit>>>
    where
        Self: 'p,
    {
        instance.exports().own().map(|kv| kv.get_many)
    }

    async fn lift(&mut self, exports: &mut KvExports, calls: &mut Calls<'_>) -> Lifted<Self::Wit> {
        exports.lifted()?.get_many(calls, &self.params().0).await
    }

    fn fits(&self, about: &KvDescription) -> Result<()> {
        about.store.check_keys(self.0.as_ref())
    }

    fn again(&self) -> Option<Self> {
        Some(Self(self.0.clone()))
    }

    fn probe(&self) -> Option<KvProbe> {
        Some(KvProbe::GetMany(self.0.as_ref().to_vec()))
    }

    fn params(&mut self) -> Self::Params<'_> {
        (self.0.as_ref().iter().map(Key::as_str).collect(),)
    }

    fn check(
        &mut self,
        wit: Self::Wit,
        instance: &Instance<KvExports>,
        about: &KvDescription,
    ) -> Result<Self::Output> {
        let keys = self.0.as_ref().len();
        if wit.len() != keys {
            return Err(convert::broken(format!("the plugin returned {} answers to {keys} keys", wit.len())));
        }
        let limit = about.store.value_bytes_max;
        let one = |found: Option<WitEntry>| match found {
            None => Ok(None),
            Some(found) => convert::entry(found, || instance.clock_now(), limit),
        };
        wit.into_iter().map(one).collect()
    }
}

impl Request<KvExports> for Scan {
    type Params<'p> = ScanParams;
    type Wit = WitPage;
    type Output = Page;
    const OPERATION: &'static str = "scan";
    const ACCESS: Access = Access::Reads;

    fn func<'p>(instance: &Instance<KvExports>) -> Option<TypedFunc<Self::Params<'p>, Answer<Self::Wit>>>
    where
        Self: 'p,
    {
        instance.exports().own().map(|kv| kv.scan)
    }

    async fn lift(&mut self, exports: &mut KvExports, calls: &mut Calls<'_>) -> Lifted<Self::Wit> {
        {
            let scan = self.params();
            exports.lifted()?.scan(calls, scan).await
        }
    }

    fn fits(&self, about: &KvDescription) -> Result<()> {
        about.store.check_scan(self)
    }

    fn again(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn probe(&self) -> Option<KvProbe> {
        Some(KvProbe::Scan(self.clone()))
    }

    fn params(&mut self) -> Self::Params<'_> {
        (self.range.start.clone(), self.range.end.clone(), self.limit, self.want == Want::Keys)
    }

    fn check(
        &mut self,
        wit: Self::Wit,
        instance: &Instance<KvExports>,
        about: &KvDescription,
    ) -> Result<Self::Output> {
        let mut page = convert::page(wit, self, instance.clock_now(), about.store.value_bytes_max)?;
        // What a canary keeps for a moment is nobody's business but its own.
        if !is_scratch(&self.range.start) {
            page.entries.retain(|(key, _)| !is_scratch(key));
        }
        Ok(page)
    }
}

impl Request<KvExports> for Commit {
    type Params<'p> = CommitParams;
    type Wit = Vec<WitOutcome>;
    type Output = Vec<Outcome>;
    const OPERATION: &'static str = "commit";
    const ACCESS: Access = Access::Writes;

    fn func<'p>(instance: &Instance<KvExports>) -> Option<TypedFunc<Self::Params<'p>, Answer<Self::Wit>>>
    where
        Self: 'p,
    {
        instance.exports().own().map(|kv| kv.commit)
    }

    async fn lift(&mut self, exports: &mut KvExports, calls: &mut Calls<'_>) -> Lifted<Self::Wit> {
        {
            let commit = self.params();
            exports.lifted()?.commit(calls, commit).await
        }
    }

    fn fits(&self, about: &KvDescription) -> Result<()> {
        about.store.check_commit(self)
    }

    fn again(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn params(&mut self) -> Self::Params<'_> {
        convert::commit_to_guest(self)
    }

    fn check(&mut self, wit: Self::Wit, _: &Instance<KvExports>, _: &KvDescription) -> Result<Self::Output> {
        convert::outcomes(wit, self)
    }
}

#[deny(clippy::missing_trait_methods)]
impl KvStore for KvPlugin {
    fn describe(&self) -> Description {
        self.0.description().store
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            match self.0.call_now(&mut Get(key)) {
                Some(done) => done,
                None => Box::pin(self.0.run(Get(key.clone()))).await,
            }
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(async move {
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            match self.0.call_now(&mut GetMany(keys)) {
                Some(done) => done,
                None => Box::pin(self.0.run(GetMany(keys.to_vec()))).await,
            }
        })
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(self.0.call(scan.clone()))
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(
            async move { self.0.call(commit.clone()).await.map_err(|error| with_own_key(error, commit)) },
        )
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.0.call(Health))
    }
}

impl fmt::Display for KvPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.next() {
            None => f.write_str(self.name()),
            Some(next) => write!(f, "{}({next})", self.name()),
        }
    }
}

impl fmt::Debug for KvPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.0.current();
        write!(f, "KvPlugin({self}, generation {}, {})", current.number, current.digest)
    }
}
