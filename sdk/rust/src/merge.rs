//! Merge policies: one value out of two.
//!
//! ```
//! use larder_sdk::{Result, Settings, export_merge_policy, merge::MergePolicy};
//!
//! struct KeepLonger;
//!
//! impl MergePolicy for KeepLonger {
//!     fn configure(settings: Settings) -> Result<Self> {
//!         settings.finish().map(|()| KeepLonger)
//!     }
//!
//!     fn merge(
//!         &mut self,
//!         _key: &str,
//!         _base: Option<Vec<u8>>,
//!         ours: Vec<u8>,
//!         theirs: Vec<u8>,
//!     ) -> Result<Option<Vec<u8>>> {
//!         Ok(Some(if theirs.len() > ours.len() { theirs } else { ours }))
//!     }
//! }
//!
//! export_merge_policy!(KeepLonger);
//! ```

use crate::{Result, Settings};

/// Resolves two writers' conflicting values.
pub trait MergePolicy: Sized + 'static {
    /// Makes the instance.
    ///
    /// # Errors
    /// `invalid` for a setting that is unknown, missing or makes no sense, naming it.
    fn configure(settings: Settings) -> Result<Self>;

    /// Is the policy usable?
    ///
    /// # Errors
    /// Whatever stands in the way.
    fn health(&mut self) -> Result<()> {
        Ok(())
    }

    /// One value out of two. `base` is what both started from, where it is known. None: keep neither.
    ///
    /// # Errors
    /// Where the values can't be merged.
    fn merge(
        &mut self,
        key: &str,
        base: Option<Vec<u8>>,
        ours: Vec<u8>,
        theirs: Vec<u8>,
    ) -> Result<Option<Vec<u8>>>;
}
