//! Hostile inputs: what nobody should send and somebody will. What the contract allows must be kept byte by byte, what it
//! does not must be refused in good order, and no instance may be lost to either.

use std::collections::BTreeSet;

use larder_core::{
    Capabilities, Commit, ErrorKind, Key, KeyRange, KvStore as _, Scan,
    limits::{BLOB_PATH_BYTES_MAX, COMMIT_BYTES_MAX, COMMIT_ITEMS_MAX, GET_MANY_MAX},
};
use larder_wasm::{BlobPlugin, KvPlugin};

use super::{
    calls::{delete, holds, key, on_blob, on_kv, put, refused, seen, shown},
    report::{Found, Section},
    subject::Subject,
};

pub(super) const SECTION: &str = "hostile inputs";

/// Keys that are keys: control characters, lines of protocols, markup, paths, the ends of Unicode, and texts that look alike
/// or are the same to a reader who normalises.
const ODD_KEYS: [&str; 28] = [
    "\0",
    "a\0b",
    "a",
    " ",
    " a ",
    "\t\r\n",
    "x\r\nset y 0 0 1\r\n1\r\n",
    "x y",
    "' OR 1=1 --",
    "%00",
    "%2e%2e%2f",
    "../../etc/passwd",
    "/",
    "//a//",
    "{a}",
    "*?[a-z]",
    "\\",
    "\"",
    "\u{7f}",
    "\u{feff}a",
    "\u{e9}",
    "e\u{301}",
    "\u{202e}a",
    "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{ffff}",
    "\u{10ffff}",
];

/// Paths that are paths of blobs, as odd as they may be.
const ODD_PATHS: [&str; 14] = [
    "a b",
    "a\tb",
    "a\r\nb",
    "...",
    "a/...b",
    "%2e%2e/a",
    "a\\b",
    "a:b",
    "a*?",
    "\u{e9}",
    "e\u{301}",
    "\u{202e}a",
    "\u{1f980}/\u{1f980}",
    "\u{10ffff}",
];

/// What is no path of a blob: it must not reach the component.
const NO_PATHS: [&str; 5] = ["../a", "a/../b", "a/./b", "a/..", "a\0b"];

/// Bytes that a layer may add to each value, such as a nonce and a checksum.
const LAYER_BYTES: usize = 256;

/// Longest part of a path: what file systems take.
const PATH_PART_BYTES: usize = 200;

/// Most pages of a walk through the few entries of a case.
const PAGES_MAX: usize = 1_000;

pub(super) async fn kv(subject: &Subject) -> Section {
    let mut section = Section::new(SECTION);
    section.add(
        "keys of the declared limit are kept apart, longer ones refused",
        on_kv(subject, longest_keys).await,
    );
    section.add("odd keys are kept byte by byte", on_kv(subject, odd_keys).await);
    section.add(
        "values are kept byte by byte, empty or at the limit; larger ones are refused",
        on_kv(subject, values).await,
    );
    section.add(
        "empty batches do nothing, the largest are answered, larger ones refused",
        on_kv(subject, batches).await,
    );
    section.add("scans of odd ranges end", on_kv(subject, scans).await);
    section
}

pub(super) async fn blob(subject: &Subject) -> Section {
    let mut section = Section::new(SECTION);
    section.add("odd paths are kept byte by byte", on_blob(subject, odd_paths).await);
    section.add("paths of the longest length are kept apart", on_blob(subject, longest_paths).await);
    section.add("a blob that is empty, or of hostile bytes, is kept", on_blob(subject, contents).await);
    section.add(
        "reads past the end and of what is not there are refused in good order",
        on_blob(subject, reads).await,
    );
    section
}

async fn longest_keys(store: &KvPlugin) -> Found {
    let most = store.describe().key_bytes_max;
    let ends_in = |end: char| "k".repeat(most - end.len_utf8()) + &end.to_string();
    let keys = [key(ends_in('a'))?, key(ends_in('b'))?, key(ends_in('\u{e9}'))?];
    for (n, key) in keys.iter().enumerate() {
        put(store, key, n.to_string()).await?;
    }
    for (n, key) in keys.iter().enumerate() {
        holds(store, key, n.to_string().as_bytes()).await?;
        delete(store, key).await?;
    }
    // At the contract's own limit no longer key can be made.
    let Ok(longer) = Key::new("k".repeat(most + 1)) else { return Ok(()) };
    refused("a get of a longer key", store.get(&longer).await, ErrorKind::Invalid)?;
    let longer = Commit::new().put(longer, "v");
    refused("a put of a longer key", store.commit(&longer).await, ErrorKind::Invalid)
}

