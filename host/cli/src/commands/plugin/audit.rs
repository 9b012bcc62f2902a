//! `larder plugin audit`.

use serde_json::json;

use super::control::Control;
use crate::{args::Place, failure::Failure, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    control: Control,
    /// Print JSON, a line for each step
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(place: &Place, args: Args) -> Result<(), Failure> {
    for line in args.control.client(place)?.audit().await? {
        if args.json {
            output::line(json!(line))?;
        } else {
            output::line(format_args!(
                "{}\t{}\t{}\t{}\t{}",
                line.at_ms,
                line.plugin,
                line.step,
                output::escaped(line.outcome.as_bytes()),
                output::escaped(line.by.as_bytes()),
            ))?;
        }
    }
    Ok(())
}
