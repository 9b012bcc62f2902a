//! Where the instance lives.
//!
//! A component is single-threaded and the component model forbids to enter it twice, so a `RefCell` in a
//! thread-local is never found borrowed: no lock and no `unsafe` is needed.

use std::cell::RefCell;

use crate::{Error, Handoff, Result};

/// The cell of an author's type; none before `configure`.
pub type Cell<T> = RefCell<Option<T>>;

/// A started plugin with what the SDK remembers for it.
#[derive(Debug)]
pub struct Started<P, D> {
    /// The author's instance.
    pub plugin: P,
    /// What it declared after `configure`, where the SDK holds it to that.
    pub description: D,
}

/// Implemented by the export macros: reaches the cell of an exported type.
pub trait Hosted: Sized + 'static {
    /// What is remembered besides the author's instance.
    type Description: 'static;

    /// Calls `f` with the cell.
    fn with_cell<R>(f: impl FnOnce(&Cell<Started<Self, Self::Description>>) -> R) -> R;
}

/// Starts the instance; a second `configure` is refused.
pub(crate) fn start<P: Hosted>(make: impl FnOnce() -> Result<Started<P, P::Description>>) -> Result<()> {
    P::with_cell(|cell| {
        if cell.borrow().is_some() {
            return Err(Error::invalid("this instance is configured already"));
        }
        let started = make()?;
        *cell.borrow_mut() = Some(started);
        Ok(())
    })
}

/// Calls `f` with the started instance.
pub(crate) fn call<P: Hosted, R>(f: impl FnOnce(&mut Started<P, P::Description>) -> Result<R>) -> Result<R> {
    P::with_cell(|cell| match &mut *cell.borrow_mut() {
        Some(started) => f(started),
        None => Err(Error::invalid("called before configure")),
    })
}

/// The same for functions that can't answer an error: what was never configured answers `R`'s default.
pub(crate) fn call_infallible<P: Hosted, R: Default>(f: impl FnOnce(&mut P) -> R) -> R {
    P::with_cell(|cell| cell.borrow_mut().as_mut().map(|started| f(&mut started.plugin)).unwrap_or_default())
}

/// Adapts [`Handoff`].
#[derive(Debug)]
pub struct HandoffExport<P>(std::marker::PhantomData<P>);

impl<P: Hosted + Handoff> crate::bindings::handoff::exports::larder::store::handoff::Guest
    for HandoffExport<P>
{
    fn save() -> Result<Vec<u8>> {
        call::<P, _>(|started| started.plugin.save())
    }

    fn restore(snapshot: Vec<u8>) -> Result<()> {
        call::<P, _>(|started| started.plugin.restore(snapshot))
    }
}
