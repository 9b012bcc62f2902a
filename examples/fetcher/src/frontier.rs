//! What a crawl knows: the pages still to fetch, those done, and every address ever seen.
//!
//! | key | value |
//! |---|---|
//! | `site` | which crawl this is |
//! | `todo:ADDRESS` | the frontier: seen and not done |
//! | `done:ADDRESS` | what became of the page |
//! | `seen:ADDRESS` | nothing: the key is the fact |
//! | `commits:ADDRESS` | counter: how often the page was committed, which must be once |
//! | `count:pages`, `count:bytes`, `count:seen` | counters |
//!
//! The one invariant: an address that was seen is in the frontier or done, never both and never
//! neither. A page's last commit takes it from one to the other, adds the links that nobody has seen
//! and counts, all or nothing, and only if the page still is in the frontier as this process found it. So
//! whoever dies at any moment resumes by reading the frontier, and nothing is done twice.

use bytes::Bytes;
use futures::TryStreamExt;
use larder::{CommitBuilder, Entry, Error, ErrorKind, Key, Kv, Result, ScanOptions, Version};

use crate::{address::Address, record::Record};

/// Most new links in one commit. Each takes one check and two writes of the thousand that a commit
/// may have; a page with more gets several commits, the one that finishes it last.
const LINKS_PER_COMMIT: usize = 300;

/// How many conflicts a page meets before it gives up. Each means that another page got on, so this is
/// reached only where something is wrong.
const CONFLICTS_MAX: usize = 100;

/// The state of a crawl.
#[derive(Debug, Clone)]
pub(crate) struct Frontier {
    kv: Kv,
}

/// An address taken from the frontier, as it was found there.
#[derive(Debug, Clone)]
pub(crate) struct Todo {
    pub(crate) address: Address,
    version: Version,
}

/// How far a crawl is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Pages stored.
    pub(crate) pages: u64,
    /// Bytes in them.
    pub(crate) bytes: u64,
    /// Addresses seen.
    pub(crate) seen: u64,
}

impl Frontier {
    pub(crate) fn new(kv: Kv) -> Self {
        Self { kv }
    }

