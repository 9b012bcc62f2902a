//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::{commands::Command, exit};

/// Key-value stores, blob stores and plugins of larder.
#[derive(Debug, Parser)]
#[command(name = "larder", version, propagate_version = true, after_help = exit::HELP, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which store is meant.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Configuration file [default: larder.yaml, larder.yml or larder.toml in the working folder]
    #[arg(long, global = true, value_name = "FILE", env = "LARDER_CONFIG", conflicts_with = "url")]
    pub(crate) config: Option<PathBuf>,
    /// Name of the store [default: `state` or `storage`, or the only one of its kind]
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "url")]
    pub(crate) store: Option<String>,
    /// A store without a configuration, such as file:///var/lib/fetcher
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
}
