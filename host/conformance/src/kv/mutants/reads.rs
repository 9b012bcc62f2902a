//! What goes wrong in reads and scans.

use std::{cmp::Ordering, collections::HashSet};

use larder_core::{Entry, Error, Key, KeyRange, KvStore, Page, Result, Scan, Want, limits::GET_MANY_MAX};

use super::store::{Defect, Mutant, hash};

impl Mutant {
    pub(super) async fn mutant_get(&self, key: &Key) -> Result<Option<Entry>> {
        if !self.is(Defect::TakesAnyKey) {
            self.describe().check_key(key)?;
        }
        let key = self.key(key);
        if self.is(Defect::CachesReads)
            && let Some(cached) = self.state.lock().unwrap().cached.get(&key)
        {
            return Ok(cached.clone());
        }
        let entry = self.inner.get(&key).await?.and_then(|entry| self.tell(&key, entry));
        if self.is(Defect::CachesReads) {
            self.state.lock().unwrap().cached.insert(key, entry.clone());
        }
        Ok(entry)
    }

    pub(super) async fn mutant_get_many(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        if !matches!(self.defect, Defect::TakesAnyKey | Defect::TakesAnyBatch) {
            self.describe().check_keys(keys)?;
        }
        if self.is(Defect::FailsOnNoKeys) && keys.is_empty() {
            return Err(Error::invalid("no keys"));
        }
        let mut keys = keys.to_vec();
        match self.defect {
            Defect::SortsAnswers => keys.sort(),
            Defect::AnswersKeysOnce => {
                let mut seen = HashSet::new();
                keys.retain(|key| seen.insert(key.clone()));
            }
            _ => {}
        }
        let mut answers = Vec::new();
        for batch in keys.chunks(GET_MANY_MAX) {
            let batch: Vec<Key> = batch.iter().map(|key| self.key(key)).collect();
            for (key, entry) in batch.iter().zip(self.inner.get_many(&batch).await?) {
                answers.push(entry.and_then(|entry| self.tell(key, entry)));
            }
        }
        if self.is(Defect::DropsMissingKeys) {
            answers.retain(Option::is_some);
        }
        Ok(answers)
    }

    pub(super) async fn mutant_scan(&self, asked: &Scan) -> Result<Page> {
        let mut scan = asked.clone();
        match self.defect {
            Defect::AnswersUndeclaredScan => return Ok(Page::default()),
            Defect::TakesLimitZero if scan.limit == 0 => return Ok(Page::default()),
            Defect::IncludesEnd => {
                scan.range.end = scan.range.end.map(|end| format!("{end}\0").into());
            }
            Defect::ExcludesStart if !scan.range.start.is_empty() => {
                scan.range.start = format!("{}\0", scan.range.start).into();
            }
            Defect::IgnoresEnd => scan.range.end = None,
            Defect::KeysWithValues => scan.want = Want::Entries,
            Defect::PagesOfAnyEntries
            | Defect::PagesOfAnyBytes
            | Defect::LimitsBeforeOrder
            | Defect::OrdersByUtf16
                if scan.limit > 0 =>
            {
                return self.reordered(&scan).await;
            }
            Defect::CursorIsOffset => return self.page_at_offset(&scan).await,
            _ => {}
        }
        let source = if self.is(Defect::ScanFindsExpired) { &self.immortal } else { &self.inner };
        let mut page = source.scan(&scan).await?;
        match self.defect {
            Defect::Descends => page.entries.reverse(),
            Defect::ForgetsNext => page.next = None,
            Defect::NextIsLast if page.next.is_some() => {
                page.next = page.entries.last().map(|(key, _)| key.clone());
            }
            Defect::NextSkips => {
                page.next = page.next.and_then(|next| Key::new(format!("{next}\0")).ok());
            }
            Defect::NextAtTheEnd if page.next.is_none() => {
                let after = page.entries.last().and_then(|(key, _)| Key::new(format!("{key}\0")).ok());
                page.next = after.filter(|next| scan.range.contains(next));
            }
            Defect::LeavesPrefix => {
                for (key, _) in &mut page.entries {
                    *key = Key::new(key.trim_start_matches("ns:").to_owned())?;
                }
            }
            _ => {}
        }
        page.entries = page
            .entries
            .into_iter()
            .filter_map(|(key, entry)| self.tell(&key, entry).map(|entry| (key, entry)))
            .collect();
        Ok(page)
    }

    async fn everything(&self, range: KeyRange, want: Want) -> Result<Vec<(Key, Entry)>> {
        let (mut scan, mut all) = (Scan { want, ..Scan::new(range) }, Vec::new());
        loop {
            let page = self.inner.scan(&scan).await?;
            all.extend(page.entries);
            match page.next {
                Some(next) => scan.range = scan.range.resume(&next),
                None => return Ok(all),
            }
        }
    }

    /// Pages that are too large, or in an order of their own.
    async fn reordered(&self, scan: &Scan) -> Result<Page> {
        let mut entries = self.everything(scan.range.clone(), scan.want).await?;
        let limit = scan.limit as usize;
        match self.defect {
            Defect::OrdersByUtf16 => {
                let units = |key: &Key| key.encode_utf16().collect::<Vec<_>>();
                entries.sort_by_key(|(key, _)| units(key));
            }
            Defect::LimitsBeforeOrder => {
                // A hash table's order, cut, and only then sorted.
                entries.sort_by_key(|(key, _)| hash(key.as_bytes()).0);
                let rest = entries.split_off(limit.min(entries.len()));
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                let past = |key: &&(Key, Entry)| {
                    entries.last().is_none_or(|(last, _)| key.0.cmp(last) == Ordering::Greater)
                };
                let next = rest.iter().filter(past).map(|(key, _)| key.clone()).min();
                return Ok(Page { entries, next });
            }
            Defect::PagesOfAnyBytes => {
                let next = entries.get(limit.min(1_000)).map(|(key, _)| key.clone());
                entries.truncate(limit.min(1_000));
                return Ok(Page { entries, next });
            }
            _ => {}
        }
        let next = entries.get(limit).map(|(key, _)| key.clone());
        entries.truncate(limit);
        Ok(Page { entries, next })
    }

    /// Goes on from how many entries were told, not from where they ended.
    async fn page_at_offset(&self, scan: &Scan) -> Result<Page> {
        self.describe().check_scan(scan)?;
        let remembered = Key::new(scan.range.start.clone())
            .ok()
            .and_then(|key| self.state.lock().unwrap().offsets.get(&key).cloned());
        let (start, offset) = remembered.unwrap_or((scan.range.start.clone(), 0));
        let range = KeyRange { start: start.clone(), end: scan.range.end.clone() };
        let all = self.everything(range, scan.want).await?;
        let limit = scan.limit.min(100) as usize;
        let entries: Vec<(Key, Entry)> = all.iter().skip(offset).take(limit).cloned().collect();
        let next = all.get(offset + limit).map(|(key, _)| key.clone());
        if let Some(next) = &next {
            self.state.lock().unwrap().offsets.insert(next.clone(), (start, offset + limit));
        }
        Ok(Page { entries, next })
    }
}
