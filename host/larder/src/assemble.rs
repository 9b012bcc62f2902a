//! The composition root: the only place that turns a [`Plan`] into stores. What stands in front of a
//! key-value backend, and why in this order, is told in `stack`.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use larder_backends::{
    file::{FileKv, FileOptions},
    object,
    redis::{RedisKv, RedisOptions},
    sql::{SqlKv, SqlOptions},
};
use larder_core::{Description, KvStore, MemoryKv, Result, limits::VALUE_BYTES_MAX};

use crate::{
    blobs::Blobs,
    config::StoreKind,
    kv::Kv,
    plan::{Backend, Guards, OnFailure, Plan, StorePlan},
    plugins::Plugins,
    seams::Seams,
    stack::{
        Backoff, Checked, Counters, Covered, Explained, Fallback, Limited, Metered, Retried, StandIn, Timed,
    },
};

/// Everything that a plan asked for.
pub(crate) struct Assembly {
    pub(crate) kv: BTreeMap<String, Kv>,
    pub(crate) blobs: BTreeMap<String, Blobs>,
    /// Those that have something to close, by name of the store.
    pub(crate) closing: BTreeMap<String, Closing>,
    pub(crate) plugins: Plugins,
}

/// A backend that ends its own threads, tasks and connections.
pub(crate) enum Closing {
    File(Arc<FileKv>),
    Sql(Arc<SqlKv>),
}

/// Opens all stores of a plan. If one can't be opened, those before it are closed again.
pub(crate) async fn assemble(plan: &Plan, seams: &dyn Seams) -> Result<Assembly> {
    let mut assembly = Assembly {
        kv: BTreeMap::new(),
        blobs: BTreeMap::new(),
        closing: BTreeMap::new(),
        plugins: Plugins::new(plan.plugins.clone(), plan.compiled.clone(), seams.clock()),
    };
    for (name, store) in fallbacks_first(plan) {
        let opened = match store.kind {
            StoreKind::Kv => assembly.open_kv(name, store, seams).await,
            StoreKind::Blob => assembly.open_blobs(name, store, seams).await,
        };
        opened.map_err(|error| error.operation("open").with("store", name))?;
    }
    Ok(assembly)
}

impl Assembly {
    async fn open_kv(&mut self, name: &str, plan: &StorePlan, seams: &dyn Seams) -> Result<()> {
        let mut store = seams.kv(name, plan, self.kv_backend(name, plan, seams).await?);
        store = guarded(store, plan.guards, seams.spread(name));
        for layer in plan.layers.iter().rev() {
            store = self.plugins.kv_layer(layer, name, store).await?;
        }
        let shared: Arc<str> = name.into();
        store = self.covered(store, plan, &shared)?;
        plan.requires.check_kv(store.describe().capabilities)?;
        store = Arc::new(Checked::new(store, plan.value_bytes_max));
        store = Arc::new(Explained::new(store, Arc::clone(&shared)));
        let counters = Arc::new(Counters::default());
        store = Arc::new(Metered::new(store, Arc::clone(&counters)));
        self.kv.insert(name.to_owned(), Kv::new(shared, store, counters));
        Ok(())
    }

    /// Puts in front what stands in for a plugin that fails.
    fn covered(
        &self,
        store: Arc<dyn KvStore>,
        plan: &StorePlan,
        name: &Arc<str>,
    ) -> Result<Arc<dyn KvStore>> {
        let stand_in = match &plan.on_failure {
            // What is done about the last good component is done where it is swapped.
            OnFailure::Fail | OnFailure::LastGood => return Ok(store),
            OnFailure::Miss => StandIn::Miss,
            OnFailure::Fallback(other) => {
                let opened = self.kv.get(other).map(Kv::store);
                let unopened = || larder_core::Error::config(format!("the fallback `{other}` is not open"));
                StandIn::Store(Fallback::new(other, opened.ok_or_else(unopened)?))
            }
        };
        let plugins = self.plugins.of_kv_store(name);
        Ok(Arc::new(Covered::new(store, plugins, stand_in, Arc::clone(name))))
    }

