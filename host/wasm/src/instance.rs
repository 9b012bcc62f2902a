//! One instance of a component: a wasmtime store, its functions, and how a call is armed.

use std::sync::Arc;

use futures::FutureExt as _;
use larder_core::{Error, ErrorKind, Result};
use wasmtime::{
    Store,
    component::{ComponentNamedList, Lift, Lower, TypedFunc},
};

use crate::{
    bindings::{Answer, Handoff, Lifecycle, WitError},
    budget::{Exceeded, ticks},
    convert::{error_from_guest, printable},
    engine::Engine,
    lift::{Calls, Contract, Lifted, Linked},
    options::PluginOptions,
    prepared::Style,
    request::Request,
    state::{State, store},
    supervision::Watched,
    usage::Usage,
};

/// The functions of the interface that makes a plugin what it is: `kv` or `blob`.
pub(crate) trait Exports: Sized + Send + Sync + 'static {
    /// What the plugin says of itself.
    type Description: Clone + Send + Sync + 'static;
    /// What stands behind a layer of this kind.
    type Next: Clone + Send + Sync + 'static;
    /// A read that two generations can be asked, to compare their answers.
    type Probe: Send + Sync + 'static;

    /// Finds the functions in a fresh instance, comparing their types.
    fn load(loader: &mut Loader<'_>, contract: &Contract) -> wasmtime::Result<Self>;
    /// Hands the settings to a component that has no `lifecycle` of this version.
    fn configure(
        &mut self,
        calls: &mut Calls<'_>,
        settings: &[(String, String)],
    ) -> impl Future<Output = Lifted<()>> + Send;
    /// Asks such a component whether the service behind it is usable.
    fn health(&mut self, calls: &mut Calls<'_>) -> impl Future<Output = Lifted<()>> + Send;
    /// The function that describes the plugin, and the check of its answer.
    fn describe(instance: &mut Instance<Self>) -> impl Future<Output = Result<Self::Description>> + Send;
    /// Whether one instance owns the data.
    fn is_one(description: &Self::Description) -> bool;
    /// Hands the next store to the functions that a layer imports.
    fn set_next(state: &mut State, next: Self::Next);
    /// Refuses a new generation that could do less than the old one.
    fn check_successor(old: &Self::Description, new: &Self::Description) -> Result<()>;
}

/// Finds exported functions by interface and name.
pub(crate) struct Loader<'a> {
    store: &'a mut Store<State>,
    instance: wasmtime::component::Instance,
}

impl Loader<'_> {
    pub(crate) fn has(&mut self, interface: &str) -> bool {
        self.instance.get_export_index(&mut *self.store, None, interface).is_some()
    }

    pub(crate) fn func<P, R>(&mut self, interface: &str, name: &str) -> wasmtime::Result<TypedFunc<P, R>>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let missing = || wasmtime::format_err!("the component exports no `{interface}#{name}`");
        let outer = self.instance.get_export_index(&mut *self.store, None, interface).ok_or_else(missing)?;
        let func =
            self.instance.get_export_index(&mut *self.store, Some(&outer), name).ok_or_else(missing)?;
        self.instance
            .get_typed_func(&mut *self.store, func)
            .map_err(|e| e.context(format!("`{interface}#{name}` has another type than the contract's")))
    }
}

/// An instance, configured and ready, or being made so.
pub(crate) struct Instance<X> {
    store: Store<State>,
    /// None of a component that keeps to another contract.
    lifecycle: Option<Lifecycle>,
    exports: X,
    style: Style,
    /// Ticks that an ordinary call, and one of the lifecycle, may compute.
    ticks: u64,
    lifecycle_ticks: u64,
    name: String,
    trapped: bool,
    watched: Arc<Watched>,
}

/// Whether a failed call may have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Reads,
    Writes,
}

impl<X: Exports> Instance<X> {
    /// Instantiates, without configuring.
    pub(crate) async fn start(
        engine: &Engine,
        Linked { pre, contract }: &Linked,
        options: &PluginOptions,
        style: Style,
        next: Option<&X::Next>,
        watched: &Arc<Watched>,
    ) -> Result<Self> {
        let mut store = store(engine, options, style)?;
        if let Some(next) = next {
            X::set_next(store.data_mut(), next.clone());
        }
        let lifecycle_ticks = ticks(options.limits.deadline);
        arm(&mut store, lifecycle_ticks);
        let started = match style {
            Style::Inline => pre.instantiate(&mut store),
            Style::Fiber => pre.instantiate_async(&mut store).await,
        };
        let instance = started.map_err(|e| {
            failure(e, store.data().budget.exceeded(), Access::Reads).with("plugin", &options.name)
        })?;
        let mut loader = Loader { store: &mut store, instance };
        let lifecycle = match contract {
            Contract::Own => Lifecycle::load(&mut loader).map(Some),
            _ => Ok(None),
        };
        let loaded = lifecycle.and_then(|found| Ok((found, X::load(&mut loader, contract)?)));
        let (lifecycle, exports) = loaded.map_err(|e| {
            let cause = printable(&e.root_cause().to_string(), 1_024);
            Error::config(format!("the component does not fit the contract: {cause}"))
                .with("plugin", &options.name)
                .caused_by(e.into_boxed_dyn_error())
        })?;
        let ticks = match style {
            Style::Inline => ticks(options.limits.inline_budget),
            Style::Fiber => lifecycle_ticks,
        };
        let (name, watched) = (options.name.clone(), Arc::clone(watched));
        Ok(Self { store, lifecycle, exports, style, ticks, lifecycle_ticks, name, trapped: false, watched })
    }

