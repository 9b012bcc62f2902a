//! `larder plugin inspect`.

use std::path::PathBuf;

use larder::{Config, Environment, Source, check::inspect_plugin, compiled_folder};
use serde_json::json;

use crate::{failure::Failure, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The component
    file: PathBuf,
    /// Set what it wants against the grants of this configuration
    #[arg(long, requires = "name")]
    config: Option<PathBuf>,
    /// The plugin's name in that configuration
    #[arg(long, requires = "config")]
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let found = inspect_plugin(Source::file(&args.file), compiled_folder(&Environment::of_process())).await?;
    let compared = match (&args.config, &args.name) {
        (Some(file), Some(name)) => {
            let plan = Config::load_in(file, Environment::of_process())?.plan()?;
            Some(plan.compare_wants(name, &found.wants)?)
        }
        _ => None,
    };
    let world = found.world.map(larder::World::as_str);
    if args.json {
        let fields = json!({
            "world": world,
            "version": found.version,
            "host_version": found.host_version,
            "standard": found.standard,
            "imports": found.imports,
            "exports": found.exports,
            "handoff": found.has_handoff,
            "sha256": found.digest,
            "size_bytes": found.size_bytes,
            "wants": found.wants.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "granted": compared.as_ref().map(|c| c.wants.iter().map(|(_, is)| *is).collect::<Vec<_>>()),
            "granted_unasked": compared.as_ref().map(|c| &c.unasked),
        });
        return Ok(output::line(fields)?);
    }
    output::line(format_args!("world    {}", world.unwrap_or("none that larder knows")))?;
    match &found.standard {
        Some(standard) => output::line(format_args!("standard {standard}"))?,
        None => {
            let version = found.version.as_deref().unwrap_or("none");
            output::line(format_args!("version  {version} (this host speaks {})", found.host_version))?;
        }
    }
    output::line(format_args!("handoff  {}", if found.has_handoff { "yes" } else { "no" }))?;
    output::line(format_args!("size     {} bytes", found.size_bytes))?;
    output::line(format_args!("sha256   {}", found.digest))?;
    for (heading, names) in [("imports", &found.imports), ("exports", &found.exports)] {
        output::line(format_args!("{heading}{}", if names.is_empty() { "  nothing" } else { "" }))?;
        for name in names {
            output::line(format_args!("  {name}"))?;
        }
    }
    output::line(format_args!("wants{}", if found.wants.is_empty() { "    says nothing" } else { "" }))?;
    for (i, want) in found.wants.iter().enumerate() {
        let granted = compared.as_ref().and_then(|compared| compared.wants.get(i));
        output::line(format_args!(
            "  {want}{}",
            match granted {
                None => "",
                Some((_, true)) => " (granted)",
                Some((_, false)) => " (not granted)",
            }
        ))?;
    }
    for grant in compared.iter().flat_map(|compared| &compared.unasked) {
        output::line(format_args!("  granted and not asked for: {grant}"))?;
    }
    Ok(())
}