async fn odd_keys(store: &KvPlugin) -> Found {
    let most = store.describe().key_bytes_max;
    let keys: Vec<Key> =
        ODD_KEYS.into_iter().filter(|text| text.len() <= most).map(key).collect::<Result<_, _>>()?;
    for (n, key) in keys.iter().enumerate() {
        put(store, key, n.to_string()).await?;
    }
    // All were put before any is read: two that fall together have one value.
    for (n, key) in keys.iter().enumerate() {
        holds(store, key, n.to_string().as_bytes()).await?;
    }
    for key in &keys {
        delete(store, key).await?;
        if store.get(key).await.map_err(seen)?.is_some() {
            return Err(format!("the key {} was deleted and is there", shown(key)));
        }
    }
    Ok(())
}

async fn values(store: &KvPlugin) -> Found {
    let most = store.describe().value_bytes_max;
    let at = key("hostile-value")?;
    let every: Vec<u8> = (0..=u8::MAX).collect();
    let hostile: [Vec<u8>; 5] =
        [Vec::new(), vec![0], every, b"\xff\xfe\xed\xa0\x80".to_vec(), vec![b'v'; most]];
    for value in hostile.into_iter().filter(|value| value.len() <= most) {
        put(store, &at, value.clone()).await?;
        holds(store, &at, &value).await?;
    }
    put(store, &at, "kept").await?;
    let larger = Commit::new().put(at.clone(), vec![b'v'; most + 1]);
    refused("a put of a larger value", store.commit(&larger).await, ErrorKind::Invalid)?;
    holds(store, &at, b"kept").await?;
    delete(store, &at).await
}

async fn batches(store: &KvPlugin) -> Found {
    let about = store.describe();
    let answers = store.get_many(&[]).await.map_err(seen)?;
    if !answers.is_empty() {
        return Err(format!("no keys were answered with {}", answers.len()));
    }
    let outcomes =
        store.commit(&Commit::new()).await.map_err(|e| format!("a commit of nothing: {}", e.chain()))?;
    if !outcomes.is_empty() {
        return Err(format!("a commit of nothing was answered with {} outcomes", outcomes.len()));
    }
    let name = |n: usize| key(format!("hostile-{n:04}"));
    let there = name(0)?;
    put(store, &there, "v").await?;
    // Each second key is the same one, which is there.
    let keys: Vec<Key> = (0..GET_MANY_MAX)
        .map(|n| if n % 2 == 0 { Ok(there.clone()) } else { name(n + COMMIT_ITEMS_MAX) })
        .collect::<Result<_, _>>()?;
    let answers = store.get_many(&keys).await.map_err(seen)?;
    let wrong = answers.iter().zip(&keys).filter(|(answer, key)| answer.is_some() != (**key == there));
    let wrong = wrong.count();
    if answers.len() != keys.len() || wrong > 0 {
        return Err(format!("{} keys had {} answers, {wrong} of them wrong", keys.len(), answers.len()));
    }
    let more: Vec<Key> = (0..=GET_MANY_MAX).map(name).collect::<Result<_, _>>()?;
    refused("a get of too many keys", store.get_many(&more).await, ErrorKind::Invalid)?;
    if !about.capabilities.contains(Capabilities::TRANSACTIONS) {
        let two = Commit::new().put(name(0)?, "v").put(name(1)?, "v");
        refused("a commit of two writes", store.commit(&two).await, ErrorKind::Unsupported)?;
        return delete(store, &there).await;
    }
    let value = vec![b'v'; about.value_bytes_max.min(COMMIT_BYTES_MAX / COMMIT_ITEMS_MAX - LAYER_BYTES)];
    let most = more.iter().take(COMMIT_ITEMS_MAX);
    let all = most.clone().fold(Commit::new(), |all, key| all.put(key.clone(), value.clone()));
    store.commit(&all).await.map_err(|e| format!("a commit of the largest size: {}", e.chain()))?;
    holds(store, &there, &value).await?;
    let all = more.iter().fold(Commit::new(), |all, key| all.delete(key.clone()));
    refused("a commit of too many writes", store.commit(&all).await, ErrorKind::Invalid)?;
    let twice = Commit::new().put(there.clone(), "1").put(there.clone(), "2");
    refused("a commit that writes a key twice", store.commit(&twice).await, ErrorKind::Invalid)?;
    let all = most.fold(Commit::new(), |all, key| all.delete(key.clone()));
    store.commit(&all).await.map(drop).map_err(seen)
}

