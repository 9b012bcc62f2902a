//! A request to a plugin: which function, with what, and how its answer is checked.

use larder_core::Result;
use wasmtime::component::{ComponentNamedList, Lift, Lower, TypedFunc};

use crate::{
    bindings::Answer,
    instance::{Access, Exports, Instance},
};

/// A request to a plugin: which function, with what, and how its answer is checked.
pub(crate) trait Request<X: Exports>: Send + 'static {
    /// What goes in.
    type Params: ComponentNamedList + Lower + Send + Sync + 'static;
    /// What comes out of the guest.
    type Wit: Lift + Send + Sync + 'static;
    /// What the caller gets.
    type Output: Send + 'static;
    /// Named in errors.
    const OPERATION: &'static str;
    /// Whether a failure leaves open if something was written.
    const ACCESS: Access;

    /// The function.
    fn func(instance: &Instance<X>) -> TypedFunc<Self::Params, Answer<Self::Wit>>;
    /// Refuses what is past the plugin's declaration or the contract: guests are spared it, and need not be trusted to
    /// refuse it.
    fn fits(&self, description: &X::Description) -> Result<()>;
    /// What goes in; asked for once, just before the call.
    fn params(&mut self) -> Self::Params;
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
    type Params = ();
    type Wit = ();
    type Output = ();
    const OPERATION: &'static str = "health";
    const ACCESS: Access = Access::Reads;

    fn func(instance: &Instance<X>) -> TypedFunc<(), Answer<()>> {
        instance.health_func()
    }

    fn fits(&self, _: &X::Description) -> Result<()> {
        Ok(())
    }

    fn params(&mut self) {}

    fn check(&mut self, (): (), _: &Instance<X>, _: &X::Description) -> Result<()> {
        Ok(())
    }
}
