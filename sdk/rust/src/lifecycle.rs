//! What every plugin may add to its world: handing its state to the next generation.

use crate::Result;

/// Hands in-memory state from one generation of a plugin to the next, so that a swap loses nothing.
///
/// Export it with `handoff` as second argument of the export macro.
pub trait Handoff {
    /// Everything that the next generation needs, in a form that says its own version.
    ///
    /// # Behavior
    /// * No call follows it in this instance.
    ///
    /// # Errors
    /// Any; the swap does not happen.
    fn save(&mut self) -> Result<Vec<u8>>;

    /// Takes over what an earlier generation saved.
    ///
    /// # Behavior
    /// * Called after `configure` and before any other call.
    /// * A form that it does not know is `unsupported`, a damaged one `corrupt`.
    ///
    /// # Errors
    /// Any; the earlier generation stays in service.
    fn restore(&mut self, snapshot: Vec<u8>) -> Result<()>;
}
