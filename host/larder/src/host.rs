//! A running host: the stores and plugins of a plan, open.

use std::{collections::BTreeMap, fmt, sync::Arc};

use larder_backends::file::FileKv;
use larder_core::{Error, Result};

use crate::{
    assemble::{Assembly, Closing, assemble},
    blobs::Blobs,
    config::StoreKind,
    control::Control,
    kv::Kv,
    plan::Plan,
    plugins::Plugins,
    seams::{Production, Seams},
    watching::Watching,
};

/// Stores and plugins, opened from a [`Plan`]. It owns their threads and tasks, and ends them.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use larder::{Config, Host};
///
/// let config = Config::from_yaml("stores: { frontier: memory:// }")?;
/// let host = Host::open(config.plan()?).await?;
/// host.kv("frontier")?.set("https://example.org/", &"new").await?;
/// host.close().await
/// # }).unwrap();
/// ```
pub struct Host {
    plan: Plan,
    kv: BTreeMap<String, Kv>,
    blobs: BTreeMap<String, Blobs>,
    closing: BTreeMap<String, Closing>,
    plugins: Arc<Plugins>,
    control: Option<Control>,
    watching: Option<Watching>,
}

impl Host {
    /// Opens every store of the plan and loads every plugin that a store uses.
    ///
    /// Chooses ring for the TLS of this process (rustls), unless the program has chosen before. A program that makes a
    /// client of `reqwest` makes it after this, or chooses by itself.
    ///
    /// # Errors
    /// As the store at fault answers, with its name: `config`, `unavailable` (another process has the
    /// folder, or listens at the control address), `corrupt`, `denied`, `plugin`. What was opened before it is closed again.
    pub async fn open(plan: Plan) -> Result<Self> {
        Self::open_with(plan, &Production).await
    }

    /// The same with other seams: how [`testing`](crate::testing) opens one.
    pub(crate) async fn open_with(plan: Plan, seams: &dyn Seams) -> Result<Self> {
        for warning in plan.warnings() {
            tracing::warn!("{warning}");
        }
        larder_backends::tls::choose_provider();
        let Assembly { kv, blobs, closing, plugins } = assemble(&plan, seams).await?;
        let plugins = Arc::new(plugins);
        let watching = Watching::begin(&plugins);
        let mut host = Self { plan, kv, blobs, closing, plugins, control: None, watching };
        if let Some(address) = &host.plan.control {
            match Control::open(address, Arc::clone(&host.plugins)).await {
                Ok(control) => host.control = Some(control),
                Err(error) => {
                    let error = error.operation("open");
                    return Err(match host.close().await {
                        Ok(()) => error,
                        Err(worse) => error.with("and then", worse),
                    });
                }
            }
        }
        Ok(host)
    }

    /// The key-value store of that name.
    ///
    /// # Errors
    /// `config` where there is none, naming the nearest.
    pub fn kv(&self, name: &str) -> Result<Kv> {
        self.plan.expect_store(StoreKind::Kv, name)?;
        self.kv.get(name).cloned().ok_or_else(|| closed(name))
    }

    /// The key-value store that is meant where none is named: `state`, or the only one that there is.
    ///
    /// # Errors
    /// `config` where there are several and none is called `state`.
    pub fn default_kv(&self) -> Result<Kv> {
        match &self.plan.default_kv {
            Some(name) => self.kv(name),
            None => Err(self.no_default(StoreKind::Kv)),
        }
    }

    /// The blob store of that name. Its OpenDAL operator, with all layers, is [`Blobs::operator`].
    ///
    /// # Errors
    /// `config` where there is none, naming the nearest.
    pub fn blobs(&self, name: &str) -> Result<Blobs> {
        self.plan.expect_store(StoreKind::Blob, name)?;
        self.blobs.get(name).cloned().ok_or_else(|| closed(name))
    }

    /// The blob store that is meant where none is named: `storage`, or the only one that there is.
    ///
    /// # Errors
    /// `config` where there is none, or several and none is called `storage`.
    pub fn default_blobs(&self) -> Result<Blobs> {
        match &self.plan.default_blobs {
            Some(name) => self.blobs(name),
            None => Err(self.no_default(StoreKind::Blob)),
        }
    }

    /// The plugins: what is loaded, and swapping it.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// What this host was opened from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether every key-value store can be reached and used.
    ///
    /// # Errors
    /// The error of the first one that can't. Cancel safe.
    pub async fn health(&self) -> Result<()> {
        for kv in self.kv.values() {
            kv.health().await?;
        }
        Ok(())
    }

    /// Closes the stores and waits until all that they own has ended. A store that a handle is still
    /// held of is closed with the last handle.
    ///
    /// # Errors
    /// That of the first store that could not be closed; the others are closed all the same.
    pub async fn close(self) -> Result<()> {
        let Self { plan: _, kv, blobs, closing, plugins, control, watching } = self;
        if let Some(control) = control {
            control.close().await;
        }
        if let Some(watching) = watching {
            watching.close().await;
        }
        drop((kv, blobs, plugins));
        let mut answer = Ok(());
        for (name, store) in closing {
            let closed = match store {
                Closing::File(file) => close_file(file).await,
                // As of a file: it is closed with the last handle.
                Closing::Sql(sql) if Arc::strong_count(&sql) > 1 => Ok(()),
                Closing::Sql(sql) => sql.close().await,
            };
            answer = answer.and(closed.map_err(|error| error.operation("close").with("store", name)));
        }
        answer
    }

    fn no_default(&self, kind: StoreKind) -> Error {
        let names: Vec<&str> = self.plan.stores(kind).collect();
        match names.as_slice() {
            [] => Error::config(format!("the configuration names no {kind} store")),
            names => Error::config(format!("several {kind} stores: name one of {}", names.join(", "))),
        }
    }
}

/// Waits for the writer's thread, off the runtime's own.
async fn close_file(file: Arc<FileKv>) -> Result<()> {
    let closing = tokio::task::spawn_blocking(move || Arc::into_inner(file).map_or(Ok(()), FileKv::close));
    closing.await.unwrap_or_else(|panic| {
        Err(Error::new(larder_core::ErrorKind::Unavailable, "closing did not end").caused_by(panic))
    })
}

fn closed(name: &str) -> Error {
    Error::config("the store is not open").with("store", name)
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("kv", &self.kv.values().collect::<Vec<_>>())
            .field("blobs", &self.blobs.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
