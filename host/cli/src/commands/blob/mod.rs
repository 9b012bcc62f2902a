//! `larder blob`.

mod cp;
mod get;
mod ls;
mod put;
mod rm;
mod stat;

use std::io::IsTerminal;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{args::Place, failure::Failure, open};

/// Commands on blobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Store a file, or standard input, as a blob
    Put(put::Args),
    /// Write a blob to a file, or to standard output
    Get(get::Args),
    /// List blobs
    Ls(ls::Args),
    /// Print what is known of a blob
    Stat(stat::Args),
    /// Remove blobs; removing what is not there succeeds
    Rm(rm::Args),
    /// Copy a blob within its store
    Cp(cp::Args),
}

pub(crate) async fn run(place: &Place, command: Command) -> Result<(), Failure> {
    let (host, blobs) = open::blobs(place).await?;
    let done = match command {
        Command::Put(args) => put::run(&blobs, args).await,
        Command::Get(args) => get::run(&blobs, &args).await,
        Command::Ls(args) => ls::run(&blobs, &args).await,
        Command::Stat(args) => stat::run(&blobs, &args).await,
        Command::Rm(args) => rm::run(&blobs, &args).await,
        Command::Cp(args) => cp::run(&blobs, &args).await,
    };
    drop(blobs);
    let closed = host.close().await;
    done.and(closed.map_err(Failure::from))
}

/// A progress bar on stderr if that is a terminal; silent in a pipe. `size` is unknown of a stream.
fn progress(size: Option<u64>) -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(size, target);
    let template = match size {
        Some(_) => "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        None => "{spinner} {bytes} {bytes_per_sec}",
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
