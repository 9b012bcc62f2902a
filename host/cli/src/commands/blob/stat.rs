//! `larder blob stat`.

use std::ffi::OsString;

use larder::{
    Timestamp,
    blobs::{Blobs, Metadata},
};
use serde_json::{Value, json};

use crate::{failure::Failure, input, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The path of the blob
    path: OsString,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(blobs: &Blobs, args: &Args) -> Result<(), Failure> {
    let path = input::text("path", &args.path)?;
    let Some(metadata) = blobs.stat(path).await? else {
        return Err(Failure::NotFound(format!("the blob {path:?}")));
    };
    if args.json {
        return Ok(output::line(json(path, &metadata))?);
    }
    output::line(format_args!("size      {} bytes", metadata.size_bytes))?;
    if let Some(content_type) = &metadata.content_type {
        output::line(format_args!("type      {content_type}"))?;
    }
    if let Some(etag) = &metadata.etag {
        output::line(format_args!("etag      {etag}"))?;
    }
    if let Some(Timestamp(ms)) = metadata.modified {
        output::line(format_args!("modified  {ms} ms since 1970"))?;
    }
    for (name, value) in &metadata.user {
        output::line(format_args!("meta      {name}={}", output::escaped(value.as_bytes())))?;
    }
    Ok(())
}

/// What is known of a blob, as JSON.
pub(super) fn json(path: &str, metadata: &Metadata) -> Value {
    json!({
        "path": path,
        "size_bytes": metadata.size_bytes,
        "content_type": metadata.content_type,
        "etag": metadata.etag,
        "modified_ms": metadata.modified.map(|Timestamp(ms)| ms),
        "meta": metadata.user,
    })
}