    /// Hands the instance its settings.
    pub(crate) async fn configure(&mut self, settings: &[(String, String)]) -> Result<()> {
        let configured = match self.lifecycle.as_ref().map(|lifecycle| lifecycle.configure) {
            Some(func) => self.lifecycle_call(func, (settings.to_vec(),), "configure").await,
            None => {
                arm(&mut self.store, self.lifecycle_ticks);
                let mut calls = Calls::new(&mut self.store, self.style);
                let answer = self.exports.configure(&mut calls, settings).await;
                self.lifecycle_answer(answer, "configure")
            }
        };
        configured.map_err(|error| match error.kind() {
            // What is invalid here stands in the configuration.
            ErrorKind::Invalid => {
                Error::config(error.message().to_owned()).operation("configure").with("plugin", &self.name)
            }
            _ => error,
        })
    }

    /// Asks whether the service behind the plugin is usable.
    pub(crate) async fn health(&mut self) -> Result<()> {
        match self.health_func() {
            Some(func) => self.lifecycle_call(func, (), "health").await,
            None => {
                arm(&mut self.store, self.lifecycle_ticks);
                let mut calls = Calls::new(&mut self.store, self.style);
                let answer = self.exports.health(&mut calls).await;
                self.lifecycle_answer(answer, "health")
            }
        }
    }

    pub(crate) fn health_func(&self) -> Option<TypedFunc<(), Answer<()>>> {
        self.lifecycle.as_ref().map(|lifecycle| lifecycle.health)
    }

    /// What the next generation needs to know, if this one hands it over.
    pub(crate) async fn save(&mut self) -> Result<Option<bytes::Bytes>> {
        match self.handoff().map(|h| h.save) {
            None => Ok(None),
            Some(func) => self.lifecycle_call(func, (), "save").await.map(Some),
        }
    }

    /// Takes over from the earlier generation.
    pub(crate) async fn restore(&mut self, snapshot: bytes::Bytes) -> Result<()> {
        match self.handoff().map(|h| h.restore) {
            None => Ok(()),
            Some(func) => self.lifecycle_call(func, (snapshot,), "restore").await,
        }
    }

    /// Whether the plugin hands its state over.
    pub(crate) fn has_handoff(&self) -> bool {
        self.handoff().is_some()
    }

    fn handoff(&self) -> Option<&Handoff> {
        self.lifecycle.as_ref()?.handoff.as_ref()
    }

