//! A blob backend in its own memory.
//!
//! A plugin has one thread and is never entered twice, so that every method has `&mut self` and nothing is locked. The
//! one invariant: what is in `blobs` is whole; what is being written in parts is in `uploads`.

use std::collections::BTreeMap;

use larder_sdk::blob::{
    self, BlobBackend, Condition, Description, Features, Instances, Listed, Metadata, Page, PutOptions, check_path,
};
use larder_sdk::{Error, Result, Settings, clock};

/// The plugin: blobs by their paths, uploads by their tokens.
#[derive(Debug, Default)]
struct Shelf {
    blobs: BTreeMap<String, Blob>,
    uploads: BTreeMap<String, Upload>,
    number_last: u64,
}

#[derive(Debug, Clone)]
struct Blob {
    data: Vec<u8>,
    metadata: Metadata,
}

#[derive(Debug)]
struct Upload {
    path: String,
    options: PutOptions,
    parts: BTreeMap<u32, Vec<u8>>,
}

impl BlobBackend for Shelf {
    fn configure(settings: Settings) -> Result<Self> {
        // Take what you know: `let mut settings`, `settings.take("folder")`. The rest is refused by name.
        settings.finish()?;
        Ok(Self::default())
    }

    fn describe(&self) -> Description {
        Description { instances: Instances::One, ..blob::description(Features::all()) }
    }

    fn stat(&mut self, path: &str) -> Result<Option<Metadata>> {
        check_path(path)?;
        Ok(self.blobs.get(path).map(|blob| blob.metadata.clone()))
    }

    fn read(&mut self, path: &str, offset: u64, length: u32) -> Result<Option<Vec<u8>>> {
        check_path(path)?;
        let range = |blob: &Blob| {
            let size = blob.data.len();
            let start = usize::try_from(offset).map_or(size, |offset| offset.min(size));
            let end = start.saturating_add(length as usize).min(size);
            blob.data.get(start..end).unwrap_or_default().to_vec()
        };
        Ok(self.blobs.get(path).map(range))
    }

    fn list(&mut self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        let start = cursor.unwrap_or(prefix).to_owned();
        let mut entries = Vec::new();
        for (path, blob) in self.blobs.range(start..) {
            if !path.starts_with(prefix) {
                break;
            }
            if entries.len() == limit as usize {
                return Ok(Page { entries, next: Some(path.clone()) });
            }
            entries.push(Listed { path: path.clone(), metadata: blob.metadata.clone() });
        }
        Ok(Page { entries, next: None })
    }

    fn delete(&mut self, path: &str) -> Result<()> {
        check_path(path)?;
        self.blobs.remove(path);
        Ok(())
    }

    fn put(&mut self, path: &str, data: Vec<u8>, options: PutOptions) -> Result<Metadata> {
        check_path(path)?;
        self.publish(path, data, options)
    }

    fn copy(&mut self, source: &str, target: &str) -> Result<()> {
        check_path(source)?;
        check_path(target)?;
        let Some(Blob { data, metadata }) = self.blobs.get(source).cloned() else {
            return Err(Error::invalid(format!("there is no blob {source:?} to copy")));
        };
        let options = PutOptions { content_type: metadata.content_type, user: metadata.user, condition: None };
        self.publish(target, data, options).map(drop)
    }

    fn begin(&mut self, path: &str, options: PutOptions) -> Result<String> {
        check_path(path)?;
        let token = self.next_number().to_string();
        self.uploads.insert(token.clone(), Upload { path: path.to_owned(), options, parts: BTreeMap::new() });
        Ok(token)
    }

    fn part(&mut self, upload: &str, number: u32, data: Vec<u8>) -> Result<String> {
        let upload = self.uploads.get_mut(upload).ok_or_else(no_upload)?;
        upload.parts.insert(number, data);
        Ok(number.to_string())
    }

    fn finish(&mut self, upload: &str, parts: Vec<String>) -> Result<Metadata> {
        let begun = self.uploads.get(upload).ok_or_else(no_upload)?;
        let mut data = Vec::new();
        for name in &parts {
            let part = name.parse().ok().and_then(|number: u32| begun.parts.get(&number));
            let part = part.ok_or_else(|| Error::invalid(format!("the part {name:?} was never stored")))?;
            data.extend_from_slice(part);
        }
        let (path, options) = (begun.path.clone(), begun.options.clone());
        let metadata = self.publish(&path, data, options)?;
        self.uploads.remove(upload);
        Ok(metadata)
    }

