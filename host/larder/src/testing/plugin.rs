//! A component that a test loads by itself, to put it in the place of a store or in front of one.

use std::{fmt, path::PathBuf, sync::Arc};

use larder_core::Clock;
use larder_wasm::{Access, Mode, PluginOptions, Source};

/// A component with what it is given. A [`Source`] alone is one with nothing.
///
/// ```
/// use larder::{Source, testing::TestPlugin};
///
/// let plugin = TestPlugin::new(Source::file("kv-log.wasm")).setting("sync", "never").folder("scratch", "/data");
/// assert_eq!(format!("{plugin:?}"), "TestPlugin(kv-log.wasm)");
/// ```
#[derive(Clone)]
pub struct TestPlugin {
    pub(super) source: Source,
    settings: Vec<(String, String)>,
    folders: Vec<(PathBuf, String)>,
    mode: Mode,
}

impl TestPlugin {
    /// A component without settings and grants.
    pub fn new(source: Source) -> Self {
        Self { source, settings: Vec::new(), folders: Vec::new(), mode: Mode::default() }
    }

    /// Adds a setting.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Lets it read and write a folder, which it sees under the name `guest`.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>, guest: impl Into<String>) -> Self {
        self.folders.push((folder.into(), guest.into()));
        self
    }

    /// How it is called.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    pub(super) fn options(&self, store: &str, clock: Arc<dyn Clock>) -> PluginOptions {
        let mut options = PluginOptions::new(store).with_mode(self.mode).with_clock(clock);
        options.settings = self.settings.clone();
        let folders = self.folders.iter();
        folders
            .fold(options, |options, (folder, guest)| options.with_folder(folder, guest, Access::ReadWrite))
    }
}

impl From<Source> for TestPlugin {
    fn from(source: Source) -> Self {
        Self::new(source)
    }
}

impl fmt::Debug for TestPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestPlugin({})", self.source)
    }
}
