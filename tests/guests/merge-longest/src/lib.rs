//! A merge policy that keeps the longer of two values, and ours where they are as long.

use larder_sdk::merge::MergePolicy;
use larder_sdk::{Result, Settings, export_merge_policy};

/// The plugin.
#[derive(Debug)]
pub struct MergeLongest;

impl MergePolicy for MergeLongest {
    fn configure(settings: Settings) -> Result<Self> {
        settings.finish()?;
        Ok(Self)
    }

    fn merge(
        &mut self,
        _key: &str,
        _base: Option<Vec<u8>>,
        ours: Vec<u8>,
        theirs: Vec<u8>,
    ) -> Result<Option<Vec<u8>>> {
        Ok(Some(if theirs.len() > ours.len() { theirs } else { ours }))
    }
}

export_merge_policy!(MergeLongest);
