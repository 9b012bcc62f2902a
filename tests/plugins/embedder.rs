//! A guest that is no plugin, in a program with its own wasmtime: the stores of a larder host through `wasi:keyvalue` and
//! `wasi:blobstore`.

use std::{path::Path, sync::Arc};

use larder::{
    Config, Host, KvStore,
    wasi::{WasiStores, WasiStoresCtx, WasiStoresView, add_to_linker},
};
use larder_core::{
    BoxFuture, Capabilities, Commit, Description, Entry, Key, MemoryKv, Outcome, Page, Result as Answer, Scan,
};
use larder_tests::plugin;
use wasmtime::{
    Engine, Store,
    component::{Component, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// The embedder's data of one guest.
struct Data {
    wasi: WasiCtx,
    table: ResourceTable,
    stores: WasiStores,
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiStoresView for Data {
    fn stores(&mut self) -> WasiStoresCtx<'_> {
        WasiStoresCtx { stores: &self.stores, table: &mut self.table }
    }
}

/// The guest, compiled and linked.
struct Fetcher {
    engine: Engine,
    linker: Linker<Data>,
    component: Component,
}

impl Fetcher {
    fn new() -> Self {
        let engine = Engine::default();
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        add_to_linker(&mut linker).unwrap();
        let component = Component::from_file(&engine, plugin("fetch-wasi")).unwrap();
        Self { engine, linker, component }
    }

    /// What a fresh instance says that it saw.
    async fn run(&self, stores: &WasiStores, what: &str, name: &str) -> Result<String, String> {
        let (wasi, table) = (WasiCtx::builder().build(), ResourceTable::new());
        let mut store = Store::new(&self.engine, Data { wasi, table, stores: stores.clone() });
        let instance = self.linker.instantiate_async(&mut store, &self.component).await.unwrap();
        let run =
            instance.get_typed_func::<(&str, &str), (Result<String, String>,)>(&mut store, "run").unwrap();
        run.call_async(&mut store, (what, name)).await.unwrap().0
    }
}

async fn host(folder: &Path) -> Host {
    let yaml = "stores:\n  fast: { kind: kv, backend: memory }\n  kept: { kind: kv, backend: file, path: kept }\n  \
                pages: { kind: blob, backend: file, path: pages }\n  heap: { kind: blob, backend: memory }\n";
    let config = Config::from_yaml(yaml).unwrap().relative_to(folder);
    Host::open(config.plan().unwrap()).await.unwrap()
}

fn granted(host: &Host) -> WasiStores {
    ["fast", "kept"].into_iter().fold(WasiStores::new(), |stores, name| {
        stores.with_kv(name, host.kv(name).unwrap().namespace("fetcher").unwrap().view())
    })
}

fn shared() -> Arc<dyn KvStore> {
    Arc::new(MemoryKv::new())
}

const FIRST: &str = r#"[Some(("a", [49])), None, Some(("c", [51]))] true 42 a,b,c,visits in 1 None"#;
const SECOND: &str = r#"[("b", Some([51])), ("nothing", None)] -2 None two three"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetcher_that_is_a_component_keeps_its_state_by_either_draft() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path()).await;
    let (fetcher, stores) = (Fetcher::new(), granted(&host));
    for name in ["fast", "kept"] {
        assert_eq!(fetcher.run(&stores, "first", name).await.as_deref(), Ok(FIRST), "{name}");
        assert_eq!(fetcher.run(&stores, "second", name).await.as_deref(), Ok(SECOND), "{name}");
        // What it wrote is the host's, in the namespace that was granted, and nowhere else.
        let kv = host.kv(name).unwrap();
        assert_eq!(kv.get_bytes("frontier").await.unwrap(), None);
        let frontier = kv.namespace("fetcher").unwrap().get_bytes("frontier").await.unwrap();
        assert_eq!(frontier.as_deref(), Some(&b"three"[..]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_granted_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path()).await;
    let (fetcher, stores) = (Fetcher::new(), granted(&host));
    let refused = fetcher.run(&stores, "second", "pages").await.unwrap_err();
    assert_eq!(refused, "Error::NoSuchStore");
    let refused = fetcher.run(&stores, "page", "pages").await.unwrap_err();
    assert_eq!(refused, "there is no container `pages` for this guest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_swap_of_two_guests_is_lost() {
    let (fetcher, stores) = (Fetcher::new(), WasiStores::new().with_kv("sums", shared()));
    let races = futures::future::join_all((0..4).map(|_| fetcher.run(&stores, "second-race", "sums"))).await;
    assert!(races.iter().all(Result::is_ok), "{races:?}");
    let read = fetcher.run(&stores, "second-list", "sums").await;
    assert_eq!(read.as_deref(), Ok("1 in 1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listings_go_on_page_by_page_in_either_draft() {
    let memory = shared();
    for number in 0..2_500 {
        let key = Key::new(format!("key-{number:04}")).unwrap();
        memory.commit(&Commit::new().put(key, "x")).await.unwrap();
    }
    let (fetcher, stores) = (Fetcher::new(), WasiStores::new().with_kv("many", memory));
    let listed = fetcher.run(&stores, "second-list", "many").await;
    assert_eq!(listed.as_deref(), Ok("2500 in 3"));
    let first = fetcher.run(&stores, "first", "many").await.unwrap();
    assert!(first.ends_with("in 3 None"), "{first}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_store_lacks_is_told_by_name() {
    let (fetcher, stores) = (Fetcher::new(), WasiStores::new().with_kv("poor", Poor::shared()));
    let refused = fetcher.run(&stores, "second", "poor").await.unwrap_err();
    assert!(refused.contains("the store `poor` can't increment: its backend has no counters"), "{refused}");
    let refused = fetcher.run(&stores, "second-list", "poor").await.unwrap_err();
    assert!(refused.contains("the store `poor` can't list its keys: its backend has no scan"), "{refused}");
    let refused = fetcher.run(&stores, "second-race", "poor").await.unwrap_err();
    assert!(
        refused.contains("the store `poor` can't compare and swap: its backend has no versions"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_streams_into_a_store_and_out_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path()).await;
    let blobs = |name| host.blobs(name).unwrap().operator().clone();
    let stores = WasiStores::new().with_blobs("pages", blobs("pages")).with_blobs("heap", blobs("heap"));
    let fetcher = Fetcher::new();
    for name in ["pages", "heap"] {
        let seen = fetcher.run(&stores, "page", name).await;
        let expected = "early false, 5242897 bytes, same true, part true, 5242897 of pages/3, pages/2,pages/3 true, then 0";
        assert_eq!(seen.as_deref(), Ok(expected), "{name}");
        assert_eq!(fetcher.run(&stores, "unfinished", name).await.as_deref(), Ok("there false"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_take_memory_without_bound_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path()).await;
    let stores = WasiStores::new().with_blobs("pages", host.blobs("pages").unwrap().operator().clone());
    let fetcher = Fetcher::new();
    let seen = fetcher.run(&stores, "unnamed", "pages").await.unwrap();
    let parts: Vec<&str> = seen.split(" | ").collect();
    assert_eq!(parts[0], "hello");
    assert!(parts[1].contains("before `write-data` names its object"), "{seen}");
    assert!(parts[2].contains("`write-data` was not called"), "{seen}");
    let seen = fetcher.run(&stores, "hoard", "pages").await.unwrap();
    let parts: Vec<&str> = seen.split(" | ").collect();
    assert!(parts[0].contains("incoming-value-consume-async"), "{seen}");
    assert!(parts[1].starts_with("Err("), "{seen}");
    assert!(parts[2].contains("given by the host"), "{seen}");
}

/// A store that can do nothing beyond get, put and delete.
#[derive(Debug)]
struct Poor(MemoryKv);

impl Poor {
    fn shared() -> Arc<dyn KvStore> {
        Arc::new(Self(MemoryKv::new()))
    }
}

impl std::fmt::Display for Poor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("poor")
    }
}

impl KvStore for Poor {
    fn describe(&self) -> Description {
        Description { capabilities: Capabilities::empty(), ..self.0.describe() }
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Answer<Option<Entry>>> {
        self.0.get(key)
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Answer<Vec<Option<Entry>>>> {
        self.0.get_many(keys)
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Answer<Page>> {
        self.0.scan(scan)
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Answer<Vec<Outcome>>> {
        Box::pin(async move {
            self.describe().check_commit(commit)?;
            self.0.commit(commit).await
        })
    }

    fn health(&self) -> BoxFuture<'_, Answer<()>> {
        self.0.health()
    }
}
