//! The one mapping of OpenDAL's errors to larder's, by code and never by text.

use std::{error::Error as StdError, io};

use larder_core::{Effect, Error, ErrorKind};

/// What an error of an operator means to a caller of larder.
///
/// A blob that is not there is `invalid`: whoever asks whether there is one (`get`, `stat`, `exists`) answers
/// that before this mapping. An error that larder itself put into an operator (a plugin's) comes out with its
/// kind, effect and hint. The effect is `none` otherwise: who wrote something knows better and says so.
pub fn error(error: opendal::Error) -> Error {
    if let Some(inner) = find::<Error>(&error) {
        return unwrap(inner);
    }
    let kind = error.kind();
    let (kind, message) = match kind {
        opendal::ErrorKind::Unsupported => (ErrorKind::Unsupported, "the blob store can't do this"),
        opendal::ErrorKind::ConfigInvalid => (ErrorKind::Config, "the blob store refused its settings"),
        opendal::ErrorKind::NotFound => (ErrorKind::Invalid, "there is no such blob"),
        opendal::ErrorKind::IsADirectory => (ErrorKind::Invalid, "this is the path of a folder"),
        opendal::ErrorKind::NotADirectory => (ErrorKind::Invalid, "a part of the path is a blob"),
        opendal::ErrorKind::IsSameFile => (ErrorKind::Invalid, "source and target are the same blob"),
        opendal::ErrorKind::RangeNotSatisfied => (ErrorKind::Invalid, "the range lies outside of the blob"),
        opendal::ErrorKind::PermissionDenied => (ErrorKind::Denied, "the blob store refused access"),
        opendal::ErrorKind::AlreadyExists => (ErrorKind::Conflict, "there is something at this path"),
        opendal::ErrorKind::ConditionNotMatch => (ErrorKind::Conflict, "the condition does not hold"),
        opendal::ErrorKind::Conflict => (ErrorKind::Conflict, "the blob changed meanwhile"),
        opendal::ErrorKind::RateLimited => (ErrorKind::Unavailable, "the blob store asks to slow down"),
        _ if let Some(cause) = find::<reqsign_core::Error>(&error) => of_signing(cause),
        _ => match find::<io::Error>(&error).map(io::Error::kind) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                (ErrorKind::Unavailable, "the disk is full")
            }
            Some(io::ErrorKind::ReadOnlyFilesystem) => (ErrorKind::Denied, "the file system is read-only"),
            Some(io::ErrorKind::InvalidFilename) => (ErrorKind::Invalid, "a part of the path is too long"),
            _ => (ErrorKind::Unavailable, "the blob store failed"),
        },
    };
    Error::new(kind, message).caused_by(error)
}

/// What it means that a request could not be signed.
fn of_signing(error: &reqsign_core::Error) -> (ErrorKind, &'static str) {
    match error.kind() {
        reqsign_core::ErrorKind::ConfigInvalid => {
            (ErrorKind::Config, "the settings of the credentials are wrong")
        }
        reqsign_core::ErrorKind::CredentialInvalid | reqsign_core::ErrorKind::PermissionDenied => {
            (ErrorKind::Denied, "there are no valid credentials for the blob store")
        }
        _ => (ErrorKind::Unavailable, "no credentials for the blob store could be got"),
    }
}

/// The first cause of a type.
pub(super) fn find<T: StdError + 'static>(error: &opendal::Error) -> Option<&T> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// An error of larder that travelled inside of one of OpenDAL's. It can't be moved out, so it is told again.
fn unwrap(inner: &Error) -> Error {
    let effect = if inner.is_effect_unknown() { Effect::Unknown } else { Effect::None };
    let mut error = Error::new(inner.kind(), inner.message().to_owned()).effect(effect);
    for name in ["plugin", "path", "key", "upload"] {
        if let Some(value) = inner.context(name) {
            error = error.with(name, value);
        }
    }
    if let Some(wait) = inner.retry_after_hint() {
        error = error.retry_after(wait);
    }
    match inner.source() {
        Some(cause) => error.caused_by(cause.to_string()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_kind_comes_from_the_code() {
        use opendal::ErrorKind as O;
        for (from, to) in [
            (O::NotFound, ErrorKind::Invalid),
            (O::ConditionNotMatch, ErrorKind::Conflict),
            (O::PermissionDenied, ErrorKind::Denied),
            (O::Unsupported, ErrorKind::Unsupported),
            (O::RateLimited, ErrorKind::Unavailable),
            (O::Unexpected, ErrorKind::Unavailable),
        ] {
            assert_eq!(error(opendal::Error::new(from, "text does not matter")).kind(), to);
        }
        let full =
            opendal::Error::new(O::Unexpected, "").set_source(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(error(full).message(), "the disk is full");
    }

    #[test]
    fn an_error_of_larder_comes_out_of_opendals_as_it_went_in() {
        let plugin = Error::new(ErrorKind::Plugin, "the component trapped")
            .with("plugin", "blob-folder")
            .effect(Effect::Unknown)
            .retry_after(Duration::from_secs(3));
        let out = error(opendal::Error::new(opendal::ErrorKind::Unexpected, "x").set_source(plugin));
        assert_eq!(out.kind(), ErrorKind::Plugin);
        assert_eq!(out.context("plugin"), Some("blob-folder"));
        assert_eq!(out.retry_after_hint(), Some(Duration::from_secs(3)));
        assert!(out.is_effect_unknown());
    }
}
