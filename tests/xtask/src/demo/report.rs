//! The table at the end, and `target/demo.json`.

use std::path::Path;

use serde::Serialize;

use super::{Crawl, PAGES_MIN, ledger::Comparison};
use crate::Outcome;

/// `target/demo.json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pages: u64,
    bytes: u64,
    lost: u64,
    duplicated: u64,
    killed: bool,
    resumed: bool,
    swaps: u64,
    seconds: f64,
    #[serde(skip)]
    examples: Vec<String>,
}

impl Report {
    pub(super) fn new(crawl: &Crawl, comparison: &Comparison) -> Self {
        let Comparison { pages, bytes, lost, duplicated } = comparison;
        let lost_examples = lost.iter().map(|page| format!("lost: {page}"));
        let duplicated_examples = duplicated.iter().map(|page| format!("duplicated: {page}"));
        Self {
            pages: *pages,
            bytes: *bytes,
            lost: lost.len() as u64,
            duplicated: duplicated.len() as u64,
            killed: crawl.killed_at.is_some(),
            // Not only that it found a state: everything that was reported done before was done still.
            resumed: crawl.resumed_at >= crawl.killed_at && crawl.resumed_at.is_some(),
            swaps: crawl.swaps_in_flight.iter().filter(|in_flight| **in_flight > 0).count() as u64,
            seconds: (crawl.time.as_secs_f64() * 10.0).round() / 10.0,
            examples: lost_examples.chain(duplicated_examples).take(10).collect(),
        }
    }

    /// The table.
    pub(super) fn print(&self, crawl: &Crawl) {
        let show = |number: Option<u64>| number.map_or("never".to_owned(), |n| format!("at {n} pages"));
        let in_flight: Vec<String> = crawl.swaps_in_flight.iter().map(u64::to_string).collect();
        let in_flight = in_flight.join(", ");
        let rows = [
            ("pages stored, equal to their source", self.pages.to_string()),
            ("size of the pages", format!("{:.1} MiB", self.bytes as f64 / 1_048_576.0)),
            ("reachable pages that are missing", self.lost.to_string()),
            ("pages committed or stored twice", self.duplicated.to_string()),
            ("crawler killed with SIGKILL", show(crawl.killed_at)),
            ("started again, found done", show(crawl.resumed_at)),
            ("backend replaced while it worked", format!("{} time(s)", self.swaps)),
            ("fetches in flight at that moment", in_flight),
            ("time", format!("{:.1} s", self.seconds)),
        ];
        println!();
        for (what, value) in rows {
            println!("  {what:38}{value:>16}");
        }
        self.examples.iter().for_each(|example| println!("  {example}"));
        println!();
    }

    /// Writes it as JSON.
    pub(super) fn write(&self, path: &Path) -> Outcome {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        std::fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Whether everything is as it must be.
    pub(super) fn verdict(&self) -> Outcome {
        let demands = [
            (self.lost == 0, "pages were lost"),
            (self.duplicated == 0, "pages were committed or stored twice"),
            (self.pages >= PAGES_MIN as u64, "there were too few pages"),
            (self.killed, "the crawler was not killed"),
            (self.resumed, "the crawler did not go on where it was"),
            (self.swaps >= 1, "the backend was not replaced under load"),
        ];
        let broken: Vec<&str> = demands.iter().filter(|(holds, _)| !holds).map(|(_, what)| *what).collect();
        if broken.is_empty() {
            println!("every reachable page is stored exactly once, equal to its source");
            return Ok(());
        }
        Err(format!("the demo failed: {}", broken.join(", ")))
    }
}
