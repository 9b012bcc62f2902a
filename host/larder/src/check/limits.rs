//! The largest work that the contract allows, within the ordinary limits: memory, deadline, instances.

use futures::future::try_join_all;
use larder_core::{Capabilities, Commit, Key, KeyRange, KvStore as _, Scan};
use larder_wasm::{BlobPlugin, KvPlugin, PluginLimits, Usage};

use super::{
    calls::{holds, key, on_blob, on_kv, put, seen},
    report::{Found, Section},
    subject::Subject,
};

const SECTION: &str = "limits";

/// Entries of the large store: a full batch, and a full page.
const ENTRIES: usize = 1_000;
/// Their values, in bytes: as large as a web page's metadata; all together 4 MiB, as a page of a scan may have.
const VALUE_BYTES: usize = 4 << 10;
/// Values of the largest size that are kept side by side.
const LARGEST: usize = 4;
/// Callers at once: several for each instance, and far fewer than may wait.
const CALLERS: usize = 64;
/// Bytes of the large blob: several parts, whatever their size, so that it has to stream.
const BLOB_BYTES: usize = 24 << 20;

pub(super) async fn kv(subject: &Subject) -> Section {
    let mut section = Section::new(SECTION);
    let mut usage = None;
    let large = on_kv(subject, async |store: &KvPlugin| {
        large_batches(store).await?;
        usage = Some(store.usage().await.map_err(seen)?);
        Ok(())
    });
    section.add("the largest batches stay within the default memory and deadline", large.await);
    section.add("callers at once are all answered", on_kv(subject, callers).await);
    measure(&mut section, usage);
    section
}

pub(super) async fn blob(subject: &Subject) -> Section {
    let mut section = Section::new(SECTION);
    let mut usage = None;
    let large = on_blob(subject, async |store: &BlobPlugin| {
        large_blob(store).await?;
        usage = Some(store.usage().await.map_err(seen)?);
        Ok(())
    });
    section.add("a large blob streams within the default memory and deadline", large.await);
    section.add("writers at once are all answered", on_blob(subject, writers).await);
    measure(&mut section, usage);
    section
}

fn measure(section: &mut Section, usage: Option<Usage>) {
    if let Some(usage) = usage {
        section.measure("peak of an instance's memory", usage.memory_bytes, "bytes");
        section.measure("most memory", PluginLimits::default().memory_bytes_max, "bytes");
        section.measure("handles after it", usage.handles, "handles");
    }
}

async fn large_batches(store: &KvPlugin) -> Found {
    let about = store.describe();
    let keys: Vec<Key> = (0..ENTRIES).map(|n| key(format!("large-{n:04}"))).collect::<Result<_, _>>()?;
    let value = bytes::Bytes::from(vec![b'v'; VALUE_BYTES.min(about.value_bytes_max)]);
    if about.capabilities.contains(Capabilities::TRANSACTIONS) {
        let all = keys.iter().fold(Commit::new(), |all, key| all.put(key.clone(), value.clone()));
        store.commit(&all).await.map_err(seen)?;
    } else {
        for key in &keys {
            put(store, key, value.clone()).await?;
        }
    }
    let found = store.get_many(&keys).await.map_err(seen)?;
    let missing = found.iter().filter(|found| found.is_none()).count();
    if missing > 0 {
        return Err(format!("{missing} of {ENTRIES} entries are not there"));
    }
    if about.capabilities.contains(Capabilities::SCAN) {
        let mut scan = Scan::new(KeyRange::prefix("large-"));
        let mut met = 0;
        // A page may be short, so there may be more of them than entries fill; each brings at least one, or the end.
        for _ in 0..=ENTRIES {
            let page = store.scan(&scan).await.map_err(seen)?;
            met += page.entries.len();
            let Some(next) = page.next else { break };
            scan.range = scan.range.resume(&next);
        }
        if met != ENTRIES {
            return Err(format!("a scan met {met} of {ENTRIES} entries"));
        }
    }
    let largest = vec![b'V'; about.value_bytes_max];
    for key in keys.iter().take(LARGEST) {
        put(store, key, largest.clone()).await?;
    }
    for key in keys.iter().take(LARGEST) {
        holds(store, key, &largest).await?;
    }
    Ok(())
}

async fn callers(store: &KvPlugin) -> Found {
    let all = (0..CALLERS).map(|n| async move {
        let key = key(format!("caller-{n}"))?;
        let value = n.to_string();
        put(store, &key, value.clone()).await?;
        holds(store, &key, value.as_bytes()).await
    });
    try_join_all(all).await.map(drop)
}

async fn large_blob(store: &BlobPlugin) -> Found {
    let operator = store.operator();
    // One that takes no parts says how much it takes at once.
    let length = operator.info().capability().write_total_max_size.unwrap_or(BLOB_BYTES).min(BLOB_BYTES);
    let bytes: bytes::Bytes = (0..=u8::MAX).cycle().take(length).collect::<Vec<u8>>().into();
    operator.write("large", bytes.clone()).await.map_err(|e| e.to_string())?;
    let read = operator.read("large").await.map_err(|e| e.to_string())?.to_bytes();
    if read != bytes {
        return Err(format!("a blob of {} bytes came back with {}, or changed", bytes.len(), read.len()));
    }
    operator.delete("large").await.map_err(|e| e.to_string())
}

async fn writers(store: &BlobPlugin) -> Found {
    let operator = store.operator();
    let all = (0..CALLERS).map(|n| {
        let operator = operator.clone();
        async move {
            let (path, bytes) = (format!("writers/{n}"), n.to_string());
            operator.write(&path, bytes.clone()).await.map_err(|e| e.to_string())?;
            let read = operator.read(&path).await.map_err(|e| e.to_string())?;
            let same = read.to_vec() == bytes.as_bytes();
            same.then_some(()).ok_or_else(|| format!("the blob {path} has the bytes of another one"))
        }
    });
    try_join_all(all).await.map(drop)
}
