//! `wit/types.wit`.

use bytes::Bytes;
use wasmtime::component::{ComponentType, Lift, Lower, TypedFunc};

use super::{HANDOFF, LIFECYCLE};
use crate::instance::Loader;

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitUnavailable {
    pub(crate) message: String,
    #[component(name = "retry-after-ms")]
    pub(crate) retry_after_ms: Option<u32>,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum WitError {
    #[component(name = "invalid")]
    Invalid(String),
    #[component(name = "unsupported")]
    Unsupported(String),
    #[component(name = "conflict")]
    Conflict(String),
    #[component(name = "unavailable")]
    Unavailable(WitUnavailable),
    #[component(name = "indeterminate")]
    Indeterminate(String),
    #[component(name = "denied")]
    Denied(String),
    #[component(name = "corrupt")]
    Corrupt(String),
    #[component(name = "stale-cursor")]
    StaleCursor(String),
    #[component(name = "other")]
    Other(String),
}

/// What a function of the contract returns.
pub(crate) type Answer<T> = (Result<T, WitError>,);

/// `lifecycle`, and `handoff` where the component has it.
pub(crate) struct Lifecycle {
    pub(crate) configure: TypedFunc<(Vec<(String, String)>,), Answer<()>>,
    pub(crate) health: TypedFunc<(), Answer<()>>,
    pub(crate) handoff: Option<Handoff>,
}

pub(crate) struct Handoff {
    pub(crate) save: TypedFunc<(), Answer<Bytes>>,
    pub(crate) restore: TypedFunc<(Bytes,), Answer<()>>,
}

impl Lifecycle {
    pub(crate) fn load(loader: &mut Loader<'_>) -> wasmtime::Result<Self> {
        let handoff = match loader.has(HANDOFF) {
            false => None,
            true => Some(Handoff {
                save: loader.func(HANDOFF, "save")?,
                restore: loader.func(HANDOFF, "restore")?,
            }),
        };
        Ok(Self {
            configure: loader.func(LIFECYCLE, "configure")?,
            health: loader.func(LIFECYCLE, "health")?,
            handoff,
        })
    }
}