    fn abort(&mut self, upload: &str) -> Result<()> {
        self.uploads.remove(upload);
        Ok(())
    }
}

impl Shelf {
    /// Makes a whole blob visible, if its condition holds.
    fn publish(&mut self, path: &str, data: Vec<u8>, options: PutOptions) -> Result<Metadata> {
        let current = self.blobs.get(path).and_then(|blob| blob.metadata.etag.as_deref());
        let holds = match &options.condition {
            None => true,
            Some(Condition::Absent) => current.is_none(),
            Some(Condition::Etag(wanted)) => current == Some(wanted),
        };
        if !holds {
            return Err(Error::conflict(path));
        }
        let metadata = Metadata {
            size: data.len() as u64,
            etag: Some(self.next_number().to_string()),
            content_type: options.content_type,
            modified_ms: Some(clock::now_ms()),
            user: options.user,
        };
        self.blobs.insert(path.to_owned(), Blob { data, metadata: metadata.clone() });
        Ok(metadata)
    }

    /// A number that was never given before: an etag, or an upload's token.
    fn next_number(&mut self) -> u64 {
        self.number_last += 1;
        self.number_last
    }
}

fn no_upload() -> Error {
    Error::invalid("there is no such upload: it was finished or aborted, or the plugin has started anew")
}

larder_sdk::export_blob_backend!(Shelf);

#[cfg(test)]
mod tests {
    use super::*;

    fn options(condition: Option<Condition>) -> PutOptions {
        PutOptions { content_type: None, user: vec![], condition }
    }

    #[test]
    fn a_range_is_short_only_at_the_end() {
        let mut shelf = Shelf::default();
        shelf.put("a", b"abcdef".to_vec(), options(None)).unwrap();
        for (offset, length, expected) in [(0, 3, "abc"), (4, 10, "ef"), (6, 1, ""), (u64::MAX, 1, "")] {
            assert_eq!(shelf.read("a", offset, length), Ok(Some(expected.into())), "{offset} {length}");
        }
        assert_eq!(shelf.read("b", 0, 1), Ok(None));
    }

    #[test]
    fn an_upload_is_visible_once_it_is_finished_in_the_order_of_its_parts() {
        let mut shelf = Shelf::default();
        let upload = shelf.begin("a", options(None)).unwrap();
        let second = shelf.part(&upload, 1, b"def".to_vec()).unwrap();
        let first = shelf.part(&upload, 0, b"abc".to_vec()).unwrap();
        assert_eq!(shelf.stat("a"), Ok(None));
        assert_eq!(shelf.finish(&upload, vec![first, second]).unwrap().size, 6);
        assert_eq!(shelf.read("a", 0, 10), Ok(Some(b"abcdef".to_vec())));
        assert!(matches!(shelf.finish(&upload, vec![]), Err(Error::Invalid(_))));
    }

    #[test]
    fn a_condition_lets_one_writer_through() {
        let mut shelf = Shelf::default();
        let absent = || options(Some(Condition::Absent));
        let etag = shelf.put("a", vec![1], absent()).unwrap().etag.unwrap();
        assert_eq!(shelf.put("a", vec![2], absent()), Err(Error::conflict("a")));
        let same = || options(Some(Condition::Etag(etag.clone())));
        shelf.put("a", vec![3], same()).unwrap();
        assert_eq!(shelf.put("a", vec![4], same()), Err(Error::conflict("a")));
    }

    #[test]
    fn a_listing_goes_on_where_its_page_ended() {
        let mut shelf = Shelf::default();
        for path in ["a/1", "a/2", "b"] {
            shelf.put(path, vec![], options(None)).unwrap();
        }
        let page = shelf.list("a/", None, 1).unwrap();
        assert_eq!((&*page.entries[0].path, page.next.as_deref()), ("a/1", Some("a/2")));
        let page = shelf.list("a/", page.next.as_deref(), 1).unwrap();
        assert_eq!((&*page.entries[0].path, page.next), ("a/2", None));
    }
}
