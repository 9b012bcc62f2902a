//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use url::Url;

use crate::crawl::{Options, Swap};

/// Crawls a site into larder's stores; killed and started again, it goes on where it was.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// Where the stores `frontier` (key-value) and `pages` (blobs) are configured.
    #[arg(long, global = true, default_value = "examples/fetcher/larder.yaml")]
    pub(crate) config: PathBuf,

    #[command(flatten)]
    pub(crate) crawl: CrawlArguments,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What else it can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints what the store knows of each address that is done, as a line of JSON each.
    Records,
    /// Prints the folder of pages that is served by default, and its first page.
    Tree,
}

/// How to crawl.
#[derive(Debug, Args)]
pub(crate) struct CrawlArguments {
    /// A real site instead of a tree on this machine: its first page. Only its host and folder are crawled.
    #[arg(long, conflicts_with = "tree")]
    pub(crate) site: Option<Url>,

    /// A folder of HTML pages, served on loopback. Default: the documentation of Rust.
    #[arg(long)]
    pub(crate) tree: Option<PathBuf>,

    /// The first page of `--tree`.
    #[arg(long, default_value = "index.html")]
    pub(crate) start: String,

    /// How many fetches are in flight at once.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    in_flight: u16,

    /// End after so many stored pages.
    #[arg(long, default_value_t = 10_000)]
    pages_max: u64,

    /// Replace this plugin of the configuration while the crawl goes on ...
    #[arg(long, requires = "swap_to")]
    swap: Option<String>,

    /// ... by this component ...
    #[arg(long, requires = "swap")]
    swap_to: Option<PathBuf>,

    /// ... once so many pages are stored.
    #[arg(long, default_value_t = 0)]
    swap_after: u64,

    /// Print one line of JSON per event instead of progress and a table.
    #[arg(long)]
    pub(crate) events: bool,
}

impl CrawlArguments {
    pub(crate) fn options(&self) -> Options {
        let swap = self.swap.clone().zip(self.swap_to.clone());
        Options {
            in_flight_max: usize::from(self.in_flight),
            pages_max: self.pages_max,
            swap: swap.map(|(plugin, component)| Swap { plugin, component, after_pages: self.swap_after }),
        }
    }
}
