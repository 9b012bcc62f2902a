//! Where a configuration came from, so that errors and `config explain` can say it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use larder_core::Error;

/// The file of a configuration, the folder that its relative paths count from, and the keys that
/// the environment overrode.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// As it was given; none for a configuration that was made in code.
    pub(crate) file: Option<PathBuf>,
    /// Empty for the working folder.
    pub(crate) folder: PathBuf,
    /// Key paths and the variables that set them.
    pub(crate) overridden: BTreeMap<String, String>,
}

impl Origin {
    pub(crate) fn file(path: &Path) -> Self {
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Self { file: Some(path.to_owned()), folder, overridden: BTreeMap::new() }
    }

    /// Adds to an error where its value was typed: variable or file, and key.
    pub(crate) fn explain(&self, error: Error, key: &str) -> Error {
        let error = match (self.variable(key), &self.file) {
            (Some(variable), _) => error.with("variable", variable),
            (None, Some(file)) => error.with("file", file.display()),
            (None, None) => error,
        };
        if key.is_empty() { error } else { error.with("key", key) }
    }

    /// The variable that set this key, or a table around it.
    pub(crate) fn variable(&self, key: &str) -> Option<&str> {
        let mut key = key;
        loop {
            if let Some(variable) = self.overridden.get(key) {
                return Some(variable);
            }
            key = key.rsplit_once('.')?.0;
        }
    }

    /// The variable that made the table of this key by setting something in it.
    pub(crate) fn variable_inside(&self, key: &str) -> Option<&str> {
        let inside = |path: &str| path.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
        self.overridden.iter().find(|(path, _)| inside(path)).map(|(_, variable)| variable.as_str())
    }

    /// A path of the configuration, as the program sees it.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Where the value of a key came from, in a few words.
    pub(crate) fn of(&self, key: &str) -> String {
        match (self.variable(key), &self.file) {
            (Some(variable), _) => format!("{key} from {variable}"),
            (None, Some(file)) => format!("{key} in {}", file.display()),
            (None, None) => key.to_owned(),
        }
    }
}
