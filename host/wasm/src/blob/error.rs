//! Between larder's errors and OpenDAL's, at the edge of a plugin.

use std::error::Error as StdError;

use larder_core::{Error, ErrorKind};
use opendal::ErrorKind as Kind;

use crate::{
    bindings::{WitError, WitUnavailable},
    convert::error_to_guest,
};

/// An error of a plugin inside of OpenDAL's, where larder's own mapping finds it again. Only what changed nothing may
/// be tried again by a layer of OpenDAL.
pub(super) fn into_operator(error: Error) -> opendal::Error {
    let kind = match error.kind() {
        ErrorKind::Unsupported => Kind::Unsupported,
        ErrorKind::Conflict => Kind::ConditionNotMatch,
        ErrorKind::Denied => Kind::PermissionDenied,
        ErrorKind::Config => Kind::ConfigInvalid,
        _ => Kind::Unexpected,
    };
    let passes = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
    let again = passes && !error.is_effect_unknown();
    let failed = opendal::Error::new(kind, error.message()).set_source(error);
    if again { failed.set_temporary() } else { failed.set_permanent() }
}

/// An error of the next store, for a layer.
pub(crate) fn from_operator(error: &opendal::Error, path: &str) -> WitError {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<Error>() {
            return error_to_guest(inner);
        }
        cause = inner.source();
    }
    let message = error.kind().into_static().to_owned();
    match error.kind() {
        Kind::ConditionNotMatch | Kind::Conflict | Kind::AlreadyExists => WitError::Conflict(path.to_owned()),
        Kind::Unsupported => WitError::Unsupported(message),
        Kind::PermissionDenied => WitError::Denied(message),
        Kind::NotFound
        | Kind::IsADirectory
        | Kind::NotADirectory
        | Kind::IsSameFile
        | Kind::RangeNotSatisfied => WitError::Invalid(message),
        _ if error.is_temporary() || error.kind() == Kind::RateLimited => {
            WitError::Unavailable(WitUnavailable { message, retry_after_ms: None })
        }
        _ => WitError::Other(message),
    }
}
