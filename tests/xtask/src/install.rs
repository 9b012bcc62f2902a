//! What the tasks need on a machine, and how it gets there.
//!
//! Each install is announced in one line first. With `--no-install` nothing is installed, and the error
//! says what to type.

mod servers;

use std::{env, path::Path, process::Command};

use larder_guests::{Install as Way, Toolchain, javascript, python as builder};

pub(crate) use servers::{ALL as ALL_SERVERS, Server, servers};

use crate::{Install, Outcome, cargo};

/// What nextest is installed with, where it is missing.
const NEXTEST: [&str; 3] = ["install", "cargo-nextest", "--locked"];

/// The compiler of the plugins.
///
/// # Errors
/// Where there is none and none could be installed; with the commands that were tried or could be.
pub(crate) fn guest_toolchain(install: Install) -> Outcome<Toolchain> {
    let missing = match Toolchain::find() {
        Ok(found) => return Ok(found),
        Err(why) if install.no_install => return Err(why),
        Err(why) => why,
    };
    let mut failures = Vec::new();
    for way in Way::candidates() {
        for command in commands(&way) {
            println!("installing what compiles plugins: {}", command.join(" "));
            if let Err(why) = start(&command) {
                failures.push(why);
                break;
            }
        }
        if let Ok(found) = Toolchain::find() {
            return Ok(found);
        }
    }
    Err(format!("{missing}\nthese were tried: {}", failures.join("; ")))
}

/// Makes sure of the virtual environment that builds and tests what is written in Python.
///
/// # Errors
/// Where it is missing and may not or could not be made; with what to type.
pub(crate) fn python(install: Install) -> Outcome {
    if builder::is_installed(&cargo::root()) {
        return Ok(());
    }
    let found = builder::find_python();
    if install.no_install {
        found?;
        return Err(format!("what builds plugins in Python is missing; type:\n  {}", builder::by_hand()));
    }
    if found.is_err() {
        println!("installing what builds plugins in Python: {}", builder::DEBIAN_PACKAGES.join(" "));
        servers::packaged(&builder::DEBIAN_PACKAGES)?;
    }
    println!(
        "installing what builds plugins in Python into {} (a minute, once): {}",
        builder::VENV,
        builder::REQUIREMENTS
    );
    builder::install(&cargo::root())
}

/// Makes sure of node and npm, which build and test what is written in JavaScript.
///
/// # Errors
/// Where they are missing and may not or could not be installed; with what to type.
pub(crate) fn node(install: Install) -> Outcome {
    match javascript::find_node() {
        Ok(()) => Ok(()),
        Err(why) if install.no_install => Err(why),
        Err(_) => {
            println!(
                "installing what builds plugins in JavaScript: {}",
                javascript::DEBIAN_PACKAGES.join(" ")
            );
            servers::packaged(&javascript::DEBIAN_PACKAGES)?;
            javascript::find_node()
        }
    }
}

/// The commands of a way to install: `apt-get` needs fresh lists, and an administrator.
fn commands(way: &Way) -> Vec<Vec<String>> {
    let is_apt = way.command.first().is_some_and(|program| program == "apt-get");
    if !is_apt {
        return vec![way.command.clone()];
    }
    let update = vec!["apt-get".to_owned(), "update".to_owned()];
    let lines = [update, way.command.clone()];
    lines.into_iter().map(|line| if is_root() { line } else { with_sudo(line) }).collect()
}

/// `-n`: a password prompt in the middle of a run would look like a run that hangs.
fn with_sudo(line: Vec<String>) -> Vec<String> {
    ["sudo".to_owned(), "-n".to_owned()].into_iter().chain(line).collect()
}

fn is_root() -> bool {
    let answer = Command::new("id").arg("-u").output();
    answer.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn start(command: &[String]) -> Outcome {
    let (program, arguments) = command.split_first().ok_or("an empty command")?;
    cargo::run(Command::new(program).args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Makes sure of the runner of the tests. Compiling it takes minutes, so it is installed only where it
/// is missing; where that fails, cargo itself runs the tests, after a line that says so.
///
/// # Errors
/// Where it is missing and may not be installed.
pub(crate) fn nextest(install: Install) -> Outcome {
    if has_nextest() {
        return Ok(());
    }
    let line = format!("cargo {}", NEXTEST.join(" "));
    if install.no_install {
        return Err(format!("cargo-nextest, which runs the tests, is missing; type: {line}"));
    }
    println!("installing the runner of the tests (some minutes, once): {line}");
    if let Err(why) = cargo::run(&mut cargo::cargo(&NEXTEST)) {
        println!("{why}; `cargo test` runs them instead");
    }
    Ok(())
}

/// Whether the runner of the tests is there.
pub(crate) fn has_nextest() -> bool {
    cargo::output(&mut cargo::cargo(&["nextest", "--version"])).is_ok()
}

/// Whether cargo-deny is there. It is not installed from here: it takes longer to compile than all of
/// larder's tests to run, and the suite `tidy` holds the licences and sources of `deny.toml` by itself.
pub(crate) fn has_cargo_deny() -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    let name = format!("cargo-deny{}", env::consts::EXE_SUFFIX);
    let on_path = env::split_paths(&paths).any(|folder| folder.join(&name).is_file());
    let home = env::var_os("CARGO_HOME").map(|home| Path::new(&home).join("bin").join(&name));
    on_path || home.is_some_and(|path| path.is_file())
}
