//! The cases, a file per feature. Within a file the promises come first and the steps follow in the
//! same order.

use super::case::Group;

mod concurrency;
mod counters;
mod keys;
mod limits;
mod reads;
mod refusals;
mod scans;
mod scans_in_pages;
mod transactions;
mod ttl;
mod versions;
mod writes;

/// Every group, simple before composed: the first failure is the one to look at first.
pub(super) const GROUPS: &[&Group] = &[
    &reads::GROUP,
    &writes::GROUP,
    &keys::GROUP,
    &limits::GROUP,
    &versions::GROUP,
    &transactions::GROUP,
    &counters::GROUP,
    &ttl::GROUP,
    &scans::GROUP,
    &scans_in_pages::GROUP,
    &concurrency::GROUP,
    &refusals::SCAN,
    &refusals::TTL,
    &refusals::VERSIONS,
    &refusals::TRANSACTIONS,
    &refusals::COUNTERS,
];
