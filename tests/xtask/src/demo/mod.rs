//! `cargo xtask demo`: the main job on real input, with everything that may go wrong going wrong.
//!
//! A crawl of a thousand and more real pages over HTTP, with its state in a plugin (`kv-log`). Half way
//! the crawler is killed with SIGKILL; started again, it goes on where it was; at three quarters its
//! backend is replaced by another build of the plugin, with fetches in flight. At the end the pages are
//! compared with the files that they came from, found by a walk that shares no code with the crawler.

mod crawler;
mod ledger;
mod report;
mod tree;
mod walk;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{Install, Outcome, cargo, plugins};

use self::{
    crawler::{Crawler, Event},
    report::Report,
};

pub(crate) use self::tree::{Tree, tree_of_pages};

/// The configuration of the demo. Nothing else says where the crawler keeps things.
const CONFIGURATION: &str = "\
# Written by `cargo xtask demo`.
plugins:
  kv-log:
    path: ../plugins/kv-log.wasm
    settings: { folder: /data }
    grants: { folders: [ { path: ./state, as: /data, access: read-write } ] }
stores:
  frontier: { kind: kv, backend: kv-log }
  pages: { kind: blob, backend: fs, path: ./pages }
";

/// Fewest pages of a demo that means something.
const PAGES_MIN: usize = 1_000;

/// Builds what it needs, runs the crawl, checks it, prints the table, writes `target/demo.json`.
///
/// # Errors
/// A build that failed, a crawler that failed, or a check that did not hold.
pub(crate) fn run(install: Install) -> Outcome {
    plugins::build(&["kv-log"], install)?;
    cargo::run(&mut cargo::cargo(&["build", "--workspace"]))?;
    let tree = tree_of_pages()?;
    let expected = walk::reachable(&tree)?;
    println!("{} pages can be reached from {}", expected.len(), tree.folder.join(&tree.start).display());
    if expected.len() < PAGES_MIN {
        return Err(format!("{} pages are fewer than {PAGES_MIN}", expected.len()));
    }
    let folder = prepare()?;
    let crawl = crawl(&folder, &tree, expected.len())?;
    let ledger = ledger::read(&folder)?;
    let report = Report::new(&crawl, &ledger.compare(&expected, &folder.join("pages"))?);
    report.print(&crawl);
    report.write(&cargo::target().join("demo.json"))?;
    report.verdict()
}

/// What happened while it crawled.
struct Crawl {
    killed_at: Option<u64>,
    resumed_at: Option<u64>,
    swaps_in_flight: Vec<u64>,
    time: Duration,
}

/// An empty folder with the configuration and the folder that the plugin is granted.
fn prepare() -> Outcome<std::path::PathBuf> {
    let folder = cargo::target().join("demo");
    let prepare = || {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder.join("state"))?;
        fs::create_dir_all(folder.join("pages"))?;
        fs::write(folder.join("larder.yaml"), CONFIGURATION)
    };
    prepare().map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// The crawl, in two lives.
#[expect(clippy::disallowed_methods, reason = "the table tells how long the demo took, in real time")]
fn crawl(folder: &Path, tree: &Tree, pages: usize) -> Outcome<Crawl> {
    let begun = Instant::now();
    let bar = progress_bar(pages);
    let mut crawl =
        Crawl { killed_at: None, resumed_at: None, swaps_in_flight: Vec::new(), time: Duration::ZERO };
    let pages = pages as u64;

    let mut first = Crawler::start(folder, tree, &[])?;
    bar.println("crawling, with the state in the plugin kv-log");
    while let Some(event) = first.next_event()? {
        if let Event::Pages { pages: stored } = event {
            bar.set_position(stored);
            if stored >= pages / 2 {
                // By what was observed, not by the clock: half way on any machine.
                first.kill()?;
                crawl.killed_at = Some(stored);
                bar.println(format!("killed with SIGKILL after {stored} pages"));
                break;
            }
        }
    }
    if crawl.killed_at.is_none() {
        return Err("the crawler ended before it was killed".to_owned());
    }

    let component = cargo::target().join("plugins").join("kv-log-b.wasm");
    let after = (pages / 4 * 3).to_string();
    let component = component.to_string_lossy();
    let swap = ["--swap", "kv-log", "--swap-to", &component, "--swap-after", &after];
    let mut second = Crawler::start(folder, tree, &swap)?;
    while let Some(event) = second.next_event()? {
        match event {
            Event::Started { resumed, pages } => {
                crawl.resumed_at = resumed.then_some(pages);
                bar.println(format!("started again, and found {pages} pages done"));
            }
            Event::Pages { pages } => bar.set_position(pages),
            Event::Swapped { in_flight } => {
                crawl.swaps_in_flight.push(in_flight);
                bar.println(format!("kv-log replaced by another build, with {in_flight} fetches in flight"));
            }
            Event::Finished { .. } => {}
        }
    }
    second.finish()?;
    bar.finish_and_clear();
    crawl.time = begun.elapsed();
    Ok(crawl)
}

/// A bar on a terminal; in a pipe nothing.
fn progress_bar(pages: usize) -> ProgressBar {
    let bar = ProgressBar::new(pages as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} pages  {elapsed}") {
        bar.set_style(style);
    }
    bar
}
