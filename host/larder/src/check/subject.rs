//! The component under test: each call of [`Subject::kv`] or [`Subject::blob`] starts it anew, over nothing.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use larder_conformance::{blob, kv};
use larder_core::{BoxFuture, Clock, Error, ErrorKind, KvStore, ManualClock, MemoryKv, Result};
use larder_wasm::{Access, BlobPlugin, Engine, KvPlugin, PluginOptions, Source, World};
use opendal::Operator;
use tempfile::TempDir;

use super::CheckOptions;

/// Settings of a component, by name.
pub(super) type Settings = [(String, String)];

/// A component, and how it is started.
pub(super) struct Subject {
    pub(super) engine: Arc<Engine>,
    pub(super) source: Source,
    pub(super) options: CheckOptions,
    pub(super) world: Option<World>,
    pub(super) clock: Arc<ManualClock>,
    /// The folder of the current case; the one before goes when it is replaced.
    scratch: Mutex<Option<TempDir>>,
}

impl Subject {
    pub(super) fn new(
        engine: Arc<Engine>,
        source: Source,
        options: CheckOptions,
        world: Option<World>,
    ) -> Self {
        let clock = Arc::new(ManualClock::default());
        Self { engine, source, options, world, clock, scratch: Mutex::new(None) }
    }

    /// What the component is given: an empty folder, the grants of the command, and these settings.
    pub(super) fn plugin_options(&self, settings: &Settings) -> Result<PluginOptions> {
        let mut plugin = PluginOptions::new("checked")
            .with_mode(self.options.mode)
            .with_clock(Arc::clone(&self.clock) as Arc<dyn Clock>);
        plugin.settings = settings.to_vec();
        plugin.grants.tcp = self.options.tcp.clone();
        plugin.grants.http = self.options.http.clone();
        // A case that traps must not keep the next one from starting: the clock stands still, so no back-off would end.
        plugin.supervision.strikes_max = u32::MAX;
        plugin.supervision.backoff = Duration::ZERO;
        plugin.supervision.backoff_max = Duration::ZERO;
        if let Some(guest) = &self.options.folder {
            let folder = tempfile::tempdir().map_err(|e| {
                Error::new(ErrorKind::Unavailable, "the scratch folder can't be made").caused_by(e)
            })?;
            plugin = plugin.with_folder(folder.path(), guest, Access::ReadWrite);
            *self.scratch.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder);
        }
        Ok(plugin)
    }

    /// Starts it as a key-value store.
    pub(super) async fn kv(&self, options: PluginOptions) -> Result<KvPlugin> {
        if self.world.is_some_and(World::is_layer) {
            let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
            let next = Arc::new(MemoryKv::with_clock(clock));
            KvPlugin::load_layer(&self.engine, &self.source, options, next).await
        } else {
            KvPlugin::load(&self.engine, &self.source, options).await
        }
    }

    /// Starts it as a blob store.
    pub(super) async fn blob(&self, options: PluginOptions) -> Result<BlobPlugin> {
        if self.world.is_some_and(World::is_layer) {
            let next = larder_backends::object::memory();
            BlobPlugin::load_layer(&self.engine, &self.source, options, next).await
        } else {
            BlobPlugin::load(&self.engine, &self.source, options).await
        }
    }

    /// Starts it with other settings than the command's, and drops it.
    pub(super) async fn start_with(&self, settings: &Settings) -> Result<()> {
        let options = self.plugin_options(settings)?;
        match self.world {
            Some(World::BlobBackend | World::BlobLayer) => self.blob(options).await.map(drop),
            _ => self.kv(options).await.map(drop),
        }
    }
}

impl kv::Subject for Subject {
    fn name(&self) -> String {
        self.source.to_string()
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Arc<dyn KvStore>>> {
        Box::pin(async {
            let options = self.plugin_options(&self.options.settings)?;
            Ok(Arc::new(self.kv(options).await?) as Arc<dyn KvStore>)
        })
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }
}

impl blob::Subject for Subject {
    fn name(&self) -> String {
        self.source.to_string()
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Operator>> {
        Box::pin(async {
            let options = self.plugin_options(&self.options.settings)?;
            Ok(self.blob(options).await?.operator())
        })
    }
}
