//! `larder plugin list`.

use serde_json::json;

use super::control::Control;
use crate::{args::Place, failure::Failure, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    control: Control,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(place: &Place, args: Args) -> Result<(), Failure> {
    let plugins = args.control.client(place)?.list().await?;
    if args.json {
        return Ok(output::line(json!(plugins))?);
    }
    for plugin in plugins {
        output::line(format_args!(
            "{}\tgeneration {}{}\t{}\t{}\t{}",
            plugin.name,
            plugin.generation,
            if plugin.on_probation { ", on probation" } else { "" },
            plugin.sha256,
            plugin.stores.join(" "),
            output::escaped(plugin.source.as_bytes()),
        ))?;
    }
    Ok(())
}