    /// Begins a crawl, or finds the one that was begun here. Says whether it was found.
    ///
    /// # Errors
    /// `invalid` where the store holds the crawl of another site; else the store's own.
    pub(crate) async fn begin(&self, site: &str, start: &Address) -> Result<bool> {
        let begun = self.kv.commit().if_absent("site").set("site", site);
        match add_unseen(begun, std::slice::from_ref(start)).run().await {
            Ok(_) => Ok(false),
            // Not ours to begin, or nobody knows: what the store says now decides.
            Err(error) if error.kind() == ErrorKind::Conflict || error.is_effect_unknown() => {
                match self.kv.get::<String>("site").await? {
                    Some(known) if known == site => Ok(true),
                    Some(_) => Err(Error::invalid("this store holds the crawl of another site")),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Up to `limit` addresses from the frontier, in the order of addresses.
    ///
    /// # Errors
    /// The store's own. Cancel safe.
    pub(crate) async fn some_todo(&self, limit: u64) -> Result<Vec<Todo>> {
        let entries: Vec<(Key, Entry)> =
            self.kv.scan(ScanOptions::prefix("todo:").limit(limit)).try_collect().await?;
        let todo = |(key, entry): (Key, Entry)| {
            let address = key.strip_prefix("todo:")?;
            Some(Todo { address: Address::from_stored(address), version: entry.version })
        };
        Ok(entries.into_iter().filter_map(todo).collect())
    }

    /// Finishes a page: links first where they are many, then the one commit that counts. `links` holds no
    /// address twice.
    ///
    /// # Errors
    /// The store's own. The page then still is in the frontier, or it is done; a repeated call is
    /// harmless.
    pub(crate) async fn finish(&self, todo: &Todo, links: &[Address], record: &Record) -> Result<()> {
        let mut conflicts = 0;
        loop {
            let unseen = self.unseen(links).await?;
            let (commit, is_last) = match unseen.split_at_checked(LINKS_PER_COMMIT) {
                // The next round leaves out what this one adds.
                Some((first, _)) => (add_unseen(self.kv.commit(), first), false),
                None => (self.finishing(todo, &unseen, record), true),
            };
            match commit.run().await {
                Ok(_) if is_last => return Ok(()),
                Ok(_) => {}
                // A check failed, or nobody knows: what the store says now decides.
                Err(error) if error.kind() == ErrorKind::Conflict || error.is_effect_unknown() => {
                    if self.is_done(&todo.address).await? {
                        return Ok(());
                    }
                    conflicts += 1;
                    if conflicts == CONFLICTS_MAX {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// How far the crawl is.
    ///
    /// # Errors
    /// The store's own. Cancel safe.
    pub(crate) async fn counts(&self) -> Result<Counts> {
        let counts = self.kv.get_many(&["count:pages", "count:bytes", "count:seen"]).await?;
        let mut counts = counts.into_iter().map(Option::unwrap_or_default);
        let mut next = || counts.next().unwrap_or_default();
        Ok(Counts { pages: next(), bytes: next(), seen: next() })
    }

    /// Everything that is done, by address, with the number of its commits.
    ///
    /// # Errors
    /// The store's own. Cancel safe.
    pub(crate) async fn records(&self) -> Result<Vec<(Address, Record, u64)>> {
        let mut done = self.kv.scan(ScanOptions::prefix("done:").keys_only());
        let mut records = Vec::new();
        while let Some((key, _)) = done.try_next().await? {
            let Some(address) = key.strip_prefix("done:").map(Address::from_stored) else { continue };
            let Some(record) = self.kv.get::<Record>(&key).await? else { continue };
            let commits = self.kv.get::<u64>(&format!("commits:{address}")).await?.unwrap_or_default();
            records.push((address, record, commits));
        }
        Ok(records)
    }

    /// The commit that takes a page from the frontier to what is done.
    fn finishing(&self, todo: &Todo, unseen: &[Address], record: &Record) -> CommitBuilder<'_> {
        let Todo { address, version } = todo;
        let (is_todo, is_done) = (format!("todo:{address}"), format!("done:{address}"));
        let commit = add_unseen(self.kv.commit(), unseen)
            .if_version(&is_todo, *version)
            .if_absent(&is_done)
            .delete(&is_todo)
            .set(&is_done, record)
            .increment(&format!("commits:{address}"), 1);
        if !record.is_page() {
            return commit;
        }
        commit.increment("count:pages", 1).increment("count:bytes", record.bytes.cast_signed())
    }

    async fn is_done(&self, address: &Address) -> Result<bool> {
        self.kv.exists(&format!("done:{address}")).await
    }

    /// Which of the links nobody has seen.
    async fn unseen(&self, links: &[Address]) -> Result<Vec<Address>> {
        let keys: Vec<String> = links.iter().map(|link| format!("seen:{link}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let entries = self.kv.get_entries(&keys).await?;
        let absent = links.iter().zip(entries).filter(|(_, entry)| entry.is_none());
        Ok(absent.map(|(link, _)| link.clone()).collect())
    }
}

/// Adds addresses to the frontier, under the check that nobody has seen them. No address twice: a commit
/// writes a key once.
fn add_unseen<'kv>(mut commit: CommitBuilder<'kv>, unseen: &[Address]) -> CommitBuilder<'kv> {
    for link in unseen {
        let seen = format!("seen:{link}");
        commit = commit.if_absent(&seen).set_bytes(&seen, Bytes::new());
        commit = commit.set_bytes(&format!("todo:{link}"), Bytes::new());
    }
    if unseen.is_empty() {
        return commit;
    }
    commit.increment("count:seen", i64::try_from(unseen.len()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use larder::{Config, Host};

    use super::*;

    async fn frontier() -> Frontier {
        let config = Config::from_yaml("stores: { frontier: { kind: kv, backend: memory } }").unwrap();
        let host = Host::open(config.plan().unwrap()).await.unwrap();
        Frontier::new(host.kv("frontier").unwrap())
    }

    fn address(text: &str) -> Address {
        Address::from_stored(text)
    }

    fn page(bytes: u64) -> Record {
        Record::page("a.html".to_owned(), bytes)
    }

    #[tokio::test]
    async fn a_crawl_that_was_begun_is_found_again_and_another_is_refused() {
        let frontier = frontier().await;
        assert!(!frontier.begin("a", &address("/")).await.unwrap());
        assert!(frontier.begin("a", &address("/")).await.unwrap());
        let refused = frontier.begin("b", &address("/")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert_eq!(frontier.some_todo(10).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_page_that_two_finish_is_counted_once() {
        let frontier = frontier().await;
        frontier.begin("a", &address("/")).await.unwrap();
        let todo = frontier.some_todo(1).await.unwrap().remove(0);
        let links = [address("/x"), address("/y")];
        frontier.finish(&todo, &links, &page(7)).await.unwrap();
        frontier.finish(&todo, &links, &page(7)).await.unwrap();
        assert_eq!(frontier.counts().await.unwrap(), Counts { pages: 1, bytes: 7, seen: 3 });
        let records = frontier.records().await.unwrap();
        assert_eq!(records, [(address("/"), page(7), 1)]);
        let todo: Vec<Address> =
            frontier.some_todo(10).await.unwrap().into_iter().map(|todo| todo.address).collect();
        assert_eq!(todo, links);
    }

    #[tokio::test]
    async fn a_link_that_two_pages_find_at_once_is_added_once() {
        let frontier = frontier().await;
        frontier.begin("a", &address("/")).await.unwrap();
        let first = frontier.some_todo(1).await.unwrap().remove(0);
        frontier.finish(&first, &[address("/x"), address("/y")], &page(1)).await.unwrap();
        let found = frontier.some_todo(10).await.unwrap();
        let shared = [address("/z")];
        let record = page(1);
        let both = found.iter().map(|todo| frontier.finish(todo, &shared, &record));
        futures::future::try_join_all(both).await.unwrap();
        assert_eq!(frontier.counts().await.unwrap(), Counts { pages: 3, bytes: 3, seen: 4 });
    }

    #[tokio::test]
    async fn a_page_may_have_more_links_than_a_commit() {
        for count in [LINKS_PER_COMMIT, 2_345] {
            let frontier = frontier().await;
            frontier.begin("a", &address("/")).await.unwrap();
            let todo = frontier.some_todo(1).await.unwrap().remove(0);
            let links: Vec<Address> = (0..count).map(|i| address(&format!("/{i}"))).collect();
            frontier.finish(&todo, &links, &page(1)).await.unwrap();
            let seen = count as u64 + 1;
            assert_eq!(frontier.counts().await.unwrap(), Counts { pages: 1, bytes: 1, seen });
            assert_eq!(frontier.some_todo(10_000).await.unwrap().len(), count);
        }
    }
}
