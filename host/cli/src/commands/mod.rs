//! The commands, one file each.

mod backends;
mod blob;
mod config;
mod kv;
mod migrate;
mod plugin;

use clap::Subcommand;

use crate::{args::Cli, failure::Failure};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read and write keys and values
    #[command(subcommand)]
    Kv(kv::Command),
    /// Read and write blobs
    #[command(subcommand)]
    Blob(blob::Command),
    /// Check and explain a configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Move all of a store to another one; goes on where an interrupted run ended
    Migrate(migrate::Args),
    /// List the backends that are compiled in, and what they can do
    Backends(backends::Args),
    /// Look at plugins, check whether they keep the contract, and swap them in a running host
    #[command(subcommand)]
    Plugin(plugin::Command),
}

pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Kv(command) => kv::run(&cli.place, command).await,
        Command::Blob(command) => blob::run(&cli.place, command).await,
        Command::Config(command) => config::run(&cli.place, &command).await,
        Command::Migrate(args) => migrate::run(&cli.place, args).await,
        Command::Backends(args) => backends::run(&args),
        Command::Plugin(command) => plugin::run(&cli.place, command).await,
    }
}
