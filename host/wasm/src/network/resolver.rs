//! Names to addresses, by the host.

use std::{fmt, io, net::IpAddr, sync::Arc};

use larder_core::BoxFuture;
use tokio::sync::Semaphore;

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

/// Resolves a name within the plugin's share of lookups.
///
/// The asking is a task of its own, which keeps its permit to the end: the system can't be told to stop, so a guest that drops
/// its lookups and begins others would take all threads of the host.
pub(super) async fn look_up(
    resolver: &Arc<dyn Resolver>,
    lookups: &Arc<Semaphore>,
    name: String,
) -> io::Result<Vec<IpAddr>> {
    let permit = Arc::clone(lookups).acquire_owned().await.map_err(io::Error::other)?;
    let asking = resolver.resolve(name);
    let asking = tokio::spawn(async move {
        let found = asking.await;
        drop(permit);
        found
    });
    asking.await.map_err(io::Error::other)?
}
