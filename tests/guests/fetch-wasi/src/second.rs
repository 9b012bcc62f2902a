//! By the second draft of `wasi:keyvalue`: cursors are texts, and there is compare-and-swap.

use crate::fetcher::wasi::keyvalue0_2_0_draft2::{
    atomics::{self, Cas, CasError},
    batch, store,
};

fn told(error: store::Error) -> String {
    format!("{error:?}")
}

/// Writes, counts, swaps, and loses a swap to itself.
pub(crate) fn visit(name: &str) -> Result<String, String> {
    let bucket = store::open(name).map_err(told)?;
    batch::set_many(&bucket, &[("b".to_owned(), b"2".to_vec()), ("b".to_owned(), b"3".to_vec())])
        .map_err(told)?;
    let many = batch::get_many(&bucket, &["b", "nothing"].map(str::to_owned)).map_err(told)?;
    let sum = atomics::increment(&bucket, "visits", -2).map_err(told)?;
    let new = Cas::new(&bucket, "frontier").map_err(told)?;
    let before = new.current().map_err(told)?;
    atomics::swap(new, b"one").map_err(|_| "nobody else writes")?;
    let late = Cas::new(&bucket, "frontier").map_err(told)?;
    bucket.set("frontier", b"two").map_err(told)?;
    let newer = match atomics::swap(late, b"three") {
        Err(CasError::CasFailed(newer)) => newer,
        Err(CasError::StoreError(error)) => return Err(told(error)),
        Ok(()) => return Err("the swap saw nothing of the write before it".to_owned()),
    };
    let seen = newer.current().map_err(told)?.unwrap_or_default();
    atomics::swap(newer, b"three").map_err(|_| "nobody else writes")?;
    let last = bucket.get("frontier").map_err(told)?.unwrap_or_default();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(format!("{many:?} {sum} {before:?} {} {}", text(seen), text(last)))
}

/// All keys, page by page.
pub(crate) fn list(name: &str) -> Result<String, String> {
    let bucket = store::open(name).map_err(told)?;
    let (mut count, mut cursor, mut pages) = (0, None, 0);
    loop {
        let page = bucket.list_keys(cursor.as_deref()).map_err(told)?;
        count += page.keys.len();
        pages += 1;
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(format!("{count} in {pages}"));
        }
    }
}

/// Adds 100 times 1 by compare-and-swap, as often as others get in between.
pub(crate) fn race(name: &str) -> Result<String, String> {
    let bucket = store::open(name).map_err(told)?;
    for _ in 0..100 {
        let mut cas = Cas::new(&bucket, "sum").map_err(told)?;
        loop {
            let seen = cas.current().map_err(told)?.unwrap_or_else(|| b"0".to_vec());
            let seen: u64 = String::from_utf8_lossy(&seen).parse().map_err(|_| "no number")?;
            match atomics::swap(cas, (seen + 1).to_string().as_bytes()) {
                Ok(()) => break,
                Err(CasError::CasFailed(newer)) => cas = newer,
                Err(CasError::StoreError(error)) => return Err(told(error)),
            }
        }
    }
    Ok("done".to_owned())
}
