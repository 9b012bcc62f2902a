//! `larder blob get`.

use std::{
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
};

use futures::TryStreamExt;
use larder::blobs::{BlobReader, Blobs};

use super::progress;
use crate::{failure::Failure, input};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The path of the blob
    path: OsString,
    /// The file, or `-` for standard output
    #[arg(default_value = "-")]
    target: OsString,
}

pub(super) async fn run(blobs: &Blobs, args: &Args) -> Result<(), Failure> {
    let path = input::text("path", &args.path)?;
    let missing = || Failure::NotFound(format!("the blob {path:?}"));
    let size = blobs.stat(path).await?.ok_or_else(missing)?.size_bytes;
    let mut reader = blobs.read(path, ..).await?.ok_or_else(missing)?;
    let bar = progress(Some(size));
    let done = if args.target == input::STREAM {
        copy(&mut reader, &mut io::stdout(), &bar).await
    } else {
        to_file(&mut reader, Path::new(&args.target), &bar).await
    };
    bar.finish_and_clear();
    done
}

/// Into a file beside the target that takes its name in the end: a target is whole or untouched.
async fn to_file(
    reader: &mut BlobReader,
    target: &Path,
    bar: &indicatif::ProgressBar,
) -> Result<(), Failure> {
    let shown = target.display().to_string();
    let mut part = target.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(part);
    let mut file = std::fs::File::create_new(&part).map_err(Failure::local(&shown))?;
    let copied = copy(reader, &mut file, bar).await.map_err(|failure| match failure {
        Failure::Local(_, error) => Failure::Local(shown.clone(), error),
        Failure::Closed => Failure::Local(shown.clone(), io::ErrorKind::BrokenPipe.into()),
        other => other,
    });
    let moved = copied.and_then(|()| std::fs::rename(&part, target).map_err(Failure::local(&shown)));
    if moved.is_err() {
        std::fs::remove_file(&part).map_err(Failure::local(part.display().to_string()))?;
    }
    moved
}

async fn copy(
    reader: &mut BlobReader,
    target: &mut (dyn Write + Send),
    bar: &indicatif::ProgressBar,
) -> Result<(), Failure> {
    while let Some(chunk) = reader.try_next().await? {
        target.write_all(&chunk)?;
        bar.inc(chunk.len() as u64);
    }
    Ok(target.flush()?)
}
