//! `larder blob put`.

use std::ffi::OsString;

use bytes::BytesMut;
use larder::blobs::{BlobWriter, Blobs, WriteOptions};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::progress;
use crate::{failure::Failure, input, output};

/// How much is read at once: bounds the memory, whatever the blob's size.
const CHUNK_BYTES: usize = 256 << 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file, or `-` for standard input
    source: OsString,
    /// The path of the blob
    path: OsString,
    /// Its media type, such as text/html
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Something for the user to know; may be given several times
    #[arg(long = "meta", value_name = "NAME=VALUE", value_parser = input::pair)]
    meta: Vec<(String, String)>,
    /// Only if there is no blob of this path
    #[arg(long, conflicts_with = "if_match")]
    if_absent: bool,
    /// Only if the blob has this etag, as `blob stat` prints it
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    /// Print what became of it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(blobs: &Blobs, args: Args) -> Result<(), Failure> {
    let path = input::text("path", &args.path)?;
    let named = args.source.to_string_lossy().into_owned();
    let mut size = None;
    let mut source: Box<dyn AsyncRead + Unpin + Send> = if args.source == input::STREAM {
        Box::new(tokio::io::stdin())
    } else {
        let file = tokio::fs::File::open(&args.source).await.map_err(Failure::local(&named))?;
        let metadata = file.metadata().await.map_err(Failure::local(&named))?;
        size = metadata.is_file().then_some(metadata.len());
        Box::new(file)
    };
    let mut options = WriteOptions::new();
    if let Some(content_type) = args.content_type {
        options = options.content_type(content_type);
    }
    for (name, value) in args.meta {
        options = options.user(name, value);
    }
    if args.if_absent {
        options = options.if_absent();
    }
    if let Some(etag) = args.if_match {
        options = options.if_match(etag);
    }
    let mut writer = blobs.writer(path, options).await?;
    let bar = progress(size);
    let sent = tokio::select! {
        sent = send(&mut *source, &mut writer, &bar, &named) => sent,
        _ = tokio::signal::ctrl_c() => {
            Err(Failure::Local("interrupted".to_owned(), std::io::ErrorKind::Interrupted.into()))
        }
    };
    bar.finish_and_clear();
    if let Err(failure) = sent {
        // Nothing is visible before `finish`; the parts go away.
        writer.abort().await?;
        return Err(failure);
    }
    let metadata = writer.finish().await?;
    if args.json {
        output::line(super::stat::json(path, &metadata))?;
    }
    Ok(())
}

async fn send(
    source: &mut (dyn AsyncRead + Unpin + Send),
    writer: &mut BlobWriter,
    bar: &indicatif::ProgressBar,
    named: &str,
) -> Result<(), Failure> {
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        while chunk.len() < CHUNK_BYTES {
            if source.read_buf(&mut chunk).await.map_err(Failure::local(named))? == 0 {
                break;
            }
        }
        if chunk.is_empty() {
            return Ok(());
        }
        bar.inc(chunk.len() as u64);
        writer.write(chunk.freeze()).await?;
    }
}
