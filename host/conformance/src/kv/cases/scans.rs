//! One page of a scan: its range, its order, its bounds.

use bytes::Bytes;
use larder_core::{Capabilities, ErrorKind, KeyRange, Scan, limits::PAGE_ENTRIES_MAX};

use super::writes::pattern;
use crate::kv::{
    case::{Failure, Group, Verdict, case, ensure, same},
    stage::{Stage, refusal},
};

pub(super) const GROUP: Group = Group {
    feature: "scan",
    needs: Capabilities::SCAN,
    cases: &[
        case("a scan of an empty store is empty and at its end", |s| Box::pin(empty_store(s))),
        case("a scan ascends, whatever the order of writing", |s| Box::pin(ascends(s))),
        case("the start is inclusive, the end exclusive", |s| Box::pin(bounds(s))),
        case("bounds need not be keys that are there", |s| Box::pin(between_keys(s))),
        case("a range whose end is at or before its start is empty", |s| Box::pin(empty_range(s))),
        case("a prefix range holds the prefix's keys and no others", |s| Box::pin(prefix(s))),
        case("a scan returns keys as they were put", |s| Box::pin(whole_keys(s))),
        case("a limit returns the lowest keys", |s| Box::pin(lowest(s))),
        case("a limit of 0 is invalid", |s| Box::pin(limit_zero(s))),
        case("there is no next page at the end", |s| Box::pin(no_next(s))),
        case("a scan of keys returns the keys without their values", |s| Box::pin(keys_only(s))),
        case("a scan and get agree on value, version and expiry", |s| Box::pin(agrees_with_get(s))),
        case("a page holds at most 1,000 entries", |s| Box::pin(entries_bound(s))),
        case("a page is bounded in bytes", |s| Box::pin(bytes_bound(s))),
        case("deleted entries are not in a scan", |s| Box::pin(deleted(s))),
    ],
};

async fn put_all(s: &Stage, names: &[&str]) -> Verdict {
    for name in names {
        s.put(name, (*name).to_owned()).await?;
    }
    Ok(())
}

async fn expect(s: &Stage, range: KeyRange, expected: &[&str]) -> Verdict {
    let what = format!("{range:?}");
    same(&what, s.names(range).await?, expected.iter().map(|name| (*name).to_owned()).collect())
}

async fn empty_store(s: &Stage) -> Verdict {
    for range in [KeyRange::all(), KeyRange::from_key("a"), KeyRange::between("a", "b")] {
        let page = s.page(&Scan::new(range)).await?;
        same("entries", page.entries.len(), 0)?;
        same("the next page", page.next, None)?;
    }
    Ok(())
}

async fn ascends(s: &Stage) -> Verdict {
    put_all(s, &["m", "z", "a", "k", "b", "y", "c"]).await?;
    expect(s, KeyRange::all(), &["a", "b", "c", "k", "m", "y", "z"]).await
}

async fn bounds(s: &Stage) -> Verdict {
    put_all(s, &["a", "b", "c", "d"]).await?;
    expect(s, KeyRange::between("b", "d"), &["b", "c"]).await?;
    expect(s, KeyRange::between("b", "c"), &["b"]).await?;
    expect(s, KeyRange::from_key("c"), &["c", "d"]).await?;
    expect(s, KeyRange::between("", "b"), &["a"]).await?;
    expect(s, KeyRange::from_key(""), &["a", "b", "c", "d"]).await?;
    // The least key after "b" begins with it.
    expect(s, KeyRange::between("b", "b\0"), &["b"]).await?;
    expect(s, KeyRange::from_key("b\0"), &["c", "d"]).await
}

async fn between_keys(s: &Stage) -> Verdict {
    put_all(s, &["b", "d", "f"]).await?;
    expect(s, KeyRange::between("a", "e"), &["b", "d"]).await?;
    expect(s, KeyRange::between("c", "z"), &["d", "f"]).await?;
    expect(s, KeyRange::between("g", "z"), &[]).await?;
    expect(s, KeyRange::between("", "a"), &[]).await?;
    expect(s, KeyRange::from_key("\u{10ffff}"), &[]).await
}

async fn empty_range(s: &Stage) -> Verdict {
    put_all(s, &["a", "b", "c"]).await?;
    for (start, end) in [("b", "b"), ("c", "a"), ("", ""), ("\u{10ffff}", "a"), ("a", "")] {
        let page = s.page(&Scan::new(KeyRange::between(start, end))).await?;
        same("entries", page.entries.len(), 0)?;
        same("the next page", page.next, None)?;
    }
    Ok(())
}

async fn prefix(s: &Stage) -> Verdict {
    put_all(
        s,
        &[
            "p",
            "p:",
            "p:a",
            "p:b",
            "p:b:c",
            "p;",
            "pp:a",
            "q:a",
            "o",
            "p:\u{10ffff}",
            "x\u{d7ff}1",
            "x\u{e000}1",
        ],
    )
    .await?;
    expect(s, KeyRange::prefix("p:"), &["p:", "p:a", "p:b", "p:b:c", "p:\u{10ffff}"]).await?;
    expect(s, KeyRange::prefix("p:b"), &["p:b", "p:b:c"]).await?;
    expect(s, KeyRange::prefix("x\u{d7ff}"), &["x\u{d7ff}1"]).await?;
    expect(s, KeyRange::prefix("r"), &[]).await
}