    async fn lifecycle_call<P, T>(
        &mut self,
        func: TypedFunc<P, Answer<T>>,
        params: P,
        operation: &'static str,
    ) -> Result<T>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        T: Lift + Send + Sync + 'static,
        Answer<T>: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        arm(&mut self.store, self.lifecycle_ticks);
        let answer = match self.style {
            Style::Inline => func.call(&mut self.store, params),
            Style::Fiber => func.call_async(&mut self.store, params).await,
        };
        self.lifecycle_answer(answer, operation)
    }

    fn lifecycle_answer<T>(&mut self, answer: Lifted<T>, operation: &'static str) -> Result<T> {
        self.answer(answer, Access::Reads).map_err(|e| e.operation(operation).with("plugin", &self.name))
    }

    /// Makes a request on the caller's thread: one call, of a component that keeps to this host's contract.
    #[inline]
    pub(crate) fn request_now<R: Request<X>>(&mut self, request: &mut R) -> Result<R::Wit> {
        match R::func(self) {
            Some(func) => self.call_now(func, request.params(), R::ACCESS),
            None => self.lift_now(request),
        }
    }

    #[cold]
    fn lift_now<R: Request<X>>(&mut self, request: &mut R) -> Result<R::Wit> {
        let done = self.lift(request).now_or_never();
        done.unwrap_or_else(|| Err(Error::new(ErrorKind::Plugin, "a call of an inline plugin waited")))
    }

    /// Makes a request on a fiber, or on the caller's thread for an inline plugin.
    pub(crate) async fn request<R: Request<X>>(&mut self, request: &mut R) -> Result<R::Wit> {
        match R::func(self) {
            Some(func) => self.call(func, request.params(), R::ACCESS).await,
            None => self.lift(request).await,
        }
    }

    /// Makes a request to a component of another contract: several calls, that share the time of one.
    async fn lift<R: Request<X>>(&mut self, request: &mut R) -> Result<R::Wit> {
        arm(&mut self.store, self.ticks);
        let mut calls = Calls::new(&mut self.store, self.style);
        let answer = request.lift(&mut self.exports, &mut calls).await;
        self.answer(answer, R::ACCESS)
    }

    /// Calls a function on the caller's thread.
    pub(crate) fn call_now<P, T>(
        &mut self,
        func: TypedFunc<P, Answer<T>>,
        params: P,
        access: Access,
    ) -> Result<T>
    where
        P: ComponentNamedList + Lower,
        T: Lift,
        Answer<T>: ComponentNamedList + Lift,
    {
        arm(&mut self.store, self.ticks);
        let answer = func.call(&mut self.store, params);
        self.answer(answer, access)
    }

    /// Calls a function on a fiber, or on the caller's thread for an inline plugin.
    pub(crate) async fn call<P, T>(
        &mut self,
        func: TypedFunc<P, Answer<T>>,
        params: P,
        access: Access,
    ) -> Result<T>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        T: Lift + Send + Sync + 'static,
        Answer<T>: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        if self.style == Style::Inline {
            return self.call_now(func, params, access);
        }
        arm(&mut self.store, self.ticks);
        let answer = func.call_async(&mut self.store, params).await;
        self.answer(answer, access)
    }

    #[inline]
    fn answer<T>(&mut self, answer: wasmtime::Result<Answer<T>>, access: Access) -> Result<T> {
        match answer {
            Ok((Ok(value),)) => Ok(value),
            Ok((Err(error),)) => Err(self.refused(error, access)),
            Err(error) => {
                self.trapped = true;
                Err(failure(error, self.store.data().budget.exceeded(), access))
            }
        }
    }

    #[cold]
    fn refused(&self, error: WitError, access: Access) -> Error {
        let error = error_from_guest(error, access);
        // Whatever the guest made of it, the person who reads this wants to know which grant is missing.
        match self.store.data().refusal() {
            Some(refusal) => error.with("refused", refusal),
            None => error,
        }
    }

    /// Checks what a call answered. Says whether the instance can be called again.
    #[inline]
    pub(crate) fn finish<R: Request<X>>(
        &self,
        request: &mut R,
        answer: Result<R::Wit>,
        about: &X::Description,
    ) -> (Result<R::Output>, bool) {
        if self.trapped {
            self.tell_of_trap(R::OPERATION);
        }
        let mut keep = !self.trapped;
        let output = answer.and_then(|wit| {
            let checked = request.check(wit, self, about);
            keep &= !checked.as_ref().is_err_and(|e| e.kind() == ErrorKind::Plugin);
            checked
        });
        if let (false, Err(error)) = (keep, &output) {
            self.watched.lost(error);
        }
        (output, keep)
    }

    /// The call that ran did not answer within its deadline, and is dropped.
    #[cold]
    pub(crate) fn late(&self, error: &Error) {
        self.watched.late(error);
    }

    #[cold]
    fn tell_of_trap(&self, operation: &'static str) {
        tracing::warn!(plugin = self.name, operation, "an instance trapped and was dropped");
    }

    pub(crate) fn exports(&self) -> &X {
        &self.exports
    }

    pub(crate) fn clock_now(&self) -> larder_core::Timestamp {
        self.store.data().clock.now()
    }

    /// What the instance holds now.
    pub(crate) fn usage(&mut self) -> Usage {
        let state = self.store.data_mut();
        Usage { memory_bytes: state.budget.memory_bytes(), handles: state.handles() }
    }

    /// Whether a call trapped: the store can't be entered again.
    pub(crate) fn is_trapped(&self) -> bool {
        self.trapped
    }
}

/// Gives the next entry into the guest its time.
#[inline]
fn arm(store: &mut Store<State>, ticks: u64) {
    store.set_epoch_deadline(1);
    let state = store.data_mut();
    state.budget.arm(ticks);
    state.arm_network();
}

/// What became of a call that ended in a trap. Whether the trap came before or after a write nobody knows.
fn failure(error: wasmtime::Error, exceeded: Option<Exceeded>, access: Access) -> Error {
    let message = match exceeded {
        Some(Exceeded::Time) => "the plugin ran out of its time".to_owned(),
        Some(Exceeded::Memory) => "the plugin asked for more memory than it may have, and trapped".to_owned(),
        Some(Exceeded::Table) => {
            "the plugin asked for larger tables than it may have, and trapped".to_owned()
        }
        None => format!("the plugin trapped: {}", printable(&error.root_cause().to_string(), 1_024)),
    };
    let failed = Error::new(ErrorKind::Plugin, message).caused_by(error.into_boxed_dyn_error());
    match access {
        Access::Reads => failed,
        Access::Writes => failed.effect(larder_core::Effect::Unknown),
    }
}
