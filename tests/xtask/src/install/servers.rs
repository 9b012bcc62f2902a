//! The servers that suites start: Redis, PostgreSQL, memcached and etcd from Debian's packages, moto from PyPI.
//!
//! The suites start servers of their own, on free ports and in folders that go with them. So a package only has to
//! bring its programs: the service that it would begin is kept from starting while it installs, and from being there
//! after the next start of the machine.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{is_root, with_sudo};
use crate::{Install, Outcome, cargo};

/// moto and its version: a second opinion on S3 that is the same on every machine.
const MOTO: &str = "moto[server]==5.2.5";

/// Where moto is installed, below the target folder; the suites look there.
const MOTO_VENV: &str = "moto-venv";

/// Where Debian keeps the programs of PostgreSQL, a folder for each version.
const POSTGRES_FOLDERS: &str = "/usr/lib/postgresql";

/// A server that a suite starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Redis,
    Postgres,
    Memcached,
    Etcd,
    Moto,
}

/// All of them.
pub(crate) const ALL: [Server; 5] =
    [Server::Redis, Server::Postgres, Server::Memcached, Server::Etcd, Server::Moto];

/// Makes sure of these servers.
///
/// # Errors
/// Which are missing, where they may not or could not be installed, and what to type.
pub(crate) fn servers(needed: &[Server], install: Install) -> Outcome {
    let missing: Vec<Server> = needed.iter().copied().filter(|server| !server.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().filter_map(|server| server.package()).collect();
    let moto = missing.contains(&Server::Moto);
    let by_hand = by_hand(&packages, moto);
    if install.no_install {
        return Err(format!("{} missing, which the suites start; type:\n{by_hand}", named(&missing)));
    }
    if !packages.is_empty() {
        println!("installing servers for the suites, without their services: {}", packages.join(" "));
        packaged(&packages)?;
    }
    if moto {
        println!("installing an S3 server for the suites into target/{MOTO_VENV} (a minute, once): {MOTO}");
        python()?;
    }
    let still: Vec<Server> = missing.into_iter().filter(|server| !server.is_there()).collect();
    if still.is_empty() {
        return Ok(());
    }
    Err(format!("{} still missing after the installation; by hand:\n{by_hand}", named(&still)))
}

impl Server {
    fn is_there(self) -> bool {
        match self {
            Self::Redis => on_path("redis-server"),
            Self::Postgres => has_postgres(),
            Self::Memcached => on_path("memcached"),
            Self::Etcd => on_path("etcd"),
            Self::Moto => fs::read_to_string(moto_stamp()).is_ok_and(|version| version == MOTO),
        }
    }

    /// The Debian package that brings what is missing of it.
    fn package(self) -> Option<&'static str> {
        match self {
            Self::Redis => Some("redis-server"),
            Self::Postgres => Some("postgresql"),
            Self::Memcached => Some("memcached"),
            Self::Etcd => Some("etcd-server"),
            Self::Moto => (!makes_venvs()).then_some("python3-venv"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Postgres => "PostgreSQL",
            Self::Memcached => "memcached",
            Self::Etcd => "etcd",
            Self::Moto => "moto",
        }
    }
}

fn named(servers: &[Server]) -> String {
    let names: Vec<&str> = servers.iter().map(|server| server.name()).collect();
    format!("{} {}", names.join(" and "), if names.len() == 1 { "is" } else { "are" })
}

fn by_hand(packages: &[&str], moto: bool) -> String {
    let mut lines = Vec::new();
    if !packages.is_empty() {
        lines.push(format!("  apt-get install {}", packages.join(" ")));
    }
    if moto {
        let venv = format!("target/{MOTO_VENV}");
        lines.push(format!(
            "  python3 -m venv {venv} && {venv}/bin/pip install '{MOTO}' && printf %s '{MOTO}' > {venv}/installed"
        ));
    }
    lines.join("\n")
}

/// What installs packages: one shell, so that it is one command for `sudo`, and cleans up behind itself also where it
/// is interrupted. A machine that forbids services to start while packages are installed keeps its own rule.
const PACKAGES_SCRIPT: &str = r#"
set -eu
export DEBIAN_FRONTEND=noninteractive
rule=/usr/sbin/policy-rc.d
if ! [ -e "$rule" ]; then
    trap 'rm -f "$rule"' EXIT
    trap 'exit 130' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' > "$rule"
    chmod 755 "$rule"
fi
apt-get update
apt-get install --yes --no-install-recommends "$@"
if [ -d /run/systemd/system ]; then
    for package in "$@"; do
        if systemctl cat "$package.service" > /dev/null 2>&1; then
            systemctl disable "$package.service"
        fi
    done
fi
"#;

/// Installs packages without starting the services that some of them bring.
pub(super) fn packaged(packages: &[&str]) -> Outcome {
    if !on_path("apt-get") {
        return Err(format!(
            "this machine has no apt-get, from which {} would come; install what it calls them by hand",
            packages.join(" ")
        ));
    }
    let script = ["sh", "-c", PACKAGES_SCRIPT, "sh"].map(str::to_owned).to_vec();
    let line = if is_root() { script } else { with_sudo(script) };
    let (program, arguments) = line.split_first().ok_or("an empty command")?;
    let mut command = Command::new(program);
    command.args(arguments).args(packages);
    // The script is no line to be shown; what it does has been said.
    let status = command.status().map_err(|error| format!("{program}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("apt-get install {}: {status}", packages.join(" "))) }
}

/// A folder with moto in it. The stamp is written last, so that half an installation counts as none.
fn python() -> Outcome {
    let venv = moto_venv();
    match fs::remove_file(moto_stamp()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
        _ => {}
    }
    cargo::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let pip = ["install", "--quiet", "--disable-pip-version-check", MOTO];
    cargo::run(Command::new(venv.join("bin").join("pip")).args(pip))?;
    fs::write(moto_stamp(), MOTO).map_err(|error| format!("{}: {error}", moto_stamp().display()))
}

fn moto_venv() -> PathBuf {
    cargo::target().join(MOTO_VENV)
}

fn moto_stamp() -> PathBuf {
    moto_venv().join("installed")
}

/// Debian splits off the part of Python that fills a virtual environment.
fn makes_venvs() -> bool {
    cargo::output(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_ok()
}

fn has_postgres() -> bool {
    let versions = fs::read_dir(POSTGRES_FOLDERS).into_iter().flatten().flatten();
    let is_server = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    versions.map(|version| version.path().join("bin")).any(|folder| is_server(&folder))
        || (on_path("initdb") && on_path("postgres"))
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_commands() {
        assert_eq!(named(&[Server::Redis]), "redis-server is");
        assert_eq!(named(&ALL), "redis-server and PostgreSQL and memcached and etcd and moto are");
        let text = by_hand(&["redis-server", "postgresql"], true);
        assert!(text.contains("apt-get install redis-server postgresql\n") && text.contains(MOTO), "{text}");
    }
}
