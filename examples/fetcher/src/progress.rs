//! What a crawl tells while it runs: a line that moves on a terminal, events for a program that asks
//! for them, nothing in a pipe.

use std::io::Write;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::frontier::Counts;

/// Tells how far a crawl is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    events: bool,
    /// How often a plugin was replaced in this run.
    pub(crate) swaps: u64,
}

/// One line of JSON on standard output, for `--events`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event {
    /// The crawl goes on where `pages` are stored already.
    Started { resumed: bool, pages: u64 },
    /// So many pages are stored.
    Pages { pages: u64 },
    /// A plugin was replaced while so many fetches were in flight.
    Swapped { in_flight: usize },
    /// The frontier is empty, or the limit is reached.
    Finished { pages: u64, bytes: u64 },
}

impl Progress {
    /// A bar on a terminal, or events where they are asked for.
    pub(crate) fn new(events: bool) -> Self {
        let bar = if events { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
            bar.set_style(style);
        }
        Self { bar, events, swaps: 0 }
    }

    pub(crate) fn show(&mut self, counts: Counts) {
        self.bar.set_message(format!(
            "{} pages, {:.1} MiB, {} addresses seen",
            counts.pages,
            counts.bytes as f64 / 1_048_576.0,
            counts.seen
        ));
        self.bar.tick();
        self.tell(&Event::Pages { pages: counts.pages });
    }

    pub(crate) fn swapped(&mut self, in_flight: usize) {
        self.swaps += 1;
        self.bar.println(format!("plugin replaced with {in_flight} fetches in flight"));
        self.tell(&Event::Swapped { in_flight });
    }

    /// Prints an event, if events are asked for. Who no longer listens misses it, and the crawl goes on.
    pub(crate) fn tell(&self, event: &Event) {
        if !self.events {
            return;
        }
        if let Ok(line) = serde_json::to_string(event) {
            let mut out = std::io::stdout().lock();
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                tracing::debug!("nobody reads the events");
            }
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
