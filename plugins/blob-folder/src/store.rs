//! The folder as a store of blobs. The one invariant: a file under `blobs/` is a whole, synced blob.

use larder_sdk::blob::{Condition, Listed, Metadata, Page, PutOptions};
use larder_sdk::folder::{Access, File, FileError, FileErrorKind, Folder};
use larder_sdk::{Error, Result, clock, random};

use crate::{
    PART_BYTES,
    header::{Content, FIRST_READ_BYTES, Header},
    layout::{self, BLOBS, UNFINISHED},
    listing,
};

/// How often a blob's folder is made again where a delete removes it as empty in between.
const PUBLISH_TRIES: u32 = 16;

/// Who else works on the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// No one.
    Alone,
    /// Other instances, perhaps of other hosts.
    Shared,
}

#[derive(Debug)]
pub(crate) struct Store {
    folder: Folder,
    sharing: Sharing,
}

impl Store {
    pub(crate) fn open(folder: &str, sharing: Sharing) -> Result<Self> {
        let folder = Folder::open(folder)?;
        for part in [BLOBS, UNFINISHED] {
            make_folder(&folder, part)?;
        }
        folder.sync()?;
        Ok(Self { folder, sharing })
    }

    pub(crate) fn sharing(&self) -> Sharing {
        self.sharing
    }

    pub(crate) fn health(&self) -> Result<()> {
        self.folder.metadata(BLOBS)?;
        self.folder.metadata(UNFINISHED)?;
        Ok(())
    }

