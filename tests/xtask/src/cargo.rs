//! Starting programs, cargo above all, and reading what they say.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::Outcome;

/// The workspace: where every program is started.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The folder that everything is built into.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// A program of the workspace, in the profile of tests and demo.
pub(crate) fn binary(name: &str) -> PathBuf {
    target().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// The cargo that started us, in the workspace.
///
/// What `cargo run` tells a program of itself is kept from it: it is about xtask, and build scripts
/// that watch it would run again.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let about_xtask = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_BIN_NAME"
        });
        if about_xtask {
            command.env_remove(name);
        }
    }
    // One target folder for everything, whatever the environment says: the suites look there.
    command.current_dir(root()).env("CARGO_TARGET_DIR", target()).args(arguments);
    command
}

/// Says what is run, runs it, and makes its failure an error.
pub(crate) fn run(command: &mut Command) -> Outcome {
    announce(command);
    let status = command.status().map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", shown(command))) }
}

/// Where a program prints what is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Errors,
}

/// Runs a program whose summary matters: what it prints there goes on to the terminal line by line, and
/// each line is handed to `read`.
pub(crate) fn run_reading(command: &mut Command, stream: Stream, read: &mut dyn FnMut(&str)) -> Outcome {
    announce(command);
    match stream {
        Stream::Output => command.stdout(Stdio::piped()),
        Stream::Errors => command.stderr(Stdio::piped()),
    };
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", shown(command)))?;
    let output = child.stdout.take().map(|output| Box::new(output) as Box<dyn Read>);
    let errors = child.stderr.take().map(|errors| Box::new(errors) as Box<dyn Read>);
    for line in output.or(errors).into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n')) {
        let line = line.map_err(|error| error.to_string())?;
        let line = String::from_utf8_lossy(&line);
        read(&line);
        let shown = match stream {
            Stream::Output => writeln!(std::io::stdout(), "{line}"),
            Stream::Errors => writeln!(std::io::stderr(), "{line}"),
        };
        // A terminal that has gone away is no reason to stop the tests.
        shown.ok();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", shown(command))) }
}

/// Runs a program quietly and answers what it printed.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let output = command.output().map_err(|error| format!("{}: {error}", shown(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}: {}", shown(command), output.status, why.trim()))
}

fn announce(command: &Command) {
    println!("$ {}", shown(command));
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    let words: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    if word.contains([' ', '(', '*']) { format!("'{word}'") } else { word.to_owned() }
}
