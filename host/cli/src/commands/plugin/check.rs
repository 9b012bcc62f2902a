//! `larder plugin check`.

use std::path::PathBuf;

use clap::ValueEnum;
use larder::{
    Environment, HttpGrant, Mode, Source, TcpGrant,
    check::{CheckOptions, check_plugin},
    compiled_folder,
};

use crate::{failure::Failure, input, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The component
    file: PathBuf,
    /// A setting for the component; may be given several times
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = input::pair)]
    settings: Vec<(String, String)>,
    /// By which name the component sees its scratch folder, which is new for each case
    #[arg(long, value_name = "NAME", default_value = "/data")]
    folder: String,
    /// Grant no folder
    #[arg(long, conflicts_with = "folder")]
    no_folder: bool,
    /// Let it connect to a host and port by TCP; may be given several times
    #[arg(long = "grant-tcp", value_name = "HOST:PORT")]
    tcp: Vec<TcpGrant>,
    /// Let it send requests to an origin by HTTP; may be given several times
    #[arg(long = "grant-http", value_name = "URL")]
    http: Vec<HttpGrant>,
    /// How the component is called
    #[arg(long, value_enum, default_value_t = CallMode::Auto)]
    mode: CallMode,
    /// Seed of everything random; a report names it, and the same seed replays it
    #[arg(long)]
    seed: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CallMode {
    Auto,
    Inline,
    Fiber,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let mut options = CheckOptions::default();
    options.settings = args.settings;
    options.folder = (!args.no_folder).then_some(args.folder);
    options.tcp = args.tcp;
    options.http = args.http;
    options.mode = match args.mode {
        CallMode::Auto => Mode::Auto,
        CallMode::Inline => Mode::Inline,
        CallMode::Fiber => Mode::Fiber,
    };
    options.seed = args.seed.unwrap_or(options.seed);
    options.compiled = compiled_folder(&Environment::of_process());
    let report = check_plugin(Source::file(&args.file), options).await?;
    if args.json {
        let json = serde_json::to_string(&report).map_err(std::io::Error::other)?;
        output::line(json)?;
    } else {
        output::line(report.to_string().trim_end())?;
        let failed = report.failed().count();
        let held = report.cases.len() - failed;
        output::line(format_args!(
            "{held} of {} cases hold{}",
            report.cases.len(),
            match failed {
                0 => String::new(),
                failed => format!(", {failed} do not"),
            }
        ))?;
    }
    if report.holds() { Ok(()) } else { Err(Failure::CheckFailed) }
}