async fn whole_keys(s: &Stage) -> Verdict {
    let names = ["a%2Fb", "a:b", "a:b:", "ns:key", "ü/ü"];
    for name in names {
        s.put(name, format!("value of {name}")).await?;
    }
    for (name, value) in s.list(KeyRange::all()).await? {
        same(&name, value, Bytes::from(format!("value of {name}")))?;
    }
    expect(s, KeyRange::prefix("ns:"), &["ns:key"]).await
}

async fn lowest(s: &Stage) -> Verdict {
    // Written from the highest down, so that the first written are not the lowest.
    for i in (0..40).rev() {
        s.put(&format!("k{i:02}"), "1").await?;
    }
    for limit in [1_u32, 3, 39] {
        let page = s.page(&Scan::new(KeyRange::all()).limit(limit)).await?;
        ensure!(!page.entries.is_empty() || page.next.is_some(), "a page that says nothing of 40 entries");
        let names: Vec<String> = page.entries.iter().map(|(key, _)| key.to_string()).collect();
        let expected: Vec<String> = (0..names.len()).map(|i| format!("k{i:02}")).collect();
        same(&format!("the lowest {limit}"), names, expected)?;
        ensure!(page.next.is_some(), "a page of at most {limit} of 40 entries has no next");
    }
    Ok(())
}

async fn limit_zero(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    match s.store.scan(&Scan::new(KeyRange::all()).limit(0)).await {
        Ok(page) => {
            Err(Failure(format!("a scan of at most 0 entries answered {} of them", page.entries.len())))
        }
        Err(error) => refusal(error, ErrorKind::Invalid).map(drop),
    }
}

async fn no_next(s: &Stage) -> Verdict {
    put_all(s, &["a", "b", "c", "d"]).await?;
    for (range, entries) in
        [(KeyRange::all(), 4), (KeyRange::between("a", "c"), 2), (KeyRange::from_key("d"), 1)]
    {
        // Also where the limit is just what is left: whoever asks for a page in vain has asked once too often.
        let entries_in_range = s.entries(Scan::new(range.clone()).limit(entries)).await?;
        same("entries", entries_in_range.len(), entries as usize)?;
        let page = s.page(&Scan::new(range.clone()).limit(entries)).await?;
        if page.entries.len() == entries as usize {
            same(&format!("the next page of {range:?}"), page.next, None)?;
        }
    }
    Ok(())
}

async fn keys_only(s: &Stage) -> Verdict {
    for name in ["a", "b", "c"] {
        s.put(name, format!("value of {name}")).await?;
    }
    let entries = s.entries(Scan::new(KeyRange::all()).keys_only()).await?;
    let names: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
    same("the keys", names, vec!["a", "b", "c"])?;
    for (key, entry) in &entries {
        same(&format!("the version of {key}"), entry.version, s.version(key).await?)?;
    }
    Ok(())
}

async fn agrees_with_get(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    s.put("b", "").await?;
    if s.description.capabilities.contains(Capabilities::TTL) {
        s.put_for("c", "3", std::time::Duration::from_secs(60)).await?;
    }
    if s.description.capabilities.contains(Capabilities::COUNTERS) {
        s.add("d", 4).await?;
    }
    let entries = s.entries(Scan::new(KeyRange::all())).await?;
    ensure!(entries.len() >= 2, "a scan of at least 2 entries answered {}", entries.len());
    for (key, entry) in entries {
        same(&key, Some(entry), s.get(&key).await?)?;
    }
    Ok(())
}

async fn entries_bound(s: &Stage) -> Verdict {
    let count = PAGE_ENTRIES_MAX as usize + 250;
    s.fill((0..count).map(|i| (format!("k{i:05}"), Bytes::from_static(b"1"))).collect()).await?;
    // `page` asserts the bound for any limit, also for one that asks for more.
    for limit in [PAGE_ENTRIES_MAX, u32::MAX] {
        let entries = s.entries(Scan::new(KeyRange::all()).limit(limit)).await?;
        same(&format!("entries in pages of at most {limit}"), entries.len(), count)?;
    }
    Ok(())
}

async fn bytes_bound(s: &Stage) -> Verdict {
    let size = s.description.value_bytes_max.min(1 << 20);
    let count = (12 << 20) / size.max(16 << 10);
    s.fill((0..count).map(|i| (format!("k{i:03}"), pattern(size))).collect()).await?;
    let entries = s.entries(Scan::new(KeyRange::all())).await?;
    same("entries", entries.len(), count)?;
    ensure!(entries.iter().all(|(_, entry)| entry.value == pattern(size)), "a large value came back changed");
    // One value may be larger than a page; it comes alone.
    let large = s.description.value_bytes_max.min(6 << 20);
    s.put("k001", pattern(large)).await?;
    let sizes: Vec<usize> =
        s.entries(Scan::new(KeyRange::all())).await?.iter().map(|(_, e)| e.value.len()).collect();
    let expected = (0..count).map(|i| if i == 1 { large } else { size }).collect();
    same("the sizes, with a value larger than a page", sizes, expected)
}

async fn deleted(s: &Stage) -> Verdict {
    put_all(s, &["a", "b", "c"]).await?;
    s.delete("b").await?;
    expect(s, KeyRange::all(), &["a", "c"]).await?;
    s.delete("a").await?;
    s.delete("c").await?;
    expect(s, KeyRange::all(), &[]).await?;
    s.put("b", "1").await?;
    expect(s, KeyRange::all(), &["b"]).await
}
