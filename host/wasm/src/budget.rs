//! What an instance may use: memory over all its memories, and ticks of computing per call.

use wasmtime::ResourceLimiter;

use crate::{engine::TICK, options::PluginLimits};

/// Core instances in a component: its own, WASI's adapter and small shims.
const CORE_INSTANCES_MAX: usize = 64;
/// Memories and tables in a component; each is bounded in size besides.
const MEMORIES_MAX: usize = 16;

/// The budget of one instance.
#[derive(Debug)]
pub(crate) struct Budget {
    memory_bytes: usize,
    memory_bytes_max: usize,
    table_elements: usize,
    table_elements_max: usize,
    ticks_left: u64,
    exceeded: Option<Exceeded>,
}

/// Which limit stopped an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Memory,
    Table,
    Time,
}

impl Budget {
    pub(crate) fn new(limits: &PluginLimits) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max: limits.memory_bytes_max,
            table_elements: 0,
            table_elements_max: limits.table_elements_max,
            ticks_left: 0,
            exceeded: None,
        }
    }

    /// Gives the next call its time, in ticks.
    pub(crate) fn arm(&mut self, ticks: u64) {
        self.ticks_left = ticks;
    }

    /// Counts a tick that passed while the guest computed. A thread that the machine set aside for longer
    /// sees one tick, so a busy machine does not use up a plugin's budget.
    pub(crate) fn tick(&mut self) -> bool {
        self.ticks_left = self.ticks_left.saturating_sub(1);
        if self.ticks_left == 0 {
            self.exceeded = Some(Exceeded::Time);
        }
        self.ticks_left > 0
    }

    /// What all linear memories have together, in bytes. They never shrink, so it is also the most there ever was.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Which limit was hit, if one was.
    pub(crate) fn exceeded(&self) -> Option<Exceeded> {
        self.exceeded
    }
}

/// A duration in ticks, at least two: the first tick may come at once.
pub(crate) fn ticks(duration: std::time::Duration) -> u64 {
    let ticks = duration.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1).max(2)
}

impl ResourceLimiter for Budget {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if total > self.memory_bytes_max {
            self.exceeded = Some(Exceeded::Memory);
            return Ok(false);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        if total > self.table_elements_max {
            self.exceeded = Some(Exceeded::Table);
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        MEMORIES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::{Config, Engine, Instance, Module, Store};

    use super::*;

    /// Two memories of a page each and two tables, and what grows the second of both.
    const TWO: &str = r#"(module
        (memory $one 1) (memory $two 1)
        (table $first 10 funcref) (table $second 10 funcref)
        (func (export "grow") (param i32) (result i32) (memory.grow $two (local.get 0)))
        (func (export "lengthen") (param i32) (result i32)
            (table.grow $second (ref.null func) (local.get 0))))"#;

    fn store() -> (Store<Budget>, Instance) {
        let limits =
            PluginLimits { memory_bytes_max: 4 << 16, table_elements_max: 30, ..PluginLimits::default() };
        let engine = Engine::new(&Config::new()).expect("this machine runs WebAssembly");
        let mut store = Store::new(&engine, Budget::new(&limits));
        store.limiter(|budget| budget);
        let module = Module::new(&engine, wat::parse_str(TWO).unwrap()).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        (store, instance)
    }

    #[test]
    fn all_memories_of_an_instance_share_one_limit() {
        let (mut store, instance) = store();
        let grow = instance.get_typed_func::<i32, i32>(&mut store, "grow").unwrap();
        assert_eq!(grow.call(&mut store, 2).unwrap(), 1, "two pages are there, two more may be");
        assert_eq!(store.data().exceeded(), None);
        assert_eq!(grow.call(&mut store, 1).unwrap(), -1);
        assert_eq!(store.data().exceeded(), Some(Exceeded::Memory));
    }

    #[test]
    fn all_tables_of_an_instance_share_one_limit() {
        let (mut store, instance) = store();
        let lengthen = instance.get_typed_func::<i32, i32>(&mut store, "lengthen").unwrap();
        assert_eq!(lengthen.call(&mut store, 10).unwrap(), 10);
        assert_eq!(lengthen.call(&mut store, 1).unwrap(), -1);
        assert_eq!(store.data().exceeded(), Some(Exceeded::Table));
    }
}
