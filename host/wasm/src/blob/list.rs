//! Listing by pages.

use std::{collections::VecDeque, sync::Arc};

use opendal::{
    Result,
    raw::oio::{self, List as _},
};

use super::{error::into_operator, request::List};
use crate::{bindings::blob::BlobExports, convert::broken, plugin::Plugin};

/// Most pages without a blob in a row: a plugin may search, but not for ever.
const EMPTY_PAGES_MAX: u32 = 10_000;

/// What begins with a prefix, at any depth, page by page.
pub(crate) struct Pages {
    plugin: Arc<Plugin<BlobExports>>,
    prefix: Arc<str>,
    cursor: Option<Arc<str>>,
    last: Option<String>,
    entries: VecDeque<oio::Entry>,
    is_done: bool,
}

impl Pages {
    pub(super) fn new(plugin: Arc<Plugin<BlobExports>>, prefix: &str) -> Self {
        let prefix = Arc::from(prefix);
        Self { plugin, prefix, cursor: None, last: None, entries: VecDeque::new(), is_done: false }
    }

    async fn page(&mut self) -> Result<()> {
        let (prefix, cursor, last) = (self.prefix.clone(), self.cursor.clone(), self.last.clone());
        let listed = self.plugin.call(List { prefix, cursor, last }).await;
        let (entries, next) = listed.map_err(into_operator)?;
        if let Some(last) = entries.last() {
            self.last = Some(last.path().to_owned());
        }
        self.entries = entries.into();
        self.is_done = next.is_none();
        self.cursor = next;
        Ok(())
    }
}

impl oio::List for Pages {
    async fn next(&mut self) -> Result<Option<oio::Entry>> {
        let mut empty = 0;
        loop {
            if let Some(entry) = self.entries.pop_front() {
                return Ok(Some(entry));
            }
            if self.is_done {
                return Ok(None);
            }
            empty += 1;
            if empty > EMPTY_PAGES_MAX {
                let message = format!("the plugin returned {EMPTY_PAGES_MAX} pages without a blob");
                return Err(into_operator(broken(message).with("plugin", self.plugin.name())));
            }
            self.page().await?;
        }
    }
}

/// Whether anything begins with a prefix: what is a folder to a blob store.
pub(super) async fn is_any(plugin: &Arc<Plugin<BlobExports>>, prefix: &str) -> Result<bool> {
    Ok(Pages::new(Arc::clone(plugin), prefix).next().await?.is_some())
}
