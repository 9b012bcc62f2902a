//! What went wrong, in the words of `wasi:http`. None of them shows a header.

use std::{error::Error as _, io};

use wasmtime_wasi_http::{Error, p2::bindings::http::types::ErrorCode};

/// A failure of a connection after its handshake.
pub(super) fn of_hyper(error: &hyper::Error) -> Error {
    if let Some(cause) = error.source().and_then(|cause| cause.downcast_ref::<Error>()) {
        // Our own, from the body that was being sent.
        return match cause {
            Error::HttpRequestBodySize(size) => Error::HttpRequestBodySize(*size),
            _ => Error::ConnectionTerminated,
        };
    }
    if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(None)
    } else if error.is_parse() || error.is_parse_status() {
        Error::HttpProtocolError
    } else if error.is_timeout() {
        Error::HttpResponseTimeout
    } else if error.is_incomplete_message() {
        Error::HttpResponseIncomplete
    } else {
        Error::ConnectionTerminated
    }
}

/// The code of a failed body.
pub(super) fn code(error: &Error) -> ErrorCode {
    match error {
        Error::Hyper(error) => code(&of_hyper(error)),
        Error::HttpRequestBodySize(size) => ErrorCode::HttpRequestBodySize(*size),
        Error::HttpResponseBodySize(size) => ErrorCode::HttpResponseBodySize(*size),
        Error::HttpResponseHeaderSectionSize(size) => ErrorCode::HttpResponseHeaderSectionSize(*size),
        Error::HttpResponseTimeout => ErrorCode::HttpResponseTimeout,
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        Error::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        Error::HttpProtocolError => ErrorCode::HttpProtocolError,
        _ => ErrorCode::ConnectionTerminated,
    }
}

/// A failure of a handshake. The server was told nothing of the request.
pub(super) fn of_tls(error: &io::Error) -> Error {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Error::TlsCertificateError
        }
        _ => Error::TlsProtocolError,
    }
}
