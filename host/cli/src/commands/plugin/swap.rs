//! `larder plugin swap`.

use std::path::PathBuf;

use serde_json::json;

use super::control::Control;
use crate::{args::Place, failure::Failure, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plugin's name in the configuration of the running host
    name: String,
    /// The component that takes over; the host reads the file
    file: PathBuf,
    /// The digest that the component must have, in place of the pinned one
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    #[command(flatten)]
    control: Control,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(place: &Place, args: Args) -> Result<(), Failure> {
    let shown = args.file.display().to_string();
    let file = std::path::absolute(&args.file).map_err(Failure::local(shown))?;
    let client = args.control.client(place)?;
    let swapped = client.swap(&args.name, &file, args.sha256.as_deref()).await?;
    if args.json {
        return Ok(output::line(json!(swapped))?);
    }
    if swapped.from == swapped.to {
        return Ok(output::line(format_args!("{} serves already", swapped.to))?);
    }
    output::line(format_args!("generation  {}", swapped.generation))?;
    output::line(format_args!("from        {}", swapped.from))?;
    output::line(format_args!("to          {}", swapped.to))?;
    output::line(format_args!("compared    {} reads, answered alike", swapped.compared))?;
    if !swapped.drained {
        output::line("calls of the old generation did not end in time; they end by themselves")?;
    }
    Ok(())
}