async fn scans(store: &KvPlugin) -> Found {
    if !store.describe().capabilities.contains(Capabilities::SCAN) {
        let scan = store.scan(&Scan::new(KeyRange::all())).await;
        return refused("a scan, which it does not declare,", scan, ErrorKind::Unsupported);
    }
    let at = key("hostile-scan")?;
    put(store, &at, "v").await?;
    let none = Scan::new(KeyRange::all()).limit(0);
    refused("a scan with a limit of 0", store.scan(&none).await, ErrorKind::Invalid)?;
    let last = char::MAX.to_string().repeat(512);
    let odd = [
        KeyRange::between("b", "a"),
        KeyRange::between("a", "a"),
        KeyRange::between("\0", "\0\0"),
        KeyRange::from_key(&last),
        KeyRange::prefix(&last),
    ];
    for range in odd {
        let page = store.scan(&Scan::new(range.clone())).await.map_err(seen)?;
        if let Some((key, _)) = page.entries.first() {
            return Err(format!("the empty range {range:?} has the key {}", shown(key)));
        }
    }
    let mut scan = Scan::new(KeyRange::all()).limit(u32::MAX);
    let mut met = BTreeSet::new();
    for _ in 0..PAGES_MAX {
        let page = store.scan(&scan).await.map_err(seen)?;
        met.extend(page.entries.into_iter().map(|(key, _)| key));
        let Some(next) = page.next else {
            let found =
                met.contains(&at).then_some(()).ok_or("a scan of all does not find a key that is there");
            found?;
            return delete(store, &at).await;
        };
        scan.range = scan.range.resume(&next);
    }
    Err(format!("a scan of {} keys did not end after {PAGES_MAX} pages", met.len()))
}

async fn odd_paths(store: &BlobPlugin) -> Found {
    let operator = store.operator();
    for (n, path) in ODD_PATHS.iter().enumerate() {
        let written = operator.write(path, n.to_string()).await;
        written.map_err(|e| format!("write of {}: {e}", shown(path)))?;
    }
    for (n, path) in ODD_PATHS.iter().enumerate() {
        let read = operator.read(path).await.map_err(|e| format!("read of {}: {e}", shown(path)))?;
        if read.to_vec() != n.to_string().as_bytes() {
            return Err(format!("the blob {} has the bytes of another one", shown(path)));
        }
    }
    for path in NO_PATHS {
        if operator.write(path, "x").await.is_ok() {
            return Err(format!("{} is no path, and was written", shown(path)));
        }
    }
    for path in ODD_PATHS {
        operator.delete(path).await.map_err(|e| format!("delete of {}: {e}", shown(path)))?;
    }
    Ok(())
}

async fn longest_paths(store: &BlobPlugin) -> Found {
    let operator = store.operator();
    let mut folders = String::new();
    while folders.len() + PATH_PART_BYTES < BLOB_PATH_BYTES_MAX {
        folders.extend(std::iter::repeat_n('p', PATH_PART_BYTES - 1));
        folders.push('/');
    }
    let room = BLOB_PATH_BYTES_MAX - folders.len();
    let paths = ["a", "b"].map(|end| format!("{folders}{}{end}", "p".repeat(room - 1)));
    for path in &paths {
        operator
            .write(path, path.clone())
            .await
            .map_err(|e| format!("write of a path of {BLOB_PATH_BYTES_MAX} bytes: {e}"))?;
    }
    for path in &paths {
        let read = operator.read(path).await.map_err(|e| e.to_string())?;
        if read.to_vec() != path.as_bytes() {
            return Err("two paths that differ in their last byte have one blob".to_owned());
        }
        operator.delete(path).await.map_err(|e| e.to_string())?;
    }
    Ok(())
}

async fn contents(store: &BlobPlugin) -> Found {
    let operator = store.operator();
    let every: Vec<u8> = (0..=u8::MAX).cycle().take(256 << 10).collect();
    for bytes in [Vec::new(), vec![0], every] {
        operator.write("hostile", bytes.clone()).await.map_err(|e| e.to_string())?;
        let read = operator.read("hostile").await.map_err(|e| e.to_string())?.to_vec();
        if read != bytes {
            return Err(format!("a blob of {} bytes came back with {}, or changed", bytes.len(), read.len()));
        }
    }
    operator.delete("hostile").await.map_err(|e| e.to_string())
}

async fn reads(store: &BlobPlugin) -> Found {
    let operator = store.operator();
    match operator.read("hostile/missing").await {
        Err(error) if error.kind() == opendal::ErrorKind::NotFound => {}
        Err(error) => return Err(format!("a read of no blob is no `NotFound`: {error}")),
        Ok(read) => return Err(format!("a read of no blob has {} bytes", read.len())),
    }
    // What is not there is deleted already.
    operator.delete("hostile/missing").await.map_err(|e| format!("a delete of no blob: {e}"))?;
    operator.write("hostile", "0123456789").await.map_err(|e| e.to_string())?;
    // Past the end there is nothing, or an error that says so; bytes that nobody wrote are neither.
    if let Ok(read) = operator.read_with("hostile").range(1_000..2_000).await
        && !read.is_empty()
    {
        return Err(format!("a read past the end has {} bytes", read.len()));
    }
    operator.delete("hostile").await.map_err(|e| e.to_string())
}
