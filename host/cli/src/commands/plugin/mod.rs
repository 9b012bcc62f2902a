//! `larder plugin`.

mod check;
mod inspect;
mod list;
mod new;

use clap::Subcommand;

use crate::{args::Place, failure::Failure};

/// Commands on components.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a project for a new plugin: it builds, holds the contract, and says how to go on
    New(new::Args),
    /// Open the stores of a configuration and print how each of its plugins does
    List(list::Args),
    /// Print what a component is and what it asks for; runs nothing of it
    Inspect(inspect::Args),
    /// Hold everything against a component: the conformance suite, hostile inputs, limits, a search for leaks
    Check(check::Args),
}

pub(crate) async fn run(place: &Place, command: Command) -> Result<(), Failure> {
    match command {
        Command::New(args) => new::run(&args),
        Command::List(args) => list::run(place, &args).await,
        Command::Inspect(args) => inspect::run(args).await,
        Command::Check(args) => check::run(args).await,
    }
}
