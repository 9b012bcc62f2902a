//! What a crawl prints at its end.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the program's output")]

use std::{collections::BTreeMap, error::Error, io::Write};

use serde::Serialize;

use crate::{
    address::Address,
    frontier::Counts,
    record::{Kind, Record},
    tree::Tree,
};

/// The table at the end of a crawl.
pub(crate) fn print(counts: &Counts, records: &[(Address, Record, u64)], resumed: bool) {
    let of = |kind: Kind| records.iter().filter(|(_, record, _)| record.kind == kind).count();
    let rows = [
        ("pages stored", counts.pages.to_string()),
        ("size", format!("{:.1} MiB", counts.bytes as f64 / 1_048_576.0)),
        ("addresses seen", counts.seen.to_string()),
        ("still to fetch", counts.seen.saturating_sub(records.len() as u64).to_string()),
        ("redirects", of(Kind::Redirect).to_string()),
        ("missing", of(Kind::Missing).to_string()),
        ("skipped (no HTML, or not allowed)", of(Kind::Skipped).to_string()),
        ("failed", of(Kind::Failed).to_string()),
        ("resumed an earlier run", if resumed { "yes" } else { "no" }.to_owned()),
    ];
    for (what, value) in rows {
        println!("{what:36}{value:>12}");
    }
    let mut reasons = BTreeMap::new();
    for reason in records.iter().filter_map(|(_, record, _)| record.reason.as_deref()) {
        *reasons.entry(reason).or_insert(0_usize) += 1;
    }
    for (reason, count) in reasons {
        println!("failed {count} times: {reason}");
    }
}

/// One line of `records`.
#[derive(Serialize)]
struct Line<'a> {
    address: &'a str,
    commits: u64,
    #[serde(flatten)]
    record: &'a Record,
}

pub(crate) fn print_records(records: &[(Address, Record, u64)]) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    for (address, record, commits) in records {
        let line = Line { address: address.as_str(), commits: *commits, record };
        writeln!(out, "{}", serde_json::to_string(&line)?)?;
    }
    Ok(())
}

pub(crate) fn print_tree(tree: &Tree) {
    println!("{}\n{}", tree.folder.display(), tree.start);
}

/// The error and its causes, on one line.
pub(crate) fn complain(error: &dyn Error) {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    eprintln!("larder-fetcher: {line}");
}
