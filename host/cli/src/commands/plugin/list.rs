//! `larder plugin list`.

use larder::{Host, PluginReport, PluginStatus};

use super::control::Control;
use crate::{args::Place, failure::Failure, open, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    control: Control,
    /// Print JSON, one plugin a line
    #[arg(long)]
    json: bool,
}

/// Asks the host that runs, where one can be asked; else opens one, so that each plugin has started and answered.
pub(super) async fn run(place: &Place, args: &Args) -> Result<(), Failure> {
    let listed = if args.control.is_meant(place)? {
        args.control.client(place)?.list().await?
    } else {
        let host = Host::open(open::config(place)?.plan()?.in_passing()).await?;
        let listed = host.plugins().list();
        host.close().await?;
        listed
    };
    listed.iter().try_for_each(|status| print(status, args))
}

fn print(status: &PluginStatus, args: &Args) -> Result<(), Failure> {
    if args.json {
        return Ok(output::line(serde_json::to_string(status).map_err(std::io::Error::other)?)?);
    }
    let PluginStatus { name, source, digest, generation, stores, reports, .. } = status;
    output::line(format_args!("{name}"))?;
    output::line(format_args!("  component   {source}"))?;
    output::line(format_args!("  sha256      {digest}, generation {generation}"))?;
    output::line(format_args!("  stores      {}", stores.join(", ")))?;
    reports.iter().try_for_each(|report| print_report(report).map_err(Failure::from))
}

fn print_report(report: &PluginReport) -> std::io::Result<()> {
    let of = |n: usize, most: usize| format!("{n} of {most}");
    output::line(format_args!("  state       {}", report.state))?;
    output::line(format_args!("  strikes     {} of {}", report.strikes, report.strikes_max))?;
    output::line(format_args!(
        "  calls       {}, {} failed, {} instances lost",
        report.calls, report.failures, report.traps
    ))?;
    output::line(format_args!(
        "  instances   {}, {} busy; {} wait",
        of(report.instances, report.instances_max),
        report.instances_busy,
        of(report.waiting, report.waiting_max)
    ))?;
    if report.log_lines_dropped > 0 {
        output::line(format_args!("  log         {} lines dropped", report.log_lines_dropped))?;
    }
    match &report.last_error {
        Some(last) => output::line(format_args!("  last error  {}", last.message)),
        None => Ok(()),
    }
}
