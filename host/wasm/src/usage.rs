//! What an instance holds at this moment, for whoever looks for a leak.

use larder_core::Result;

use crate::{
    bindings::{blob::BlobExports, kv::KvExports},
    instance::{Access, Exports},
    job::{Caller, Job},
};

/// What one instance of a plugin holds between two calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// All its linear memories together, in bytes. They never shrink, so it is the peak as well.
    pub memory_bytes: usize,
    /// Handles of the host: streams, files, timers, sockets.
    pub handles: usize,
}

/// Looks at an instance without calling it. It waits for one like any call, and starts one where there is none.
pub(crate) struct Measure;

impl Job<KvExports> for Measure {
    type Output = Usage;
    const OPERATION: &'static str = "measure";
    const ACCESS: Access = Access::Reads;
    const CALLS_MAX: u32 = 1;

    fn fits(&self, _: &<KvExports as Exports>::Description) -> Result<()> {
        Ok(())
    }

    async fn run(self, caller: &mut Caller<'_, KvExports>) -> Result<Usage> {
        Ok(caller.usage())
    }
}

impl Job<BlobExports> for Measure {
    type Output = Usage;
    const OPERATION: &'static str = "measure";
    const ACCESS: Access = Access::Reads;
    const CALLS_MAX: u32 = 1;

    fn fits(&self, _: &<BlobExports as Exports>::Description) -> Result<()> {
        Ok(())
    }

    async fn run(self, caller: &mut Caller<'_, BlobExports>) -> Result<Usage> {
        Ok(caller.usage())
    }
}
