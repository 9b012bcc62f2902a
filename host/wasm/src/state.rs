//! What the host keeps for one instance: its WASI context, its budget, and the store behind it.

use std::{sync::Arc, time::Duration};

use larder_core::{Clock, Error, ErrorKind, KvStore, Result};
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{FsPerms, HostWallClock, ResourceTable, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::{
    blob_import::NextBlob,
    budget::Budget,
    engine::Engine,
    log::{LogStream, Logger},
    network::{Guard, http::Http},
    options::{Access, PluginOptions},
    prepared::Style,
};

/// Host resources (streams, sockets, pollables) that an instance with a network may hold, whatever its limits say: each socket
/// is one, and takes a descriptor of the process besides.
const NETWORK_RESOURCES_MAX: usize = 128;
/// Random bytes in one call.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// The data of a wasmtime store.
pub(crate) struct State {
    /// What it may send by HTTP. The first to be dropped, so that a request whose body is half written is broken off.
    http: Http,
    wasi: WasiCtx,
    table: ResourceTable,
    pub(crate) budget: Budget,
    pub(crate) logger: Logger,
    pub(crate) clock: Arc<dyn Clock>,
    /// What a component without `lifecycle` reads through `wasi:config`.
    pub(crate) settings: Vec<(String, String)>,
    /// What it may connect to; none without a grant.
    pub(crate) guard: Option<Arc<Guard>>,
    /// The store behind a key-value layer.
    pub(crate) next_kv: Option<Arc<dyn KvStore>>,
    /// The operator behind a blob layer.
    pub(crate) next_blob: Option<Arc<NextBlob>>,
}

/// An empty store for one instance, with all its limits set.
pub(crate) fn store(engine: &Engine, options: &PluginOptions, style: Style) -> Result<Store<State>> {
    let mut table = ResourceTable::new();
    let guard = Guard::new(options);
    let http = Http::new(options);
    let has_network = guard.is_some() || http.is_granted();
    let handles_max = options.limits.handles_max;
    table.set_max_capacity(if has_network { handles_max.min(NETWORK_RESOURCES_MAX) } else { handles_max });
    let state = State {
        http,
        wasi: wasi(options, guard.as_ref())?,
        table,
        budget: Budget::new(&options.limits),
        logger: Logger::new(options),
        clock: Arc::clone(&options.clock),
        settings: Vec::new(),
        guard,
        next_kv: None,
        next_blob: None,
    };
    let mut store = Store::new(engine.wasmtime(), state);
    store.limiter(|state| &mut state.budget);
    store.set_hostcall_fuel(options.limits.call_bytes_max);
    store.set_max_component_handles(handles_max);
    store.epoch_deadline_callback(move |mut store| {
        Ok(match (store.data_mut().budget.tick(), style) {
            (false, _) => UpdateDeadline::Interrupt,
            (true, Style::Inline) => UpdateDeadline::Continue(1),
            (true, Style::Fiber) => UpdateDeadline::Yield(1),
        })
    });
    Ok(store)
}

fn wasi(options: &PluginOptions, guard: Option<&Arc<Guard>>) -> Result<WasiCtx> {
    let mut wasi = WasiCtx::builder();
    wasi.stdout(LogStream::new(options, tracing::Level::INFO));
    wasi.stderr(LogStream::new(options, tracing::Level::WARN));
    wasi.envs(&options.grants.env);
    wasi.max_random_size(RANDOM_BYTES_MAX);
    // Such calls run on threads of their own; handing each file operation to yet another one would cost more than most.
    wasi.allow_blocking_current_thread(options.holds_its_thread());
    wasi.wall_clock(WallClock(Arc::clone(&options.clock)));
    if let Some(guard) = guard {
        // UDP and the system's own name lookup stay denied: `network::link` answers names.
        wasi.allow_tcp(true);
        let guard = Arc::clone(guard);
        wasi.socket_addr_check(move |address, used| {
            let allowed = guard.allows(address, used);
            Box::pin(async move { allowed })
        });
    }
    for folder in &options.grants.folders {
        let perms = match folder.access {
            Access::Read => FsPerms::ReadOnly,
            Access::ReadWrite => {
                std::fs::create_dir_all(&folder.host)
                    .map_err(|e| refused_folder(options, folder, e.into()))?;
                FsPerms::ReadWrite
            }
        };
        wasi.preopened_dir(&folder.host, &folder.guest, perms)
            .map_err(|e| refused_folder(options, folder, e.into_boxed_dyn_error()))?;
    }
    Ok(wasi.build())
}

fn refused_folder(
    options: &PluginOptions,
    folder: &crate::FolderGrant,
    cause: Box<dyn std::error::Error + Send + Sync>,
) -> Error {
    Error::new(ErrorKind::Config, "the granted folder can't be opened")
        .with("plugin", &options.name)
        .with("folder", folder.host.display())
        .caused_by(cause)
}

/// The host's clock as the plugin sees it.
struct WallClock(Arc<dyn Clock>);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now().0)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.http.view(&mut self.table)
    }
}

impl State {
    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    /// What the guest holds of the host: streams, files, timers, sockets.
    pub(crate) fn handles(&mut self) -> usize {
        self.table.iter_mut().count()
    }

    /// Forgets what the call before used of the network and was refused.
    #[inline]
    pub(crate) fn arm_network(&self) {
        if let Some(guard) = &self.guard {
            guard.arm();
        }
        self.http.arm();
    }

    /// What the call that ended was refused first, naming the grant that would allow it.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.guard.as_ref().and_then(|guard| guard.refusal()).or_else(|| self.http.refusal())
    }
}
