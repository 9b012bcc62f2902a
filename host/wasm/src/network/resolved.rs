//! What names were resolved to, and for how long that counts.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use tokio::time::Instant;

/// How long an address may be connected to after its name was resolved. Who connects later resolves again, as any client
/// does whose server may have moved.
pub(super) const RESOLVED_FOR: Duration = Duration::from_secs(300);

/// Most addresses of one name that are kept; services of many addresses answer a few at a time.
pub(super) const ADDRESSES_MAX: usize = 64;

/// The addresses of names, with the moment that each was last answered.
#[derive(Debug, Default)]
pub(super) struct Resolved(BTreeMap<String, Vec<(IpAddr, Instant)>>);

impl Resolved {
    /// Adds an answer to those before, which count as long as they would have.
    pub(super) fn remember(&mut self, name: String, addresses: &[IpAddr], now: Instant) {
        let known = self.0.entry(name).or_default();
        known.retain(|(address, since)| counts(*since, now) && !addresses.contains(address));
        known.splice(0..0, addresses.iter().map(|address| (*address, now)));
        known.truncate(ADDRESSES_MAX);
    }

    /// Whether the name was resolved to that address, not too long ago.
    pub(super) fn has(&self, name: &str, address: IpAddr, now: Instant) -> bool {
        let known = self.0.get(name).map(Vec::as_slice).unwrap_or_default();
        known.iter().any(|(known, since)| *known == address && counts(*since, now))
    }
}

fn counts(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < RESOLVED_FOR
}
