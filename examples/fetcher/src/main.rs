//! A fetcher that crawls a site and survives being killed.
//!
//! It keeps its frontier, the addresses it has seen and its counters in a key-value store, and the pages
//! in a blob store. Which stores those are, the configuration alone says: the names `frontier` and
//! `pages` are all that this program knows of them. Kill it at any moment and run it again: it goes on
//! where it was, with no page lost and none stored twice ([`frontier`] says why).
//!
//! ```text
//! cargo run --bin larder-fetcher                     # the documentation of Rust, served on loopback
//! cargo run --bin larder-fetcher -- --site https://example.org/docs/ --pages-max 500
//! ```

mod address;
mod crawl;
mod fetch;
mod frontier;
mod links;
mod options;
mod progress;
mod record;
mod robots;
mod server;
mod site;
mod summary;
mod tree;

use std::{error::Error, io::IsTerminal, path::Path, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use larder::{Config, Host};
use reqwest::{Client, redirect};
use url::Url;

use crate::{
    address::Address,
    crawl::{Crawl, Worker},
    frontier::Frontier,
    options::{Command, CrawlArguments},
    progress::{Event, Progress},
    robots::{AGENT, Robots},
    server::Server,
    site::Site,
    tree::Tree,
};

/// How long a site may take to send the next part of an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let arguments = options::Arguments::parse();
    let outcome = match arguments.command {
        None => crawl(&arguments.config, arguments.crawl).await,
        Some(Command::Records) => records(&arguments.config).await,
        Some(Command::Tree) => Tree::find().map_err(Into::into).map(|tree| summary::print_tree(&tree)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            summary::complain(&*error);
            ExitCode::FAILURE
        }
    }
}

async fn crawl(config: &Path, arguments: CrawlArguments) -> Outcome<()> {
    let host = Arc::new(Host::open(Config::load(config)?.plan()?).await?);
    let client = Client::builder()
        .user_agent(concat!("larder-fetcher/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .read_timeout(ANSWER_TIMEOUT)
        .no_proxy()
        .build()?;
    // The server stops when it is dropped, at the end of this function.
    let (start, name, robots, _server) = site_of(&client, &arguments).await?;
    let site = Site::new(&start, name, robots);
    let frontier = Frontier::new(host.kv("frontier")?);
    let resumed = frontier.begin(site.name(), &Address::of(&start)).await?;
    let mut progress = Progress::new(arguments.events);
    progress.tell(&Event::Started { resumed, pages: frontier.counts().await?.pages });
    let crawl = Crawl {
        host: Arc::clone(&host),
        worker: Arc::new(Worker { frontier: frontier.clone(), blobs: host.blobs("pages")?, client, site }),
        options: arguments.options(),
    };
    let counts = crawl.run(&mut progress).await?;
    drop(crawl);
    progress.finish();
    progress.tell(&Event::Finished { pages: counts.pages, bytes: counts.bytes });
    if !arguments.events {
        summary::print(&counts, &frontier.records().await?, resumed);
    }
    drop(frontier);
    match Arc::into_inner(host) {
        Some(host) => Ok(host.close().await?),
        // A task that is being dropped still holds it: it is closed with that.
        None => Ok(()),
    }
}

/// The first page, the name of the crawl, the site's rules, and the server where there is one.
async fn site_of(
    client: &Client,
    arguments: &CrawlArguments,
) -> Outcome<(Url, String, Robots, Option<Server>)> {
    if let Some(start) = &arguments.site {
        let robots = site::robots(client, start).await?;
        if !robots.allows(start.path()) {
            return Err(format!("the robots.txt of {start} asks {AGENT} to stay away").into());
        }
        return Ok((start.clone(), start.to_string(), robots, None));
    }
    let tree = match &arguments.tree {
        Some(folder) => Tree::new(folder, &arguments.start),
        None => Tree::find()?,
    };
    let server = Server::start(&tree.folder).await?;
    let start = server.url(&tree.start)?;
    Ok((start, format!("tree {}", tree.start), Robots::default(), Some(server)))
}

async fn records(config: &Path) -> Outcome<()> {
    let host = Host::open(Config::load(config)?.plan()?).await?;
    let records = Frontier::new(host.kv("frontier")?).records().await?;
    host.close().await?;
    summary::print_records(&records)
}
