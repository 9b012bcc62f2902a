//! `larder plugin inspect`.

use std::path::PathBuf;

use larder::{Source, check::inspect_plugin};
use serde_json::json;

use crate::{failure::Failure, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The component
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let found = inspect_plugin(Source::file(&args.file)).await?;
    let world = found.world.map(larder::World::as_str);
    if args.json {
        let fields = json!({
            "world": world,
            "version": found.version,
            "host_version": found.host_version,
            "imports": found.imports,
            "exports": found.exports,
            "handoff": found.has_handoff,
            "sha256": found.digest,
            "size_bytes": found.size_bytes,
        });
        return Ok(output::line(fields)?);
    }
    output::line(format_args!("world    {}", world.unwrap_or("none that larder knows")))?;
    let version = found.version.as_deref().unwrap_or("none");
    output::line(format_args!("version  {version} (this host speaks {})", found.host_version))?;
    output::line(format_args!("handoff  {}", if found.has_handoff { "yes" } else { "no" }))?;
    output::line(format_args!("size     {} bytes", found.size_bytes))?;
    output::line(format_args!("sha256   {}", found.digest))?;
    for (heading, names) in [("imports", &found.imports), ("exports", &found.exports)] {
        output::line(format_args!("{heading}{}", if names.is_empty() { "  nothing" } else { "" }))?;
        for name in names {
            output::line(format_args!("  {name}"))?;
        }
    }
    Ok(())
}
