//! The crawl: takes addresses from the frontier, keeps so many fetches in flight, commits what they
//! find.
//!
//! Each fetch is a task, so that it goes on while the crawl itself waits for the store: a future that
//! nobody polls may hold the one instance of a plugin that everybody waits for. The tasks are owned by
//! [`Crawl::run`]; when that ends or is dropped, so do they, and what they had not committed is fetched
//! again by the next run. Nothing here is remembered that is not in the store, except which addresses
//! are in flight.

use std::{
    collections::{HashSet, VecDeque},
    path::PathBuf,
    sync::Arc,
};

use larder::{Error, ErrorKind, Host, Result, Source, blobs::Blobs};
use reqwest::Client;
use tokio::task::JoinSet;

use crate::{
    address::Address,
    fetch::fetch,
    frontier::{Counts, Frontier, Todo},
    progress::Progress,
    site::Site,
};

/// How many addresses are read from the frontier at once.
const REFILL: u64 = 256;

/// How a crawl goes about it.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// How many fetches are in flight at once.
    pub(crate) in_flight_max: usize,
    /// After how many stored pages the crawl ends, even if there are more.
    pub(crate) pages_max: u64,
    /// A plugin that is replaced while the crawl goes on.
    pub(crate) swap: Option<Swap>,
}

/// The replacement of a plugin under load.
#[derive(Debug, Clone)]
pub(crate) struct Swap {
    /// The plugin, by its name in the configuration.
    pub(crate) plugin: String,
    /// The component that takes over.
    pub(crate) component: PathBuf,
    /// How many pages must be stored before.
    pub(crate) after_pages: u64,
}

/// A crawl of one site into one pair of stores.
#[derive(Debug)]
pub(crate) struct Crawl {
    pub(crate) host: Arc<Host>,
    pub(crate) worker: Arc<Worker>,
    pub(crate) options: Options,
}

/// What each fetch needs.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) frontier: Frontier,
    pub(crate) blobs: Blobs,
    pub(crate) client: Client,
    pub(crate) site: Site,
}

/// What a task did.
enum Done {
    Fetched(Address),
    /// The plugin was replaced; so many fetches were in flight when that began.
    Swapped(usize),
}

impl Crawl {
    /// Fetches until the frontier is empty or the limit of pages is reached, and says how far it came.
    ///
    /// # Errors
    /// Those of the stores and of the swap. What was committed stays; run it again.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing that was committed.
    pub(crate) async fn run(&self, progress: &mut Progress) -> Result<Counts> {
        let frontier = &self.worker.frontier;
        let mut counts = frontier.counts().await?;
        progress.show(counts);
        let mut queue = VecDeque::new();
        let mut busy = HashSet::new();
        let mut tasks = JoinSet::new();
        let mut swap = self.options.swap.clone();
        loop {
            if queue.is_empty() {
                let todo = frontier.some_todo(REFILL + busy.len() as u64).await?;
                queue.extend(todo.into_iter().filter(|todo| !busy.contains(&todo.address)));
            }
            while busy.len() < self.in_flight_max(counts)
                && let Some(todo) = queue.pop_front()
            {
                busy.insert(todo.address.clone());
                tasks.spawn(Arc::clone(&self.worker).one(todo));
            }
            if let Some(due) = swap.take_if(|swap| counts.pages >= swap.after_pages) {
                tasks.spawn(replace(Arc::clone(&self.host), due, busy.len()));
            }
            match tasks.join_next().await {
                None => return Ok(counts),
                Some(done) => match done.map_err(panicked)?? {
                    Done::Swapped(in_flight) => progress.swapped(in_flight),
                    Done::Fetched(address) => {
                        busy.remove(&address);
                        counts = frontier.counts().await?;
                        progress.show(counts);
                    }
                },
            }
        }
    }

    /// So many fetches, and never so many that the limit of pages could be passed.
    fn in_flight_max(&self, counts: Counts) -> usize {
        let left = usize::try_from(self.options.pages_max.saturating_sub(counts.pages)).unwrap_or(usize::MAX);
        self.options.in_flight_max.min(left)
    }
}

impl Worker {
    /// Fetches one address, stores its page, commits what it found.
    async fn one(self: Arc<Self>, todo: Todo) -> Result<Done> {
        let fetched = fetch(&self.client, &self.site, &self.blobs, &todo.address).await?;
        self.frontier.finish(&todo, &fetched.links, &fetched.record).await?;
        Ok(Done::Fetched(todo.address))
    }
}

/// Replaces the plugin while the fetches go on.
async fn replace(host: Arc<Host>, swap: Swap, in_flight: usize) -> Result<Done> {
    host.plugins().swap(&swap.plugin, Source::file(swap.component)).await?;
    Ok(Done::Swapped(in_flight))
}

fn panicked(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Unavailable, "a fetch ended in a panic").caused_by(error)
}
