//! An HTTP client for granted origins.
//!
//! The host resolves, connects, checks the certificate and sends only where a grant of the configuration (`grants.http`) allows
//! it; what is not granted is [`Cause::Denied`]. `Host` and the headers that frame a message are the host's; headers that a
//! grant carries, such as a token, are added by the host and never seen here. Nobody follows a redirect: a plugin that wants to
//! sends another request, which is checked as any.
//!
//! A body goes out whole ([`Request::body`]) or in pieces ([`Client::begin`]), and comes in whole up to a bound
//! ([`Response::bytes`]) or in pieces ([`Response::chunk`]). A failure says whether the server can have acted on the request
//! ([`Failure::is_sent`]), and becomes the contract's error by [`Failure::of_read`] or [`Failure::of_write`].
//!
//! What carries the requests is a [`Transport`]: the host's in a component, a [`Scripted`] one in native tests.
//!
//! ```
//! use larder_sdk::http::{Client, Method, Request, Scripted};
//!
//! let mut scripted = Scripted::default();
//! scripted.answer(200, &[("etag", "\"7\"")], b"three bytes");
//! let mut client = Client::with_transport(scripted.clone());
//!
//! let request = Request::new(Method::GET, "https://store.example/v1/shelf").header("accept", "*/*");
//! let mut response = client.send(request).map_err(|failure| failure.of_read())?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.header("ETag"), Some("\"7\""));
//! assert_eq!(response.bytes(1024).map_err(|failure| failure.of_read())?, b"three bytes");
//! assert_eq!(scripted.sent()[0].path, "/v1/shelf");
//! # Ok::<(), larder_sdk::Error>(())
//! ```

mod client;
mod encode;
mod failure;
mod headers;
mod request;
mod response;
mod scripted;
mod transport;
mod url;
#[cfg(target_arch = "wasm32")]
mod wasi;

pub use client::{Client, Upload};
pub use encode::encode_path;
pub use failure::{Cause, Failure};
pub use headers::Headers;
pub use request::{Method, Request, Timeouts};
pub use response::Response;
pub use scripted::{Scripted, Sent};
pub use transport::{Answer, Exchange, Head, Incoming, Transport};
pub use url::{Scheme, Url};

#[cfg(test)]
mod tests;
