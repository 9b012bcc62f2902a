//! Calls as cases make them: what should be answered is, or the case says what was seen.

use larder_core::{Commit, Error, ErrorKind, Key, KvStore as _};
use larder_wasm::{BlobPlugin, KvPlugin, PluginReport};

use super::{report::Found, subject::Subject};

/// Longest text of a key or path in what a case says it saw, in characters: a key may have 2,048.
const SHOWN_CHARS: usize = 60;

/// What an error says, all of it.
pub(super) fn seen(error: Error) -> String {
    error.chain()
}

/// A text as a case shows it.
pub(super) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS).collect();
    format!("{cut:?}{}", if cut.len() < text.len() { "..." } else { "" })
}

/// A key that is one.
pub(super) fn key(text: impl Into<String>) -> Result<Key, String> {
    Key::new(text.into()).map_err(seen)
}

pub(super) async fn put(store: &KvPlugin, key: &Key, value: impl Into<bytes::Bytes>) -> Found {
    let put = Commit::new().put(key.clone(), value);
    store.commit(&put).await.map(drop).map_err(|e| format!("put of {}: {}", shown(key), e.chain()))
}

pub(super) async fn delete(store: &KvPlugin, key: &Key) -> Found {
    let delete = Commit::new().delete(key.clone());
    store.commit(&delete).await.map(drop).map_err(|e| format!("delete of {}: {}", shown(key), e.chain()))
}

/// Demands that a key has just this value.
pub(super) async fn holds(store: &KvPlugin, key: &Key, value: &[u8]) -> Found {
    let found = store.get(key).await.map_err(|e| format!("get of {}: {}", shown(key), e.chain()))?;
    match found {
        Some(entry) if entry.value == value => Ok(()),
        Some(entry) => Err(format!(
            "the key {} has a value of {} bytes that is not the one of {} bytes that was put",
            shown(key),
            entry.value.len(),
            value.len()
        )),
        None => Err(format!("the key {} was put and is not there", shown(key))),
    }
}

/// Demands an error of this kind.
pub(super) fn refused<T>(what: &str, answer: Result<T, Error>, kind: ErrorKind) -> Found {
    match answer {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(format!("{what} is `{}`, not `{kind}`: {}", error.kind(), error.chain())),
        Ok(_) => Err(format!("{what} was answered; it should be `{kind}`")),
    }
}

/// Demands that no instance was lost.
pub(super) fn unharmed(report: &PluginReport) -> Found {
    match (report.traps, &report.last_error) {
        (0, _) => Ok(()),
        (lost, None) => Err(format!("{lost} instances were lost")),
        (lost, Some(last)) => Err(format!("{lost} instances were lost, the last to: {}", last.message)),
    }
}

/// Runs a case on a fresh key-value store. That no instance is lost is a part of each.
pub(super) async fn on_kv(subject: &Subject, case: impl AsyncFnOnce(&KvPlugin) -> Found) -> Found {
    let options = subject.plugin_options(&subject.options.settings).map_err(seen)?;
    let store = subject.kv(options).await.map_err(seen)?;
    let found = case(&store).await;
    found.and_then(|()| unharmed(&store.report()))
}

/// Runs a case on a fresh blob store, in the same way.
pub(super) async fn on_blob(subject: &Subject, case: impl AsyncFnOnce(&BlobPlugin) -> Found) -> Found {
    let options = subject.plugin_options(&subject.options.settings).map_err(seen)?;
    let store = subject.blob(options).await.map_err(seen)?;
    let found = case(&store).await;
    found.and_then(|()| unharmed(&store.report()))
}
