//! Which running host is asked.

use std::{net::SocketAddr, path::PathBuf};

use larder::{ControlAddress, Error, control::ControlClient};

use crate::{args::Place, failure::Failure, open};

/// The variable that holds the token of a host that listens at a port.
const TOKEN: &str = "LARDER_CONTROL_TOKEN";

/// Which running host.
#[derive(Debug, clap::Args)]
pub(super) struct Control {
    /// Where the host listens: its socket, or address and port; the token is in LARDER_CONTROL_TOKEN then [default: as the
    /// section `control` of the configuration says]
    #[arg(long, value_name = "SOCKET|ADDRESS")]
    control: Option<String>,
}

impl Control {
    /// Whether a running host is meant: it was said here, or the configuration says where it listens.
    pub(super) fn is_meant(&self, place: &Place) -> Result<bool, Failure> {
        Ok(self.control.is_some() || open::config(place)?.plan()?.control().is_some())
    }

    pub(super) fn client(&self, place: &Place) -> Result<ControlClient, Failure> {
        let address = match &self.control {
            Some(at) => match at.parse::<SocketAddr>() {
                Ok(_) => ControlAddress::tcp(at, token(at)?)?,
                Err(_) => ControlAddress::socket(PathBuf::from(at))?,
            },
            None => {
                let plan = open::config(place)?.plan()?;
                plan.control().cloned().ok_or_else(|| {
                    Error::config(
                        "the configuration has no section `control`: its host can't be asked (`control: { socket: ./run/larder.sock }`)",
                    )
                })?
            }
        };
        Ok(ControlClient::new(address))
    }
}

fn token(address: &str) -> Result<String, Error> {
    std::env::var(TOKEN).map_err(|_| {
        Error::config(format!("a host that listens at a port wants its token; set {TOKEN}"))
            .with("control", address)
    })
}
