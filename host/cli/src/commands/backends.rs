//! `larder backends`.

use larder::{StoreKind, backends};
use serde_json::json;

use crate::{failure::Failure, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if args.json {
        return json_lines();
    }
    for backend in backends::all() {
        let names: Vec<&str> = [backend.name].into_iter().chain(backend.aliases.iter().copied()).collect();
        let schemes: Vec<String> = backend.schemes.iter().map(|scheme| format!("{scheme}://")).collect();
        output::line(format_args!("{:22}{}", names.join(", "), backend.about))?;
        if !schemes.is_empty() {
            output::line(format_args!("  URLs    {}", schemes.join("  ")))?;
        }
        if backend.keeps(StoreKind::Kv) {
            output::line(format_args!("  kv      {}", backend.capabilities))?;
        }
        if backend.keeps(StoreKind::Blob) && !backend.blob_features.is_empty() {
            output::line(format_args!("  blob    {}", backend.blob_features.join(", ")))?;
        }
        if backend.name == "opendal" {
            for service in backends::services() {
                let features = backends::service_features(service).unwrap_or_default();
                output::line(format_args!("  blob    {service}: {}", features.join(", ")))?;
            }
        }
    }
    Ok(output::line(
        "a plugin              what it declares: `larder plugin inspect FILE`, `larder plugin check FILE`",
    )?)
}

fn json_lines() -> Result<(), Failure> {
    for backend in backends::all() {
        let kinds: Vec<String> = backend.kinds.iter().map(ToString::to_string).collect();
        let capabilities: Vec<String> =
            backend.capabilities.iter_names().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let services: Vec<_> = match backend.name {
            "opendal" => backends::services()
                .map(|service| json!({ "scheme": service, "blob": backends::service_features(service) }))
                .collect(),
            _ => Vec::new(),
        };
        output::line(json!({
            "name": backend.name,
            "aliases": backend.aliases,
            "schemes": backend.schemes,
            "kinds": kinds,
            "kv": capabilities,
            "blob": backend.blob_features,
            "services": services,
            "about": backend.about,
        }))?;
    }
    Ok(())
}