    /// Removes what was begun and not written to for `hours`.
    pub(crate) fn clean(&self, hours: u32) -> Result<()> {
        let age_ms = u64::from(hours).saturating_mul(3_600_000);
        let before = clock::now_ms().saturating_sub(age_ms);
        for (name, _) in self.folder.entries(UNFINISHED)? {
            let file = format!("{UNFINISHED}/{name}");
            match self.folder.metadata(&file) {
                Ok(metadata) if metadata.modified_ms.is_some_and(|at| at < before) => self.forget(&file)?,
                Ok(_) => {}
                Err(error) if error.kind == FileErrorKind::Missing => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    pub(crate) fn stat(&self, path: &str) -> Result<Option<Metadata>> {
        let name = layout::file_of(path)?;
        let Some(file) = found(self.folder.file(&name, Access::Read))? else { return Ok(None) };
        let header = read_header(&file)?;
        let Some(modified) = found(self.folder.metadata(&name))? else { return Ok(None) };
        metadata(header, file.size()?, modified.modified_ms).map(Some)
    }

    pub(crate) fn read(&self, path: &str, offset: u64, length: u32) -> Result<Option<Vec<u8>>> {
        let Some(file) = found(self.folder.file(&layout::file_of(path)?, Access::Read))? else {
            return Ok(None);
        };
        let header = read_header(&file)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(Some(file.read_at(header.content_at.saturating_add(offset), length)?))
    }

    pub(crate) fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        // One more says whether there is a next page.
        let mut paths = listing::paths(&self.folder, prefix, cursor, limit.saturating_add(1))?;
        let next = if paths.len() > limit {
            paths.truncate(limit);
            paths.last().cloned()
        } else {
            None
        };
        let mut entries = Vec::with_capacity(paths.len());
        for path in paths {
            // One that is gone by now is left out.
            if let Some(metadata) = self.stat(&path).map_err(|error| error.context(&path))? {
                entries.push(Listed { path, metadata });
            }
        }
        Ok(Page { entries, next })
    }

    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        let name = layout::file_of(path)?;
        if found(self.folder.remove(&name))?.is_none() {
            return Ok(());
        }
        // Folders go with their last blob; the first that stays knows of all that went.
        for folder in layout::folders_of(&name).rev() {
            if folder == BLOBS || self.folder.remove_folder(folder).is_err() {
                let synced = found(self.folder.sync_below(folder));
                return synced.map(drop).map_err(|error| in_doubt("deleted", error));
            }
        }
        Ok(())
    }

    pub(crate) fn put(&self, path: &str, data: &[u8], options: PutOptions) -> Result<Metadata> {
        if data.len() > part_bytes() {
            return Err(Error::invalid(format!("a put of {} bytes, more than {PART_BYTES}", data.len())));
        }
        let (staged, file, header) = self.stage(path, options, Content::Next)?;
        let written = file.write_at(header.content_at, data).and_then(|()| file.sync());
        self.checked(&staged, written.map_err(Error::from))?;
        self.publish(&staged, header, &file)
    }

    pub(crate) fn copy(&self, source: &str, target: &str) -> Result<()> {
        let Some(from) = found(self.folder.file(&layout::file_of(source)?, Access::Read))? else {
            return Err(Error::invalid(format!("there is no blob {source:?} to copy")));
        };
        let Header { content_at, content_type, user, .. } = read_header(&from)?;
        let options = PutOptions { content_type, user, condition: None };
        let (staged, file, header) = self.stage(target, options, Content::Next)?;
        let copied = || -> Result<()> {
            let mut at = 0;
            loop {
                let bytes = from.read_at(content_at + at, part_bytes())?;
                if bytes.is_empty() {
                    return Ok(file.sync()?);
                }
                file.write_at(header.content_at + at, &bytes)?;
                at += bytes.len() as u64;
            }
        };
        self.checked(&staged, copied())?;
        self.publish(&staged, header, &file).map(drop)
    }

    pub(crate) fn begin(&self, path: &str, options: PutOptions) -> Result<String> {
        let (_, _, header) = self.stage(path, options, Content::Aligned)?;
        // With the place of the content in the token, a part needs no look at the header.
        Ok(format!("{}.{}", header.etag, header.content_at))
    }

    pub(crate) fn part(&self, upload: &str, number: u32, data: &[u8]) -> Result<String> {
        let (id, content_at) = token(upload)?;
        if data.len() > part_bytes() {
            return Err(Error::invalid(format!("a part of {} bytes, more than {PART_BYTES}", data.len())));
        }
        let file = found(self.folder.file(&layout::unfinished(id)?, Access::Write))?.ok_or_else(no_upload)?;
        file.write_at(content_at.saturating_add(part_offset(number)), data)?;
        Ok(format!("{number}:{}", data.len()))
    }

    pub(crate) fn finish(&self, upload: &str, parts: &[String]) -> Result<Metadata> {
        let (id, _) = token(upload)?;
        let staged = layout::unfinished(id)?;
        let size = total(parts)?;
        let file = found(self.folder.file(&staged, Access::Write))?.ok_or_else(no_upload)?;
        let header = read_header(&file)?;
        let end = header.content_at.saturating_add(size);
        if file.size()? < end {
            return Err(Error::invalid("a part that `finish` names was never stored"));
        }
        // A part that was sent again may have been shorter.
        file.set_size(end)?;
        file.sync()?;
        self.publish(&staged, header, &file)
    }

    pub(crate) fn abort(&self, upload: &str) -> Result<()> {
        let (id, _) = token(upload)?;
        self.forget(&layout::unfinished(id)?)
    }

    /// Begins a file beside the blobs, with its header.
    fn stage(&self, path: &str, options: PutOptions, content: Content) -> Result<(String, File, Header)> {
        layout::file_of(path)?;
        if self.sharing == Sharing::Shared && matches!(options.condition, Some(Condition::Etag(_))) {
            return Err(Error::unsupported("a shared folder has no if-match"));
        }
        let mut random = [0; 16];
        random::fill(&mut random);
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut header = Header::new(id.clone(), path, options);
        let bytes = header.encode(content)?;
        let staged = layout::unfinished(&id)?;
        let file = self.folder.file(&staged, Access::CreateNew)?;
        self.checked(&staged, file.write_at(0, &bytes).map_err(Error::from))?;
        Ok((staged, file, header))
    }

    /// Passes a result on; after an error, nothing unfinished stays.
    fn checked<T>(&self, staged: &str, result: Result<T>) -> Result<T> {
        if result.is_err() {
            // The first error is the one to tell; what stays is cleaned later.
            drop(self.forget(staged));
        }
        result
    }

    /// Gives a synced file its name, if its condition holds, and makes the name durable.
    fn publish(&self, staged: &str, header: Header, file: &File) -> Result<Metadata> {
        let target = layout::file_of(&header.path)?;
        let named = self.name(staged, &target, &header);
        self.checked(staged, named)?;
        for folder in layout::folders_of(&target) {
            // Any of them may be new, made by whoever. A folder that is gone was emptied by a delete of the blob.
            found(self.folder.sync_below(folder)).map_err(|error| in_doubt("stored", error))?;
        }
        found(self.folder.sync()).map_err(|error| in_doubt("stored", error))?;
        let modified_ms = found(self.folder.metadata(&target))?.and_then(|metadata| metadata.modified_ms);
        metadata(header, file.size()?, modified_ms)
    }

    fn name(&self, staged: &str, target: &str, header: &Header) -> Result<()> {
        let conflict = || Err(Error::conflict(&header.path));
        if let Some(Condition::Etag(wanted)) = &header.condition {
            // Nobody comes in between: this instance is the only one, and answers one call at a time.
            let Some(current) = found(self.folder.file(target, Access::Read))? else { return conflict() };
            if read_header(&current)?.etag != *wanted {
                return conflict();
            }
        }
        let mut tries = 0;
        loop {
            for folder in layout::folders_of(target) {
                make_folder(&self.folder, folder)?;
            }
            let named = match header.condition {
                // A link is the one way to take a name only if it is free, whoever else wants it.
                Some(Condition::Absent) => self.folder.link(staged, target),
                _ => self.folder.rename(staged, target),
            };
            tries += 1;
            match named {
                Ok(()) if header.condition == Some(Condition::Absent) => return self.forget(staged),
                Ok(()) => return Ok(()),
                Err(error) if error.kind == FileErrorKind::Exists => return conflict(),
                // A delete of another instance found the folder empty.
                Err(error) if error.kind == FileErrorKind::Missing && tries < PUBLISH_TRIES => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn forget(&self, staged: &str) -> Result<()> {
        found(self.folder.remove(staged)).map(drop)
    }
}

/// Tells "there is none" from failures.
fn found<T>(result: Result<T, FileError>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == FileErrorKind::Missing => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn make_folder(folder: &Folder, path: &str) -> Result<()> {
    match folder.create_folder(path) {
        Err(error) if error.kind != FileErrorKind::Exists => Err(error.into()),
        _ => Ok(()),
    }
}

fn read_header(file: &File) -> Result<Header> {
    let mut bytes = file.read_at(0, FIRST_READ_BYTES)?;
    let needs = Header::needs(&bytes)?;
    if needs > bytes.len() {
        bytes = file.read_at(0, needs)?;
    }
    Header::decode(&bytes)
}

fn metadata(header: Header, file_bytes: u64, modified_ms: Option<u64>) -> Result<Metadata> {
    let size = file_bytes
        .checked_sub(header.content_at)
        .ok_or_else(|| Error::corrupt("the blob's file is shorter than its header"))?;
    let Header { etag, content_type, user, .. } = header;
    Ok(Metadata { size, etag: Some(etag), content_type, modified_ms, user })
}

/// The name is there and may not last: neither yes nor no.
fn in_doubt(what: &str, error: Error) -> Error {
    Error::indeterminate(format!("{what}, but it may not last through a crash: {error:?}"))
}

fn no_upload() -> Error {
    Error::invalid("there is no such upload: it was finished, aborted or cleaned away")
}

/// A token's identifier and the place of the content.
fn token(upload: &str) -> Result<(&str, u64)> {
    let parts = upload.split_once('.').and_then(|(id, at)| Some((id, at.parse().ok()?)));
    parts.ok_or_else(|| Error::invalid("this is no token of an upload"))
}

fn part_bytes() -> usize {
    usize::try_from(PART_BYTES).unwrap_or(usize::MAX)
}

fn part_offset(number: u32) -> u64 {
    u64::from(number) * u64::from(PART_BYTES)
}

/// The size of a blob of these parts: all but the last are full, and each stands in its place.
fn total(parts: &[String]) -> Result<u64> {
    let wrong = |number: usize| Error::invalid(format!("part {number} is not the one that was stored there"));
    let mut size = 0;
    for (number, part) in parts.iter().enumerate() {
        let (own, bytes) = part.split_once(':').ok_or_else(|| wrong(number))?;
        let bytes: u64 = bytes.parse().map_err(|_| wrong(number))?;
        let is_last = number + 1 == parts.len();
        if own.parse() != Ok(number) || bytes > u64::from(PART_BYTES) {
            return Err(wrong(number));
        }
        if !is_last && bytes != u64::from(PART_BYTES) {
            return Err(Error::invalid(format!(
                "part {number} is not the last and has not {PART_BYTES} bytes"
            )));
        }
        size += bytes;
    }
    Ok(size)
}
