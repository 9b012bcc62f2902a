//! Components that export interfaces of WASI, as storage backends.
//!
//! What such a component exports says less than the contract asks, so it is declared to do less: see [`Bucket`] and [`Objects`].
//! It has no `lifecycle`: its settings are read through `wasi:config`, if it imports that, and else refused, since nobody would
//! read them. One instance owns the data, because nothing says that several would share it.

mod bucket;
mod config;
mod objects;
mod settings;
mod shape;
mod sink;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use wasmtime::{Engine, component::types};

pub(crate) use self::{
    bucket::Bucket,
    config::add_to_linker,
    objects::Objects,
    shape::{Blobstore, Keyvalue},
};
use crate::{inspect::World, lift::Contract};

/// What of WASI makes a component a store.
#[derive(Debug, Clone)]
pub(crate) enum Standard {
    /// `wasi:keyvalue`.
    Keyvalue(Arc<Keyvalue>),
    /// `wasi:blobstore`.
    Blobstore(Arc<Blobstore>),
}

impl Standard {
    /// What a component exports, if it is of this kind.
    ///
    /// # Errors
    /// What of it is as in no draft.
    pub(crate) fn find(engine: &Engine, component: &types::Component) -> Option<Result<Self, String>> {
        if let Some(found) = shape::keyvalue(engine, component) {
            return Some(found.map(|shape| Self::Keyvalue(Arc::new(shape))));
        }
        let found = shape::blobstore(engine, component)?;
        Some(found.map(|shape| Self::Blobstore(Arc::new(shape))))
    }

    /// The world in whose place it stands.
    pub(crate) fn world(&self) -> World {
        match self {
            Self::Keyvalue(_) => World::KvBackend,
            Self::Blobstore(_) => World::BlobBackend,
        }
    }

    pub(crate) fn contract(&self) -> Contract {
        match self {
            Self::Keyvalue(shape) => Contract::Keyvalue(Arc::clone(shape)),
            Self::Blobstore(shape) => Contract::Blobstore(Arc::clone(shape)),
        }
    }
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyvalue(shape) => shape.fmt(f),
            Self::Blobstore(shape) => f.write_str(&shape.blobstore),
        }
    }
}

/// Whether an import reads settings.
pub(crate) fn reads_settings(import: &str) -> bool {
    config::NAMES.contains(&import)
}
