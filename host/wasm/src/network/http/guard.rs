//! Decides, for one instance, which requests are sent, with what, and how long and how much of it.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Method, Request, Uri, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody};

use super::{
    grant::HttpGrant,
    origin::{Origin, Place},
    pool::Pool,
};
use crate::{
    convert::printable,
    network::{
        refusals::Refusals,
        resolver::{Resolver, look_up},
        special::{may_be_led_to, special},
    },
    options::PluginOptions,
};

/// Most requests of one instance that are under way, the bodies of their answers included: each has a connection.
const REQUESTS_MAX: usize = 16;
/// Longest path with its query, in bytes; servers take half of it at most.
const PATH_BYTES_MAX: usize = 16 << 10;
/// Most bytes of a request's headers; servers take less.
const HEADERS_BYTES_MAX: usize = 32 << 10;
/// Most bytes of bodies that one call sends, and as many that it receives: a page of a scan or a piece of a blob is at most 8 MiB.
const BODY_BYTES_MAX: u64 = 64 << 20;
/// Most of a path that is shown in a refusal.
const SHOWN_BYTES_MAX: usize = 128;

/// What an instance may send, and what it has used.
pub(super) struct HttpGuard {
    pub(super) grants: Vec<HttpGrant>,
    resolver: Arc<dyn Resolver>,
    lookups: Arc<Semaphore>,
    pub(super) pool: Arc<Pool>,
    pub(super) traffic: Arc<Traffic>,
    refusals: Refusals,
    requests: Arc<Semaphore>,
    /// No wait is longer than a call may be.
    wait_max: Duration,
}

/// What the call that runs has sent and received, and whether the instance still lives.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
    is_closed: AtomicBool,
}

impl Traffic {
    /// Counts bytes that are sent; false where they are too many.
    pub(super) fn send(&self, count: usize) -> bool {
        count_up(&self.sent, count)
    }

    /// Counts bytes that were received; false where they are too many.
    pub(super) fn receive(&self, count: usize) -> bool {
        count_up(&self.received, count)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}

fn count_up(counter: &AtomicU64, count: usize) -> bool {
    let count = count as u64;
    counter.fetch_add(count, Ordering::Relaxed).saturating_add(count) <= BODY_BYTES_MAX
}

/// The longest waits of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    pub(super) connect: Duration,
    pub(super) first_byte: Duration,
    pub(super) between_bytes: Duration,
}

/// A request that may be sent.
pub(super) struct Admitted {
    pub(super) guard: Arc<HttpGuard>,
    /// Its place among the grants.
    pub(super) grant: usize,
    pub(super) request: Request<WasiBody>,
    pub(super) waits: Waits,
    pub(super) permit: OwnedSemaphorePermit,
}

impl HttpGuard {
    /// Guards one instance; none where nothing is granted.
    pub(super) fn new(options: &PluginOptions) -> Option<Arc<Self>> {
        (!options.grants.http.is_empty()).then(|| {
            Arc::new(Self {
                grants: options.grants.http.clone(),
                resolver: Arc::clone(&options.resolver),
                lookups: Arc::clone(&options.lookups),
                pool: Arc::clone(&options.connections),
                traffic: Arc::default(),
                refusals: Refusals::of(&options.name),
                requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
                wait_max: options.limits.deadline,
            })
        })
    }

    pub(super) fn arm(&self) {
        self.refusals.arm();
        self.traffic.sent.store(0, Ordering::Relaxed);
        self.traffic.received.store(0, Ordering::Relaxed);
    }

    pub(super) fn refusal(&self) -> Option<String> {
        self.refusals.first()
    }

    pub(super) fn plugin(&self) -> &str {
        self.refusals.plugin()
    }

    /// The instance is gone: no body that is still being sent comes to a good end.
    pub(super) fn close(&self) {
        self.traffic.is_closed.store(true, Ordering::Release);
    }

