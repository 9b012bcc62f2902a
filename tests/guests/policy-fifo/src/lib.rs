//! A cache policy that lets the oldest go first. A host that wants a key-value backend refuses it and names both worlds.

use std::collections::VecDeque;

use larder_sdk::policy::{Batch, CachePolicy, Limits, Slot};
use larder_sdk::{Result, Settings, export_cache_policy};

/// The plugin: slots with their sizes, the oldest first.
#[derive(Debug, Default)]
pub struct PolicyFifo {
    slots: VecDeque<(Slot, u32)>,
}

impl CachePolicy for PolicyFifo {
    fn configure(settings: Settings) -> Result<Self> {
        settings.finish()?;
        Ok(Self::default())
    }

    fn resize(&mut self, _limits: Limits) -> Result<()> {
        Ok(())
    }

    fn observe(&mut self, batch: Batch) {
        self.slots.retain(|(slot, _)| !batch.removed.contains(slot));
        self.slots.extend(batch.inserted.iter().map(|insert| (insert.slot, insert.bytes)));
    }

    fn victims(&mut self, bytes: u64, max: u32) -> Vec<Slot> {
        let mut freed = 0;
        let needed = self.slots.iter().take(max as usize).take_while(|(_, size)| {
            let is_needed = freed < bytes;
            freed += u64::from(*size);
            is_needed
        });
        needed.map(|(slot, _)| *slot).collect()
    }
}

export_cache_policy!(PolicyFifo);
