//! Asking a running host to list and to swap its plugins.
//!
//! Off unless the configuration has a section `control`. One question a connection: a line of JSON goes in, a line comes
//! out. Over a Unix socket the folder that it is in says who may ask, and the system says who does; over a port of the
//! loopback a token does. Questions are bounded in size and time, and there are few at once. The host owns the task
//! that listens, and ends it when it is closed.
//!
//! Whoever may ask can have the host read any file that it may read, as a component, and run what is in it in the plugin's
//! place, with the plugin's grants and settings.

mod client;
mod protocol;
mod server;
#[cfg(unix)]
mod socket;

pub use self::{
    client::ControlClient,
    protocol::{AuditLine, SwapLine},
};
pub(crate) use server::Control;
