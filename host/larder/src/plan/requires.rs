//! What a store must be able to do, as its `requires` says: held against what it declares when it is opened, so that
//! a program learns at its start what its backend lacks, and not at the first call that needs it.

use larder_core::{Capabilities, Error, Result};
use opendal::Capability;

use crate::config::{StoreKind, nearest};

type Has = fn(&Capability) -> bool;

/// What a blob store may be asked for, in the words of `larder backends`.
const BLOB_FEATURES: [(&str, Has); 6] = [
    ("list", |can| can.list && can.list_with_recursive),
    ("content-type", |can| can.write_with_content_type),
    ("user-metadata", |can| can.write_with_user_metadata),
    ("if-absent", |can| can.write_with_if_not_exists),
    ("if-match", |can| can.write_with_if_match),
    ("copy", |can| can.copy),
];

/// What a store must be able to do; by default nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirements {
    capabilities: Capabilities,
    features: Vec<&'static str>,
}

impl Default for Requirements {
    fn default() -> Self {
        Self { capabilities: Capabilities::empty(), features: Vec::new() }
    }
}

impl Requirements {
    /// Reads the words of a configuration.
    ///
    /// # Errors
    /// `config` for a word that means nothing for stores of this kind, naming the nearest.
    pub(super) fn read(kind: StoreKind, words: &[String]) -> Result<Self> {
        let mut requirements = Self::default();
        for word in words {
            let capability = Capabilities::all()
                .iter_names()
                .find(|(name, _)| kind == StoreKind::Kv && name.eq_ignore_ascii_case(word));
            let feature = BLOB_FEATURES.iter().find(|(name, _)| kind == StoreKind::Blob && name == word);
            match (capability, feature) {
                (Some((_, capability)), _) => requirements.capabilities |= capability,
                (None, Some((name, _))) => requirements.features.push(name),
                (None, None) => return Err(unknown(kind, word)),
            }
        }
        Ok(requirements)
    }

    /// Holds them against what a key-value store declares.
    ///
    /// # Errors
    /// `config`, naming what is missing.
    pub(crate) fn check_kv(&self, declared: Capabilities) -> Result<()> {
        let missing = self.capabilities - declared;
        if missing.is_empty() {
            return Ok(());
        }
        Err(lacks(&missing.to_string(), &declared.to_string()))
    }

    /// Holds them against what a blob store declares.
    ///
    /// # Errors
    /// `config`, naming what is missing.
    pub(crate) fn check_blobs(&self, declared: &Capability) -> Result<()> {
        let has = |name: &str| BLOB_FEATURES.iter().any(|(known, has)| *known == name && has(declared));
        let missing: Vec<&str> = self.features.iter().copied().filter(|name| !has(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let there: Vec<&str> = BLOB_FEATURES.iter().map(|(name, _)| *name).filter(|name| has(name)).collect();
        Err(lacks(&missing.join(", "), &there.join(", ")))
    }

    /// As it is explained; none where nothing is required.
    pub(super) fn shown(&self) -> Option<String> {
        let capabilities = (!self.capabilities.is_empty()).then(|| self.capabilities.to_string());
        capabilities.or_else(|| (!self.features.is_empty()).then(|| self.features.join(", ")))
    }
}

fn lacks(missing: &str, there: &str) -> Error {
    Error::config(format!(
        "the store requires {missing}, which its backend, or a layer in front of it, does not have (it has: {there}); \
         choose another one (`larder backends` lists them), or leave it out of `requires`"
    ))
}

fn unknown(kind: StoreKind, word: &str) -> Error {
    let capabilities: Vec<String> =
        Capabilities::all().iter_names().map(|(name, _)| name.to_ascii_lowercase()).collect();
    let known: Vec<&str> = match kind {
        StoreKind::Kv => capabilities.iter().map(String::as_str).collect(),
        StoreKind::Blob => BLOB_FEATURES.iter().map(|(name, _)| *name).collect(),
    };
    let near = nearest(word, known.iter().copied()).unwrap_or_default();
    Error::config(format!(
        "a store of {} can't be asked for `{word}`; did you mean `{near}`? (known: {})",
        kind.plural(),
        known.join(", ")
    ))
}
