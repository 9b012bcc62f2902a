//! A request to a plugin: which function, with what, and how its answer is checked.

use larder_core::Result;
use wasmtime::component::{ComponentNamedList, Lift, Lower, TypedFunc};

use crate::{
    bindings::Answer,
    instance::{Access, Exports, Instance},
    lift::{Calls, Lifted},
};

/// A request to a plugin: which function, with what, and how its answer is checked.
///
/// One that runs at once may borrow from its caller; one that may have to wait owns all it needs (`'static`).
pub(crate) trait Request<X: Exports>: Send {
    /// What goes in, for the time of the call: borrowed where that saves a copy.
    type Params<'p>: ComponentNamedList + Lower + Send + Sync
    where
        Self: 'p;
    /// What comes out of the guest.
    type Wit: Lift + Send + Sync + 'static;
    /// What the caller gets.
    type Output: Send + 'static;
    /// Named in errors.
    const OPERATION: &'static str;
    /// Whether a failure leaves open if something was written.
    const ACCESS: Access;

    /// The function; none where the component keeps to another contract, and is lifted.
    fn func<'p>(instance: &Instance<X>) -> Option<TypedFunc<Self::Params<'p>, Answer<Self::Wit>>>
    where
        Self: 'p;
    /// The same from what a component of another contract exports.
    fn lift(
        &mut self,
        exports: &mut X,
        calls: &mut Calls<'_>,
    ) -> impl Future<Output = Lifted<Self::Wit>> + Send;
    /// Refuses what is past the plugin's declaration or the contract: guests are spared it, and need not be trusted to
    /// refuse it.
    fn fits(&self, description: &X::Description) -> Result<()>;
    /// The same request once more, where it can be repeated: in the generation before, while a new one is on probation.
    fn again(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
    /// What of it a new generation can be asked, too, before it serves; of reads alone.
    fn probe(&self) -> Option<X::Probe> {
        None
    }
    /// What goes in; asked for just before the call.
    fn params(&mut self) -> Self::Params<'_>;
    /// Checks and converts the answer; an error of kind `plugin` costs the instance.
    fn check(
        &mut self,
        wit: Self::Wit,
        instance: &Instance<X>,
        description: &X::Description,
    ) -> Result<Self::Output>;
}

/// Asks whether the service behind the plugin is usable.
pub(crate) struct Health;

impl<X: Exports> Request<X> for Health {
    type Params<'p> = ();
    type Wit = ();
    type Output = ();
    const OPERATION: &'static str = "health";
    const ACCESS: Access = Access::Reads;

    fn func<'p>(instance: &Instance<X>) -> Option<TypedFunc<(), Answer<()>>>
    where
        Self: 'p,
    {
        instance.health_func()
    }

    async fn lift(&mut self, exports: &mut X, calls: &mut Calls<'_>) -> Lifted<()> {
        exports.health(calls).await
    }

    fn fits(&self, _: &X::Description) -> Result<()> {
        Ok(())
    }

    fn params(&mut self) {}

    fn check(&mut self, (): (), _: &Instance<X>, _: &X::Description) -> Result<()> {
        Ok(())
    }
}
