//! `larder kv`.

mod del;
mod get;
mod incr;
mod scan;
mod set;

use clap::Subcommand;

use crate::{args::Place, failure::Failure, open};

/// Commands on keys and values.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the value of a key
    Get(get::Args),
    /// Store a value
    Set(set::Args),
    /// Remove keys
    Del(del::Args),
    /// Print keys and values in the order of the keys
    Scan(scan::Args),
    /// Add to a counter and print the sum
    Incr(incr::Args),
}

pub(crate) async fn run(place: &Place, command: Command) -> Result<(), Failure> {
    let (host, kv) = open::kv(place).await?;
    let done = match command {
        Command::Get(args) => get::run(&kv, &args).await,
        Command::Set(args) => set::run(&kv, args).await,
        Command::Del(args) => del::run(&kv, &args).await,
        Command::Scan(args) => scan::run(&kv, &args).await,
        Command::Incr(args) => incr::run(&kv, &args).await,
    };
    drop(kv);
    // What the command met comes first; what closing met is told if there was nothing else.
    let closed = host.close().await;
    done.and(closed.map_err(Failure::from))
}
