//! Names to addresses, by the host.

use std::{fmt, io, net::IpAddr};

use larder_core::BoxFuture;

/// Resolves the names of grants. The machine's own way is [`SystemResolver`]; a test or an embedder with a directory of its
/// own puts another in its place.
pub trait Resolver: fmt::Debug + Send + Sync {
    /// The addresses of a name in lower case, without a final dot.
    ///
    /// Cancel safe: an answer that nobody waits for is dropped.
    ///
    /// # Errors
    /// Where the name has no address, or whoever knows can't be asked.
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The machine's resolver, with its `hosts` file and name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
