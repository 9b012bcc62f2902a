//! Scans of several pages, also while others write between them: an untouched entry is seen exactly
//! once.

use larder_core::{Capabilities, Key, KeyRange, Scan, limits::KEY_BYTES_MAX};

use crate::kv::{
    case::{Group, Verdict, case, ensure, same},
    stage::Stage,
};

pub(super) const GROUP: Group = Group {
    feature: "scan",
    needs: Capabilities::SCAN,
    cases: &[
        case("pages of every size make the same whole", |s| Box::pin(every_size(s))),
        case("pages go on within the range's end", |s| Box::pin(within_end(s))),
        case("pages go on at the longest keys", |s| Box::pin(longest_keys(s))),
        case("writes and deletes between pages leave the untouched seen once", |s| Box::pin(written(s))),
        case("a page goes on where the key it goes on from was deleted", |s| Box::pin(next_deleted(s))),
        case("a page of a range can be asked for again", |s| Box::pin(asked_again(s))),
        case("a scan that is never finished costs nothing", |s| Box::pin(never_finished(s))),
    ],
};

async fn fill(s: &Stage, count: usize) -> Verdict<Vec<String>> {
    let names: Vec<String> = (0..count).map(|i| format!("k{i:03}")).collect();
    s.fill(names.iter().map(|name| (name.clone(), name.clone().into())).collect()).await?;
    Ok(names)
}

fn names_of(entries: &[(Key, larder_core::Entry)]) -> Vec<String> {
    entries.iter().map(|(key, _)| key.to_string()).collect()
}

async fn every_size(s: &Stage) -> Verdict {
    let names = fill(s, 23).await?;
    for limit in [1, 2, 5, 22, 23, 24, 1_000] {
        let entries = s.entries(Scan::new(KeyRange::all()).limit(limit)).await?;
        same(&format!("keys in pages of {limit}"), names_of(&entries), names.clone())?;
        let keys = s.entries(Scan::new(KeyRange::all()).limit(limit).keys_only()).await?;
        same(&format!("keys alone in pages of {limit}"), names_of(&keys), names.clone())?;
    }
    Ok(())
}

async fn within_end(s: &Stage) -> Verdict {
    let names = fill(s, 20).await?;
    let entries = s.entries(Scan::new(KeyRange::between("k005", "k015")).limit(3)).await?;
    let expected = names.into_iter().skip(5).take(10).collect();
    same("keys in pages of 3", names_of(&entries), expected)
}

async fn longest_keys(s: &Stage) -> Verdict {
    let most = s.description.key_bytes_max.min(KEY_BYTES_MAX);
    let mut names: Vec<String> = ('a'..='f').map(|c| format!("{}{c}", "k".repeat(most - 1))).collect();
    names.push("k".repeat(most));
    names.sort();
    for name in &names {
        s.put(name, "1").await?;
    }
    for limit in [1, 2] {
        let entries = s.entries(Scan::new(KeyRange::prefix("k")).limit(limit)).await?;
        same(&format!("keys in pages of {limit}"), names_of(&entries), names.clone())?;
    }
    Ok(())
}

async fn written(s: &Stage) -> Verdict {
    // Even keys are never touched; odd ones come and go, before and after where the scan stands.
    let names = fill(s, 60).await?;
    let (untouched, touched): (Vec<_>, Vec<_>) =
        names.into_iter().enumerate().partition(|(i, _)| i.is_multiple_of(2));
    let untouched: Vec<String> = untouched.into_iter().map(|(_, name)| name).collect();
    for limit in [1, 4, 7] {
        let (mut scan, mut seen) = (Scan::new(KeyRange::all()).limit(limit), Vec::new());
        for round in 0_usize.. {
            let page = s.page(&scan).await?;
            seen.extend(names_of(&page.entries));
            let Some(next) = page.next else { break };
            ensure!(round < 2_000, "a scan that others write into does not end");
            scan.range = scan.range.resume(&next);
            for (i, name) in touched.iter().filter(|(i, _)| (i / 2 + round).is_multiple_of(3)) {
                match (i / 2 + round).is_multiple_of(2) {
                    true => drop(s.delete(name).await?),
                    false => drop(s.put(name, "changed").await?),
                }
            }
            s.put(&format!("k{:03}x", round % 60), "new").await?;
            s.put("a new first key", "new").await?;
        }
        let old: Vec<String> = seen.iter().filter(|name| untouched.contains(name)).cloned().collect();
        same(&format!("untouched keys in pages of {limit}"), old, untouched.clone())?;
        let ascending = seen.iter().zip(seen.iter().skip(1)).all(|(a, b)| a < b);
        ensure!(ascending, "a key was seen twice, or out of order, in pages of {limit}");
    }
    Ok(())
}

async fn next_deleted(s: &Stage) -> Verdict {
    let names = fill(s, 9).await?;
    let scan = Scan::new(KeyRange::all()).limit(3);
    let page = s.page(&scan).await?;
    let Some(next) = page.next else {
        return same("a page of at most 3 of 9 entries has a next one", false, true);
    };
    s.delete(&next).await?;
    let rest = s.entries(Scan { range: scan.range.resume(&next), ..scan }).await?;
    let seen = [names_of(&page.entries), names_of(&rest)].concat();
    same("the keys", seen, names.into_iter().filter(|name| **name != *next).collect())
}

async fn asked_again(s: &Stage) -> Verdict {
    fill(s, 12).await?;
    let scan = Scan::new(KeyRange::from_key("k004")).limit(4);
    let first = s.page(&scan).await?;
    s.entries(Scan::new(KeyRange::all()).limit(5)).await?;
    same("the same page", s.page(&scan).await?, first)
}

async fn never_finished(s: &Stage) -> Verdict {
    fill(s, 12).await?;
    for _ in 0..200 {
        s.page(&Scan::new(KeyRange::all()).limit(1)).await?;
    }
    s.put("k000", "after").await?;
    s.holds("k000", "after").await
}