    /// Checks a request against the grants and the limits, and makes it what is sent.
    pub(super) fn admit(
        self: &Arc<Self>,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Admitted> {
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            // A tunnel is no request, and an echo would show the headers that the host adds.
            self.refusals.add(format!("the method {}: no grant allows it", request.method()));
            return Err(Error::HttpRequestDenied);
        }
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        if path.len() > PATH_BYTES_MAX {
            return Err(Error::HttpRequestUriTooLong);
        }
        let headers = request.headers();
        let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if bytes > HEADERS_BYTES_MAX {
            return Err(Error::HttpRequestHeaderSectionSize(u32::try_from(bytes).ok()));
        }
        let sent_to =
            Uri::builder().path_and_query(path).build().map_err(|_| Error::HttpRequestUriInvalid)?;
        let grant = self.granted(request.uri())?;
        let permit = Arc::clone(&self.requests).try_acquire_owned();
        let permit = permit.map_err(|_| Error::ConnectionLimitReached)?;
        let waits = self.waits(options);
        let Some(granted) = self.grants.get(grant) else { return Err(Error::HttpRequestDenied) };
        let host =
            HeaderValue::from_str(&granted.origin().authority()).map_err(|_| Error::HttpRequestUriInvalid)?;
        *request.uri_mut() = sent_to;
        let headers = request.headers_mut();
        headers.insert(header::HOST, host);
        for (name, value) in granted.headers() {
            headers.insert(name, value.clone());
        }
        Ok(Admitted { guard: Arc::clone(self), grant, request, waits, permit })
    }

    /// The grant that a request is sent under: the one that says most of its path.
    fn granted(&self, uri: &Uri) -> Result<usize> {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(Error::HttpRequestUriInvalid);
        };
        let url = Url::parse(&format!("{scheme}://{authority}/")).ok();
        let origin = url.as_ref().filter(|url| url.path() == "/").and_then(Origin::of);
        let origin = origin.ok_or(Error::HttpRequestUriInvalid)?;
        let at_origin = self.grants.iter().enumerate().filter(|(_, grant)| *grant.origin() == origin);
        let granted = at_origin
            .clone()
            .filter(|(_, grant)| grant.has_path(uri.path()))
            .max_by_key(|(_, grant)| grant.path_bytes());
        if let Some((grant, _)) = granted {
            return Ok(grant);
        }
        if at_origin.count() == 0 {
            self.refusals
                .add(format!("to send a request to {origin}; `grants.http: [\"{origin}\"]` would allow it"));
        } else {
            let path = printable(uri.path(), SHOWN_BYTES_MAX);
            self.refusals.add(format!(
                "to send a request to {path} of {origin}, which is not below the path of a grant; \
                 `grants.http: [\"{origin}\"]` would allow it"
            ));
        }
        Err(Error::HttpRequestDenied)
    }

    fn waits(&self, options: Option<RequestOptions>) -> Waits {
        let clip = |wait: Option<Duration>| wait.unwrap_or(self.wait_max).min(self.wait_max);
        let options = options.unwrap_or_default();
        Waits {
            connect: clip(options.connect_timeout),
            first_byte: clip(options.first_byte_timeout),
            between_bytes: clip(options.between_bytes_timeout),
        }
    }

    /// The addresses that a connection to an origin may be made to, of which there is one at least.
    pub(super) async fn addresses(&self, origin: &Origin) -> Result<Vec<IpAddr>> {
        let name = match &origin.host {
            // Granted by itself, whatever it is.
            Place::Address(address) => return Ok(vec![*address]),
            Place::Name(name) => name,
        };
        let found = look_up(&self.resolver, &self.lookups, name.clone()).await;
        let found = found.map_err(|error| self.unresolved(name, &error))?;
        let mut refused = None;
        let mut addresses = Vec::new();
        for address in found.into_iter().map(|address| address.to_canonical()) {
            let special = special(address);
            if !may_be_led_to(name, special) {
                refused = Some((address, special));
            } else if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        match refused {
            _ if !addresses.is_empty() => Ok(addresses),
            None => Err(Error::DestinationNotFound),
            Some((address, special)) => {
                let led_to = Origin { host: Place::Address(address), ..origin.clone() };
                let what = special.map_or_else(String::new, |special| format!(", {special}"));
                self.refusals.add(format!(
                    "the name {name} led to {address}{what}; `grants.http: [\"{led_to}\"]` alone would allow it"
                ));
                Err(Error::DestinationIpProhibited)
            }
        }
    }

    fn unresolved(&self, name: &str, error: &io::Error) -> Error {
        tracing::debug!(plugin = self.plugin(), name, "a granted name has no address: {error}");
        Error::DestinationNotFound
    }
}
