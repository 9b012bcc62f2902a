//! Building the plugins, by the builder that the tests use too.

use std::path::PathBuf;

use larder_guests::{Options, Output, build_all, python};

use crate::{Install, Outcome, cargo, install};

/// Builds the named plugins, or all of them, into `target/plugins`.
///
/// # Errors
/// A missing compiler that may not or could not be installed; a plugin that does not compile.
pub(crate) fn build(names: &[&str], install: Install) -> Outcome<Vec<PathBuf>> {
    let toolchain = install::guest_toolchain(install)?;
    let in_python = python::plugins(&cargo::root())?;
    // The demo names its plugins, and needs no Python.
    if in_python.iter().any(|(name, _)| names.is_empty() || names.contains(&name.as_str())) {
        install::python(install)?;
    }
    install::node(install)?;
    println!("building the plugins into target/plugins (the first time takes two minutes)");
    let packages = names.iter().map(|name| (*name).to_owned()).collect();
    build_all(&cargo::root(), &Options { toolchain: Some(toolchain), output: Output::OnFailure, packages })
}
