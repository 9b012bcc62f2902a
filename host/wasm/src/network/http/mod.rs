//! Requests by HTTP that a plugin may send: to the origins of its grants, and nowhere else.
//!
//! wasmtime-wasi-http keeps the guest's requests and bodies; what happens with a request is larder's. It is matched with a grant
//! ([`HttpGrant`]) by scheme, host, port and path; the name is resolved by the host and each address checked; the connection is
//! made to the address that was checked, and its certificate has to have the granted name; `Host` and the secret headers are
//! those of the grant. So a name that points elsewhere later opens nothing, and a redirect that a guest follows is a request
//! like any other. Nothing is read from the environment: no proxy, no other resolver.
//!
//! Connections are kept for the next request of the same plugin under the same grant ([`Pool`]). What a plugin may use is
//! bounded by the constants of `guard`, `exchange` and `pool`.

mod body;
mod connect;
mod error;
mod exchange;
mod grant;
mod guard;
mod link;
mod origin;
mod pool;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::HeaderName;
use wasmtime_wasi::ResourceTable;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView,
    WasiHttpHooks, p2::bindings::http::types::ErrorCode,
};

use crate::options::PluginOptions;

pub use grant::HttpGrant;
use guard::HttpGuard;
pub(crate) use link::add_to_linker;
pub(crate) use pool::Pool;

/// Most bytes of a body that a guest hands over at once; the rest waits in the guest.
const CHUNK_BYTES_MAX: usize = 256 << 10;

/// HTTP of one instance. Dropped, it breaks off what is still being sent.
pub(crate) struct Http {
    context: WasiHttpCtx,
    hooks: Hooks,
}

struct Hooks(Option<Arc<HttpGuard>>);

impl Http {
    pub(crate) fn new(options: &PluginOptions) -> Self {
        Self { context: WasiHttpCtx::new(), hooks: Hooks(HttpGuard::new(options)) }
    }

    pub(crate) fn is_granted(&self) -> bool {
        self.hooks.0.is_some()
    }

    /// Gives the next call its share of bytes, and forgets what the call before was refused.
    #[inline]
    pub(crate) fn arm(&self) {
        if let Some(guard) = &self.hooks.0 {
            guard.arm();
        }
    }

    /// What the call that ended was refused first, naming the grant that would allow it.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.hooks.0.as_ref().and_then(|guard| guard.refusal())
    }

    pub(crate) fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView { hooks: &mut self.hooks, table, ctx: &mut self.context }
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        if let Some(guard) = &self.hooks.0 {
            guard.close();
        }
    }
}

/// Whether a header is the host's: it frames the message, or speaks to whoever stands between.
fn is_forbidden(name: &HeaderName) -> bool {
    const ALSO: [HeaderName; 3] = [http::header::TE, http::header::TRAILER, http::header::EXPECT];
    DEFAULT_FORBIDDEN_HEADERS.contains(name) || ALSO.contains(name) || name.as_str().starts_with("proxy-")
}

type Sent = wasmtime_wasi_http::Result<(
    http::Response<WasiBody>,
    Box<dyn Future<Output = wasmtime_wasi_http::Result<()>> + Send>,
)>;

impl WasiHttpHooks for Hooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = wasmtime_wasi_http::Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let begun = match &self.0 {
            Some(guard) => guard.admit(request, options),
            None => Err(wasmtime_wasi_http::Error::HttpRequestDenied),
        };
        Box::new(async move {
            let response = exchange::run(begun?).await?;
            let nothing_more: Box<dyn Future<Output = wasmtime_wasi_http::Result<()>> + Send> =
                Box::new(async { Ok(()) });
            Ok((response, nothing_more))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES_MAX
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        error::code(&error::of_hyper(error))
    }

    fn p2_error_from_connect(&mut self, _error: &std::io::Error) -> ErrorCode {
        ErrorCode::ConnectionRefused
    }

    fn p2_error_from_tls(&mut self, _error: &std::io::Error) -> ErrorCode {
        ErrorCode::TlsProtocolError
    }
}
