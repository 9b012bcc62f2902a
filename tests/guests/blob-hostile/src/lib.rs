//! A blob backend that has one blob of 10 bytes at every path, and misbehaves where its settings say so, for tests of the
//! host. A setting names a call and what goes wrong with it: `stat: trap`, `read: too-many`.

#[path = "../../kv-hostile/src/misdeed.rs"]
mod misdeed;

use std::collections::HashMap;

use larder_sdk::blob::{self, BlobBackend, Description, Features, Listed, Metadata, Page, PutOptions};
use larder_sdk::{Error, Result, Settings};

use misdeed::Misdeed;

/// The functions that can be told to misbehave.
const CALLS: [&str; 9] = ["stat", "read", "list", "delete", "copy", "put", "begin", "part", "finish"];

/// What is in each blob.
const CONTENT: &[u8] = b"0123456789";

/// The plugin.
#[derive(Debug)]
pub struct BlobHostile(HashMap<&'static str, Misdeed>);

impl BlobHostile {
    /// What goes wrong with this call, after what ends it was done.
    fn misdeed(&self, call: &'static str) -> Result<Option<Misdeed>> {
        let misdeed = self.0.get(call).copied();
        misdeed.map_or(Ok(()), |misdeed| misdeed.act(None))?;
        Ok(misdeed)
    }
}

fn metadata(size: u64) -> Metadata {
    Metadata { size, etag: None, content_type: None, modified_ms: None, user: Vec::new() }
}

impl BlobBackend for BlobHostile {
    fn configure(mut settings: Settings) -> Result<Self> {
        let mut misdeeds = HashMap::new();
        for call in CALLS {
            if let Some(misdeed) = settings.one_of(call, &Misdeed::WORDS)? {
                misdeeds.insert(call, misdeed);
            }
        }
        settings.finish()?;
        Ok(Self(misdeeds))
    }

    fn describe(&self) -> Description {
        blob::description(
            Features::READ_RANGE | Features::LIST_RECURSIVE | Features::COPY | Features::MULTIPART,
        )
    }

    fn stat(&mut self, _path: &str) -> Result<Option<Metadata>> {
        let oversized = self.misdeed("stat")? == Some(Misdeed::Oversized);
        let mut found = metadata(10);
        if oversized {
            found.etag = Some("x".repeat(1 << 20));
        }
        Ok(Some(found))
    }

    fn read(&mut self, _path: &str, offset: u64, length: u32) -> Result<Option<Vec<u8>>> {
        let too_many = self.misdeed("read")? == Some(Misdeed::TooMany);
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut bytes: Vec<u8> = CONTENT.iter().skip(from).take(length as usize).copied().collect();
        if too_many {
            bytes.resize(length as usize + 1, b'x');
        }
        Ok(Some(bytes))
    }

    fn list(&mut self, prefix: &str, _cursor: Option<&str>, limit: u32) -> Result<Page> {
        let misdeed = self.misdeed("list")?;
        let listed = |path: String| Listed { path, metadata: metadata(10) };
        let mut page = Page { entries: vec![listed(format!("{prefix}b"))], next: None };
        match misdeed {
            Some(Misdeed::TooMany) => {
                page.entries = (0..=limit).map(|n| listed(format!("{prefix}{n:06}"))).collect();
            }
            Some(Misdeed::Unordered) => page.entries.push(listed(format!("{prefix}a"))),
            Some(Misdeed::Twice) => page.entries.push(listed(format!("{prefix}b"))),
            Some(Misdeed::Outside) => page.entries.push(listed("zz-elsewhere".to_owned())),
            Some(Misdeed::BadKey) => page.entries.push(listed(format!("{prefix}b/../../../etc/passwd"))),
            _ => {}
        }
        Ok(page)
    }

    fn delete(&mut self, _path: &str) -> Result<()> {
        self.misdeed("delete").map(drop)
    }

    fn delete_many(&mut self, paths: &[String]) -> Result<Vec<Result<()>>> {
        let misdeed = self.misdeed("delete")?;
        let mut answers: Vec<Result<()>> = paths.iter().map(|_| Ok(())).collect();
        match misdeed {
            Some(Misdeed::TooMany) => answers.push(Ok(())),
            Some(Misdeed::TooFew) => drop(answers.pop()),
            _ => {}
        }
        Ok(answers)
    }

    fn put(&mut self, _path: &str, data: Vec<u8>, _options: PutOptions) -> Result<Metadata> {
        self.misdeed("put")?;
        Ok(metadata(data.len() as u64))
    }

    fn copy(&mut self, _source: &str, _target: &str) -> Result<()> {
        self.misdeed("copy").map(drop)
    }

    fn begin(&mut self, path: &str, _options: PutOptions) -> Result<String> {
        let oversized = self.misdeed("begin")? == Some(Misdeed::Oversized);
        Ok(if oversized { "x".repeat(1 << 20) } else { path.to_owned() })
    }

    fn part(&mut self, _upload: &str, number: u32, _data: Vec<u8>) -> Result<String> {
        let oversized = self.misdeed("part")? == Some(Misdeed::Oversized);
        Ok(if oversized { "x".repeat(1 << 20) } else { number.to_string() })
    }

    fn finish(&mut self, _upload: &str, parts: Vec<String>) -> Result<Metadata> {
        self.misdeed("finish")?;
        if parts.is_empty() { Err(Error::invalid("no parts")) } else { Ok(metadata(20 << 20)) }
    }
}

larder_sdk::export_blob_backend!(BlobHostile);
