//! A blob layer that lets nothing be changed below a path, and passes everything else on.
//!
//! A plugin has one thread and is never entered twice, so that every method has `&mut self` and nothing is locked.

use larder_sdk::blob::{BlobLayer, Description, Metadata, NextBlob, Page, PutOptions};
use larder_sdk::{Error, Result, Settings};

/// The plugin.
#[derive(Debug)]
struct Freezer {
    /// Paths that begin like this are only read; none: all may be written.
    frozen: Option<String>,
}

impl BlobLayer for Freezer {
    fn configure(mut settings: Settings) -> Result<Self> {
        let frozen = settings.take("frozen").filter(|prefix| !prefix.is_empty());
        // What was not taken is refused by name.
        settings.finish()?;
        Ok(Self { frozen })
    }

    fn describe(&mut self, next: &dyn NextBlob) -> Result<Description> {
        next.describe()
    }

    fn stat(&mut self, next: &dyn NextBlob, path: &str) -> Result<Option<Metadata>> {
        next.stat(path)
    }

    fn read(&mut self, next: &dyn NextBlob, path: &str, offset: u64, length: u32) -> Result<Option<Vec<u8>>> {
        next.read(path, offset, length)
    }

    fn list(&mut self, next: &dyn NextBlob, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        next.list(prefix, cursor, limit)
    }

    fn delete_many(&mut self, next: &dyn NextBlob, paths: &[String]) -> Result<Vec<Result<()>>> {
        let mut answers = Vec::with_capacity(paths.len());
        for path in paths {
            // Those that may go do, whatever becomes of the others.
            let answer = self.may_change(path).and_then(|()| next.delete_many(std::slice::from_ref(path)));
            answers.push(answer.and_then(|mut one| one.pop().unwrap_or(Ok(()))));
        }
        Ok(answers)
    }

    fn put(&mut self, next: &dyn NextBlob, path: &str, data: Vec<u8>, options: PutOptions) -> Result<Metadata> {
        self.may_change(path)?;
        next.put(path, &data, &options)
    }

    fn copy(&mut self, next: &dyn NextBlob, source: &str, target: &str) -> Result<()> {
        self.may_change(target)?;
        next.copy(source, target)
    }

    fn begin(&mut self, next: &dyn NextBlob, path: &str, options: PutOptions) -> Result<String> {
        // Only what was begun can be finished, so that parts need no look.
        self.may_change(path)?;
        next.begin(path, &options)
    }

    fn part(&mut self, next: &dyn NextBlob, upload: &str, number: u32, data: Vec<u8>) -> Result<String> {
        next.part(upload, number, &data)
    }

    fn finish(&mut self, next: &dyn NextBlob, upload: &str, parts: Vec<String>) -> Result<Metadata> {
        next.finish(upload, &parts)
    }
}

impl Freezer {
    fn may_change(&self, path: &str) -> Result<()> {
        match &self.frozen {
            Some(frozen) if path.starts_with(frozen) => {
                Err(Error::denied(format!("{path:?} is frozen: nothing below {frozen:?} is changed")))
            }
            _ => Ok(()),
        }
    }
}

larder_sdk::export_blob_layer!(Freezer);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_frozen_is_not_changed_and_all_else_is() {
        let freezer = Freezer::configure(Settings::from([("frozen", "releases/")])).unwrap();
        assert!(matches!(freezer.may_change("releases/1"), Err(Error::Denied(text)) if text.contains("releases/")));
        assert_eq!(freezer.may_change("drafts/1"), Ok(()));
        assert_eq!(freezer.may_change("releases"), Ok(()));
    }

    #[test]
    fn without_the_setting_nothing_is_frozen() {
        for settings in [Settings::from([]), Settings::from([("frozen", "")])] {
            assert_eq!(Freezer::configure(settings).unwrap().may_change("a"), Ok(()));
        }
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let why = Freezer::configure(Settings::from([("frosen", "a")])).unwrap_err();
        assert!(matches!(why, Error::Invalid(text) if text.contains("frosen")));
    }
}
