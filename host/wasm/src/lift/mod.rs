//! Components that export something else than the contract of this host: an older version of it, or an interface of
//! WASI. What they export is *lifted*: each function of the contract is answered by calls of theirs.
//!
//! Lifting happens below the pool, in the instance, so that everything above it (budgets, swaps, checks of what a guest
//! returns) is the same for all components. A component of the host's own version is never lifted, and pays for this with one
//! comparison a call. The invariant: a lift declares no more than it can keep. What would have to be made up is not
//! declared, and the host refuses it.

mod contract;
mod kv;

use wasmtime::{
    Store,
    component::{ComponentNamedList, Lift, Lower, ResourceAny, TypedFunc},
};

pub(crate) use self::{
    contract::{Contract, Linked},
    kv::KvLift,
};
use crate::{
    bindings::{Answer, WitError},
    prepared::Style,
    state::State,
};

/// What a lifted function answers: a trap, an error of the component, or the answer.
pub(crate) type Lifted<T> = wasmtime::Result<Answer<T>>;

/// Calls into one instance, for whoever answers one function by others. All of them share the time that the host gave for
/// that function.
pub(crate) struct Calls<'s> {
    pub(crate) store: &'s mut Store<State>,
    style: Style,
}

impl<'s> Calls<'s> {
    /// Of an instance that has been given its time.
    pub(crate) fn new(store: &'s mut Store<State>, style: Style) -> Self {
        Self { store, style }
    }

    /// Calls a function: ready at once, of an instance that is called inline.
    pub(crate) async fn call<P, R>(&mut self, func: TypedFunc<P, R>, params: P) -> wasmtime::Result<R>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        match self.style {
            Style::Inline => func.call(&mut *self.store, params),
            Style::Fiber => func.call_async(&mut *self.store, params).await,
        }
    }

    /// Gives a handle back to the component, which may run its destructor.
    pub(crate) async fn drop(&mut self, resource: ResourceAny) -> wasmtime::Result<()> {
        match self.style {
            Style::Inline => resource.resource_drop(&mut *self.store),
            Style::Fiber => resource.resource_drop_async(&mut *self.store).await,
        }
    }
}

/// An answer that is good.
pub(crate) fn good<T>(value: T) -> Lifted<T> {
    Ok((Ok(value),))
}

/// An answer that is an error of the component.
pub(crate) fn bad<T>(error: WitError) -> Lifted<T> {
    Ok((Err(error),))
}

/// A component that keeps to this host's contract is called, and not lifted.
pub(crate) fn not_lifted() -> wasmtime::Error {
    wasmtime::format_err!("the component answers for itself")
}

/// What the contract has, and the component hasn't. The host refuses it before, since it is not declared.
pub(crate) fn unsupported<T>(what: &str) -> Lifted<T> {
    bad(WitError::Unsupported(what.to_owned()))
}

/// The value of an answer, or the end of the function that asked for it.
macro_rules! answered {
    ($answer:expr) => {
        match $answer? {
            (Ok(value),) => value,
            (Err(error),) => return $crate::lift::bad(error.into()),
        }
    };
}

pub(crate) use answered;
