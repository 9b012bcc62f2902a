//! By the first draft of `wasi:keyvalue`: cursors are numbers.

use crate::fetcher::wasi::keyvalue0_2_0_draft::{atomics, batch, store};

fn told(error: store::Error) -> String {
    format!("{error:?}")
}

/// Writes a few keys, one by one and together, counts, lists, and takes all away again.
pub(crate) fn visit(name: &str) -> Result<String, String> {
    let bucket = store::open(name).map_err(told)?;
    bucket.set("a", b"1").map_err(told)?;
    batch::set_many(&bucket, &[("b".to_owned(), b"2".to_vec()), ("c".to_owned(), b"3".to_vec())])
        .map_err(told)?;
    let many = batch::get_many(&bucket, &["a", "nothing", "c"].map(str::to_owned)).map_err(told)?;
    let there = bucket.exists("a").map_err(told)?;
    let sum =
        atomics::increment(&bucket, "visits", 40).and_then(|_| atomics::increment(&bucket, "visits", 2));
    let sum = sum.map_err(told)?;
    let (mut keys, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = bucket.list_keys(cursor).map_err(told)?;
        keys.extend(page.keys);
        pages += 1;
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    batch::delete_many(&bucket, &keys).map_err(told)?;
    bucket.delete("a").map_err(told)?;
    let gone = bucket.get("a").map_err(told)?;
    Ok(format!("{many:?} {there} {sum} {} in {pages} {gone:?}", keys.join(",")))
}
