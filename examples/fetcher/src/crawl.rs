//! The crawl: takes addresses from the frontier, keeps so many fetches in flight, commits what they
//! find.
//!
//! All fetches run on the caller's task; dropping the future of [`Crawl::run`] ends them, and what they
//! had not committed is fetched again by the next run. Nothing here is remembered that is not in the
//! store, except which addresses are in flight.

use std::{
    collections::{HashSet, VecDeque},
    path::PathBuf,
};

use futures::{StreamExt, stream::FuturesUnordered};
use larder::{Host, Result, Source, blobs::Blobs};
use reqwest::Client;

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
pub(crate) struct Crawl<'a> {
    pub(crate) host: &'a Host,
    pub(crate) frontier: Frontier,
    pub(crate) blobs: Blobs,
    pub(crate) client: Client,
    pub(crate) site: Site,
    pub(crate) options: Options,
}

impl Crawl<'_> {
    /// Fetches until the frontier is empty or the limit of pages is reached, and says how far it came.
    ///
    /// # Errors
    /// Those of the stores and of the swap. What was committed stays; run it again.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing that was committed.
    pub(crate) async fn run(&self, progress: &mut Progress) -> Result<Counts> {
        let mut counts = self.frontier.counts().await?;
        progress.show(counts);
        let mut queue = VecDeque::new();
        let mut busy = HashSet::new();
        let mut fetches = FuturesUnordered::new();
        let mut swap = self.options.swap.clone();
        let mut swaps = FuturesUnordered::new();
        loop {
            if queue.is_empty() {
                let todo = self.frontier.some_todo(REFILL + busy.len() as u64).await?;
                queue.extend(todo.into_iter().filter(|todo| !busy.contains(&todo.address)));
            }
            while fetches.len() < self.in_flight_max(counts)
                && let Some(todo) = queue.pop_front()
            {
                busy.insert(todo.address.clone());
                fetches.push(self.one(todo));
            }
            if let Some(due) = swap.take_if(|swap| counts.pages >= swap.after_pages) {
                swaps.push(self.swap(due, fetches.len()));
            }
            if fetches.is_empty() && swaps.is_empty() {
                return Ok(counts);
            }
            tokio::select! {
                Some(done) = fetches.next() => {
                    busy.remove(&done?);
                    counts = self.frontier.counts().await?;
                    progress.show(counts);
                }
                Some(swapped) = swaps.next() => progress.swapped(swapped?),
            }
        }
    }

    /// So many fetches, and never so many that the limit of pages could be passed.
    fn in_flight_max(&self, counts: Counts) -> usize {
        let left = usize::try_from(self.options.pages_max.saturating_sub(counts.pages)).unwrap_or(usize::MAX);
        self.options.in_flight_max.min(left)
    }

    async fn one(&self, todo: Todo) -> Result<Address> {
        let fetched = fetch(&self.client, &self.site, &self.blobs, &todo.address).await?;
        self.frontier.finish(&todo, &fetched.links, &fetched.record).await?;
        Ok(todo.address)
    }

    /// Replaces the plugin while the fetches go on; answers how many were in flight when it began.
    async fn swap(&self, swap: Swap, in_flight: usize) -> Result<usize> {
        let source = Source::file(swap.component);
        self.host.plugins().swap(&swap.plugin, source).await?;
        Ok(in_flight)
    }
}
