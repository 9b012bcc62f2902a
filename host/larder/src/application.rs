//! A host for the whole process: configured once, asked for from anywhere.
//!
//! A library takes a [`Kv`] or a [`Host`] as an argument; this is for programs whose parts have no
//! common place to hand one over.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use larder::{Config, configure_application_kv_store, kv_store};
//!
//! configure_application_kv_store(&Config::default()).await?;
//!
//! let store = kv_store()?;
//! store.set("key", "value").await?;
//! let value: Option<String> = store.get("key").await?;
//! assert_eq!(value.as_deref(), Some("value"));
//! # larder::Result::<()>::Ok(()) }).unwrap();
//! ```
//!
//! The configuration can be changed in code before. What it asks for and is not built yet is refused by
//! its name, never ignored:
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::time::Duration;
//!
//! use larder::{Config, configure_application_kv_store};
//!
//! let mut config = Config::default();
//! config.cache.enabled = true;
//! config.cache.backend = Some("redis".into());
//! config.cache.ttl = Some(Duration::from_secs(3600)); // 1 hour
//!
//! let error = configure_application_kv_store(&config).await.unwrap_err();
//! assert!(error.message().contains("`redis`"));
//! # });
//! ```

use std::sync::{Arc, PoisonError, RwLock};

use larder_core::{Error, Result};
use tokio::sync::Mutex;

use crate::{config::Config, host::Host, kv::Kv};

static APPLICATION: RwLock<Option<Arc<Host>>> = RwLock::new(None);

/// One configures at a time.
static CONFIGURING: Mutex<()> = Mutex::const_new(());

/// Opens the process-wide host.
///
/// # Errors
/// `config` where it is open already, or the configuration is not right; else as [`Host::open`].
pub async fn configure_application_kv_store(config: &Config) -> Result<()> {
    let _turn = CONFIGURING.lock().await;
    if current().is_some() {
        return Err(Error::config(
            "the application's key-value store is configured already; configure it once",
        ));
    }
    let host = Host::open(config.plan()?).await?;
    // A configuration that names no store to take is found now and not at the first use.
    host.default_kv()?;
    replace(Some(Arc::new(host)));
    Ok(())
}

/// The key-value store of the process-wide host: `state`, or the only one that its configuration names.
///
/// # Errors
/// `config` where the host has not been configured.
pub fn kv_store() -> Result<Kv> {
    application_host()?.default_kv()
}

/// The process-wide host, for its other stores.
///
/// # Errors
/// `config` where it has not been configured.
pub fn application_host() -> Result<Arc<Host>> {
    current().ok_or_else(|| {
        Error::config("the application's key-value store is not configured; call `configure_application_kv_store` first")
    })
}

/// Takes the process-wide host out, to close it at the end of the program. It can be configured anew then.
///
/// # Errors
/// That of [`Host::close`]. Where somebody still holds the host, it is closed when that one lets go.
pub async fn close_application_kv_store() -> Result<()> {
    let _turn = CONFIGURING.lock().await;
    match replace(None).and_then(Arc::into_inner) {
        Some(host) => host.close().await,
        None => Ok(()),
    }
}

fn current() -> Option<Arc<Host>> {
    APPLICATION.read().unwrap_or_else(PoisonError::into_inner).clone()
}

fn replace(host: Option<Arc<Host>>) -> Option<Arc<Host>> {
    std::mem::replace(&mut *APPLICATION.write().unwrap_or_else(PoisonError::into_inner), host)
}

#[cfg(test)]
mod tests {
    use larder_core::ErrorKind;

    use super::*;

    /// One test, since there is one such host in a process.
    #[tokio::test]
    async fn the_host_of_the_process_is_configured_once_and_asked_from_anywhere() {
        assert_eq!(kv_store().unwrap_err().kind(), ErrorKind::Config);
        let mut config = Config::default();
        config.cache.enabled = true;
        config.cache.backend = Some("redis".to_owned());
        let error = configure_application_kv_store(&config).await.unwrap_err();
        assert!(error.message().contains("`redis`"), "{error}");
        config.cache.enabled = false;
        configure_application_kv_store(&config).await.unwrap();
        kv_store().unwrap().set("key", "value").await.unwrap();
        assert_eq!(kv_store().unwrap().get::<String>("key").await.unwrap().unwrap(), "value");
        assert!(configure_application_kv_store(&config).await.is_err());
        close_application_kv_store().await.unwrap();
        assert!(kv_store().is_err());
    }
}
