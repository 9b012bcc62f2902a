//! `larder plugin check`.

use std::{io::IsTerminal as _, path::PathBuf, sync::Arc};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use larder::{
    Environment, HttpGrant, Mode, Source, TcpGrant,
    check::{CheckOptions, LEAK_CALLS, OnProgress, QUICK_CALLS, check_plugin},
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
    /// Calls of the search for leaks, after its warm-up
    #[arg(long, value_name = "N", default_value_t = LEAK_CALLS, value_parser = clap::value_parser!(u64).range(1..))]
    calls: u64,
    /// Search for leaks with few calls: finds the coarse ones alone
    #[arg(long, conflicts_with = "calls")]
    quick: bool,
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
    options.calls = if args.quick { QUICK_CALLS } else { args.calls };
    let bar = bar(options.calls);
    options.on_progress = bar.clone().map(shown_on);
    let report = check_plugin(Source::file(&args.file), options).await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let report = report?;
    if args.json {
        let json = serde_json::to_string(&report).map_err(std::io::Error::other)?;
        output::line(json)?;
    } else {
        output::line(report.to_string().trim_end())?;
        let (cases, failed) = report.tally();
        let held = cases - failed;
        output::line(format_args!(
            "{held} of {cases} cases hold{}",
            match failed {
                0 => String::new(),
                failed => format!(", {failed} do not"),
            }
        ))?;
    }
    if report.holds() { Ok(()) } else { Err(Failure::CheckFailed) }
}

/// The progress of the search for leaks, where somebody can see it.
fn bar(calls: u64) -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::with_draw_target(Some(calls), ProgressDrawTarget::stderr());
    if let Ok(style) =
        ProgressStyle::with_template("searching for leaks  {bar:30} {human_pos}/{human_len} {eta} left")
    {
        bar.set_style(style);
    }
    Some(bar)
}

fn shown_on(bar: ProgressBar) -> OnProgress {
    Arc::new(move |done, _| bar.set_position(done))
}
