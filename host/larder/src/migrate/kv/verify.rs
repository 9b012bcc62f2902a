//! Comparing two key-value stores, range by range: a page of the source against all that the target has between its
//! ends, by count and digest, and by the moments at which entries expire. Where they differ, both are read again and
//! walked through side by side, which names the keys, and forgives what only seemed to differ since time had gone on.

use std::{collections::VecDeque, sync::Arc};

use larder_core::{Entry, Key, KeyRange, KvStore, Result, Scan, Timestamp, limits::PAGE_ENTRIES_MAX};

use super::{expiry_fits, is_ending, size};
use crate::migrate::{CHECKPOINT, Existing, Task, Verification, digest::Digest};

/// `lasting` is what the copy read of the source, without what expires.
pub(super) async fn run(
    task: &Task<'_>,
    source: &Arc<dyn KvStore>,
    target: &Arc<dyn KvStore>,
    lasting: Digest,
) -> Result<Verification> {
    let mut found = Verification::default();
    let (mut whole, mut lasting_now) = (Digest::default(), Digest::default());
    let mut range = KeyRange::all();
    loop {
        let limit = task.pace.entries_at_once(PAGE_ENTRIES_MAX);
        let page = source.scan(&Scan::new(range.clone()).limit(limit)).await?;
        let bytes = page.entries.iter().map(|(key, entry)| size(key, entry)).sum();
        task.pace.take(page.entries.len() as u64, bytes).await;
        let part = KeyRange { start: range.start.clone(), end: page.next.clone().map(Key::into_inner) };
        let mut here = Side::default();
        for (key, entry) in &page.entries {
            here.add(key, entry);
            whole.entry(key, entry);
            if entry.expires_at.is_none() {
                lasting_now.entry(key, entry);
            }
        }
        found.compared += page.entries.len() as u64;
        found.ranges += 1;
        let count = page.entries.len() as u64;
        let next = page.next.clone();
        drop(page);
        let there = Side::read(target, &part, here.digest.count).await?;
        if !here.is_equal(&there, task) {
            walk(task, source, target, part, &mut found).await?;
        }
        task.tally.add(count, bytes);
        tracing::debug!(compared = found.compared, "a range is compared");
        match next {
            Some(next) => range = range.resume(&next),
            None => break,
        }
    }
    found.digest = whole.to_string();
    found.source_changed = lasting_now != lasting;
    Ok(found)
}

/// What one store has in a range: enough to tell whether the other has the same.
#[derive(Default)]
struct Side {
    digest: Digest,
    /// In the order of the keys. As many as the entries of a page.
    expiries: Vec<Option<Timestamp>>,
}

impl Side {
    fn add(&mut self, key: &Key, entry: &Entry) {
        self.digest.entry(key, entry);
        self.expiries.push(entry.expires_at);
    }

    /// Reads a range, page by page, and stops where it is already more than `expected`.
    async fn read(store: &Arc<dyn KvStore>, range: &KeyRange, expected: u64) -> Result<Self> {
        let mut side = Self::default();
        let mut pages = Pages::new(store, range.clone());
        while let Some((key, entry)) = pages.next().await? {
            if &*key != CHECKPOINT {
                side.add(&key, &entry);
            }
            if side.digest.count > expected {
                break;
            }
        }
        Ok(side)
    }

    fn is_equal(&self, other: &Self, task: &Task<'_>) -> bool {
        let near = |(one, other): (&Option<Timestamp>, &Option<Timestamp>)| match (one, other) {
            (Some(one), Some(other)) => {
                one.since(*other).max(other.since(*one)) <= task.options.expiry_tolerance
            }
            (one, other) => one.is_none() && other.is_none(),
        };
        self.digest == other.digest && self.expiries.iter().zip(&other.expiries).all(near)
    }
}

/// Walks through a range of both stores side by side and names what differs.
async fn walk(
    task: &Task<'_>,
    source: &Arc<dyn KvStore>,
    target: &Arc<dyn KvStore>,
    range: KeyRange,
    found: &mut Verification,
) -> Result<()> {
    let clock = &*task.options.clock;
    let (mut ours, mut theirs) = (Pages::new(source, range.clone()), Pages::new(target, range));
    let (mut one, mut other) = (ours.next().await?, theirs.next().await?);
    loop {
        let order = match (&one, &other) {
            (None, None) => return Ok(()),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((ours, _)), Some((theirs, _))) => ours.cmp(theirs),
        };
        if let (std::cmp::Ordering::Less, Some((key, entry))) = (order, &one) {
            if !is_ending(entry, clock, task) {
                found.differ(key, "missing in the target");
            }
        } else if let (std::cmp::Ordering::Greater, Some((key, entry))) = (order, &other) {
            let ours = &**key == CHECKPOINT || is_ending(entry, clock, task);
            match task.options.existing {
                _ if ours => {}
                Existing::Refuse => found.differ(key, "only in the target"),
                Existing::Merge | Existing::Overwrite => found.only_in_target += 1,
            }
        } else if let (Some((key, ours)), Some((_, theirs))) = (&one, &other) {
            if ours.value != theirs.value {
                let (ours, theirs) = (ours.value.len(), theirs.value.len());
                found.differ(key, format!("another value ({ours} bytes, in the target {theirs})"));
            } else if !expiry_fits(ours, theirs, task) {
                let shown =
                    |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| format!("at {} ms", at.0));
                let (ours, theirs) = (shown(ours.expires_at), shown(theirs.expires_at));
                found.differ(key, format!("expires {ours}, in the target {theirs}"));
            }
        }
        if order.is_le() {
            one = ours.next().await?;
        }
        if order.is_ge() {
            other = theirs.next().await?;
        }
    }
}

/// The entries of a range, one page of them in memory.
struct Pages<'a> {
    store: &'a Arc<dyn KvStore>,
    /// What is left to fetch; none at the end.
    range: Option<KeyRange>,
    page: VecDeque<(Key, Entry)>,
}

impl<'a> Pages<'a> {
    fn new(store: &'a Arc<dyn KvStore>, range: KeyRange) -> Self {
        Self { store, range: Some(range), page: VecDeque::new() }
    }

    async fn next(&mut self) -> Result<Option<(Key, Entry)>> {
        while self.page.is_empty() {
            let Some(range) = self.range.take() else { return Ok(None) };
            let page = self.store.scan(&Scan::new(range.clone())).await?;
            self.range = page.next.map(|next| range.resume(&next));
            self.page = page.entries.into();
        }
        Ok(self.page.pop_front())
    }
}
