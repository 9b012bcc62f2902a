//! The baseline: wasmtime's own generated bindings on the same component, without any guard.

use std::path::Path;

use larder_core::Key;
use larder_tests::bench::Stopwatch;
use wasmtime::{
    Config, Engine, Store,
    component::{Component, HasSelf, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

mod generated {
    wasmtime::component::bindgen!({ path: "../wit", world: "kv-backend" });
}

use generated::{
    KvBackend,
    exports::larder::store::kv::{Change, Put, Write},
    larder::store::log::{self, Level},
};

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl log::Host for State {
    fn log(&mut self, _: Level, _: String) {}
}

impl generated::larder::store::types::Host for State {}

/// One instance, called without a pool, a deadline, a limit or a check.
pub(crate) struct Bare {
    store: Store<State>,
    plugin: KvBackend,
}

impl Bare {
    /// Loads a component and stores a value under each of these keys.
    pub(crate) fn load<'k>(
        path: &Path,
        keys: impl Iterator<Item = &'k Key>,
        value: &[u8],
    ) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config.concurrency_support(false);
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        log::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        let component = Component::from_file(&engine, path)?;
        let state = State { wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
        let mut store = Store::new(&engine, state);
        let plugin = KvBackend::instantiate(&mut store, &component, &linker)?;
        let refused = |e| wasmtime::format_err!("the component refused: {e:?}");
        plugin.larder_store_lifecycle().call_configure(&mut store, &Vec::new())?.map_err(refused)?;
        let put = |key: &Key| {
            let change = Change::Put(Put { value: value.to_vec(), ttl_ms: None });
            Write { key: key.to_string(), change }
        };
        let writes: Vec<Write> = keys.map(put).collect();
        plugin.larder_store_kv().call_commit(&mut store, &[], &writes)?.map_err(refused)?;
        Ok(Self { store, plugin })
    }

    /// Nanoseconds of a get.
    pub(crate) fn get_each(&mut self, key: &Key, calls: u64) -> f64 {
        let kv = self.plugin.larder_store_kv();
        let watch = Stopwatch::start();
        for _ in 0..calls {
            let found = kv.call_get(&mut self.store, key);
            assert!(matches!(found, Ok(Ok(Some(_)))));
        }
        watch.nanos_per(calls)
    }
}