    async fn kv_backend(
        &mut self,
        name: &str,
        plan: &StorePlan,
        seams: &dyn Seams,
    ) -> Result<Arc<dyn KvStore>> {
        let value_bytes_max = plan.value_bytes_max.unwrap_or(VALUE_BYTES_MAX);
        match &plan.backend {
            Backend::Memory => {
                let description = Description { value_bytes_max, ..Description::full() };
                Ok(Arc::new(MemoryKv::with_clock(seams.clock()).with_description(description)))
            }
            Backend::File(folder) => {
                let options = FileOptions {
                    cleanup_interval: plan.cleanup_interval,
                    value_bytes_max,
                    ..FileOptions::default()
                };
                let file = Arc::new(open_file(folder, options).await?);
                self.closing.insert(name.to_owned(), Closing::File(Arc::clone(&file)));
                Ok(file)
            }
            Backend::Redis(options) => {
                let options = RedisOptions::clone(options)
                    .value_bytes_max(value_bytes_max)
                    .cleanup_interval(plan.cleanup_interval);
                Ok(Arc::new(RedisKv::connect(options).await?))
            }
            Backend::Sql(options) => {
                let options = SqlOptions::clone(options)
                    .value_bytes_max(value_bytes_max)
                    .cleanup_interval(plan.cleanup_interval);
                let sql = Arc::new(SqlKv::connect(options).await?);
                self.closing.insert(name.to_owned(), Closing::Sql(Arc::clone(&sql)));
                Ok(sql)
            }
            Backend::Object(_) => Err(wrong_kind("blobs")),
            Backend::Plugin(plugin) => self.plugins.kv_backend(plugin, name).await,
        }
    }

    async fn open_blobs(&mut self, name: &str, plan: &StorePlan, seams: &dyn Seams) -> Result<()> {
        let mut operator = match &plan.backend {
            Backend::Memory => object::memory(),
            Backend::File(folder) => object::fs(folder)?,
            Backend::Object(bucket) => bucket.options.open().await?,
            Backend::Redis(_) | Backend::Sql(_) => return Err(wrong_kind("entries")),
            Backend::Plugin(plugin) => self.plugins.blob_backend(plugin, name).await?,
        };
        operator = seams.blobs(name, plan, operator);
        let Guards { retries, timeout, concurrency } = plan.guards;
        operator = object::guarded(operator, object::Guards { retries, timeout, concurrency });
        for layer in plan.layers.iter().rev() {
            operator = self.plugins.blob_layer(layer, name, operator).await?;
        }
        plan.requires.check_blobs(&operator.info().capability())?;
        self.blobs.insert(name.to_owned(), Blobs::new(operator));
        Ok(())
    }
}

/// The stores, each after those that stand in for it.
fn fallbacks_first(plan: &Plan) -> impl Iterator<Item = (&String, &StorePlan)> {
    let depth = |store: &StorePlan| {
        let mut depth = 0_usize;
        let mut at = Some(store);
        while let Some(OnFailure::Fallback(next)) = at.map(|store| &store.on_failure) {
            (depth, at) = (depth + 1, plan.stores.get(next));
        }
        depth
    };
    let mut stores: Vec<_> = plan.stores.iter().collect();
    stores.sort_by_key(|(_, store)| depth(store));
    stores.into_iter()
}

/// A plan is never made so; what it would be is said all the same.
fn wrong_kind(what: &str) -> larder_core::Error {
    larder_core::Error::config(format!("the backend keeps {what}"))
}

/// Opening verifies the database, which takes its time; the runtime's own threads don't wait for it.
async fn open_file(folder: &Path, options: FileOptions) -> Result<FileKv> {
    let folder = folder.to_owned();
    match tokio::task::spawn_blocking(move || FileKv::open(folder, options)).await {
        Ok(opened) => opened,
        Err(panic) => {
            Err(larder_core::Error::new(larder_core::ErrorKind::Unavailable, "opening did not end")
                .caused_by(panic))
        }
    }
}

fn guarded(mut store: Arc<dyn KvStore>, guards: Guards, spread: u64) -> Arc<dyn KvStore> {
    if let Some(at_once_max) = guards.concurrency {
        store = Arc::new(Limited::new(store, at_once_max));
    }
    if let Some(attempt_max) = guards.timeout {
        store = Arc::new(Timed::new(store, attempt_max));
    }
    if let Some(retries_max) = guards.retries {
        store = Arc::new(Retried::new(store, Backoff::new(retries_max, spread)));
    }
    store
}
