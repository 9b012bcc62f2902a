//! `larder plugin`.

mod audit;
mod check;
mod control;
mod inspect;
mod list;
mod new;
mod release;
mod swap;

use clap::Subcommand;

use crate::{args::Place, failure::Failure};

/// Commands on components.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a project for a new plugin: it builds, holds the contract, and says how to go on
    New(new::Args),
    /// Print how each plugin does: of the host that runs, where one can be asked, else of the configuration
    List(list::Args),
    /// Print what a component is and what it asks for; runs nothing of it
    Inspect(inspect::Args),
    /// Hold everything against a component: the conformance suite, hostile inputs, limits, a search for leaks
    Check(check::Args),
    /// Put another component in the place of a plugin of a running host, while its calls go on
    Swap(swap::Args),
    /// End the back-off or quarantine of a plugin of a running host
    Release(release::Args),
    /// Print what the swaps of a running host did, step by step
    Audit(audit::Args),
}

pub(crate) async fn run(place: &Place, command: Command) -> Result<(), Failure> {
    match command {
        Command::New(args) => new::run(&args),
        Command::List(args) => list::run(place, &args).await,
        Command::Inspect(args) => inspect::run(args).await,
        Command::Check(args) => check::run(args).await,
        Command::Swap(args) => swap::run(place, args).await,
        Command::Release(args) => release::run(place, args).await,
        Command::Audit(args) => audit::run(place, args).await,
    }
}
