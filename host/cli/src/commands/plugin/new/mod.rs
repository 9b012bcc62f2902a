//! `larder plugin new`: a project that builds, holds the contract and says how to go on.
//!
//! A project is made of the files in `templates/LANGUAGE/common` and `templates/LANGUAGE/KIND`, and of copies of the
//! contract and the language's SDK: it builds with what the language's own registry has, wherever it lies. Which
//! pairs of language and kind there are is what lies in `templates`. Nothing that exists is overwritten.

mod name;
mod project;

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind as IoErrorKind, Write},
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use larder::{Error, ErrorKind};

use self::{name::PluginName, project::Project};
use crate::{failure::Failure, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the plugin: small letters, digits and single hyphens, like `kv-shelf`
    #[arg(value_parser = PluginName::parse)]
    name: PluginName,
    /// The language to write it in
    #[arg(long, value_enum)]
    lang: Language,
    /// What it is to be
    #[arg(long, value_enum)]
    kind: Kind,
    /// The folder for the project, which may not exist or must be empty [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

/// A language that plugins are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    Rust,
    #[value(alias = "py")]
    Python,
    #[value(alias = "js")]
    Javascript,
}

/// What a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Keeps keys and values
    Kv,
    /// Keeps blobs
    Blob,
    /// Stands in front of another key-value store
    Layer,
    /// Stands in front of another blob store
    BlobLayer,
    /// Decides what a cache keeps
    Policy,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let project = Project::new(&args.name, args.lang, args.kind)?;
    let folder = args.into.clone().unwrap_or_else(|| PathBuf::from(args.name.as_str()));
    must_be_free(&folder)?;
    for (path, text) in &project.files {
        let path = folder.join(path);
        write_new(&path, text).map_err(Failure::local(format!(
            "{}; the project in {} is not whole: remove it, then try again",
            path.display(),
            folder.display()
        )))?;
    }
    output::line(format_args!("wrote {} files into {}", project.files.len(), folder.display()))?;
    output::line("\nnext:")?;
    let lines = std::iter::once(format!("cd {}", quoted(&folder))).chain(project.next_steps);
    for line in lines {
        output::line(format_args!("  {line}"))?;
    }
    Ok(output::line("\nREADME.md says what each does, and where to go on.")?)
}

/// Refuses a folder with anything in it, and a file.
fn must_be_free(folder: &Path) -> Result<(), Failure> {
    let taken = |what: &str| {
        let text = format!("{} {what}; choose another folder with --into", folder.display());
        Err(Error::new(ErrorKind::Invalid, text).into())
    };
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => taken("is not empty, and nothing is overwritten"),
        },
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == IoErrorKind::NotADirectory => taken("is no folder"),
        Err(error) => Err(Failure::Local(folder.display().to_string(), error)),
    }
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
    if is_plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_typed_as_a_shell_takes_it() {
        assert_eq!(quoted(Path::new("a/b-c")), "a/b-c");
        assert_eq!(quoted(Path::new("it's here")), r"'it'\''s here'");
    }
}
