//! Which compiler builds the guests.
//!
//! rustup's own, where it has the target. Where no Rust distribution server can be reached, Debian's packages do
//! it with the same sources: their compiler, their std sources compiled on the spot, their WASI libc, and the two
//! linkers that every rustup toolchain brings along.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{TARGET, environment};

/// Names one of `installed` and `debian`, to force it.
const CHOICE: &str = "LARDER_GUEST_TOOLCHAIN";

/// What Debian's packages must have put here.
const DEBIAN_FILES: [&str; 4] = [
    "/usr/bin/cargo",
    "/usr/bin/rustc",
    "/usr/lib/rustlib/src/rust/library/Cargo.lock",
    "/usr/lib/wasm32-wasi/libc.a",
];

/// The packages that bring [`DEBIAN_FILES`].
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "wasi-libc"];

/// A compiler for the guests.
#[derive(Debug, Clone)]
pub enum Toolchain {
    /// The one that runs, which has the target installed.
    Installed {
        /// Its cargo.
        cargo: OsString,
    },
    /// Debian's, with std built from its sources.
    Debian {
        /// Makes a component of what `wasm_ld` linked.
        component_ld: PathBuf,
        /// Links.
        wasm_ld: PathBuf,
    },
}

/// A command that brings a toolchain, for a person to type or for [`Install::run`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// The program and its arguments.
    pub command: Vec<String>,
}

impl Install {
    /// What can be tried where [`Toolchain::find`] finds nothing, best first.
    pub fn candidates() -> Vec<Install> {
        let mut found = Vec::new();
        let words = |line: &str| Install { command: line.split(' ').map(str::to_owned).collect() };
        if output("rustup", &["--version"]).is_ok() {
            found.push(words(&format!("rustup target add {TARGET}")));
        }
        if Path::new("/usr/bin/apt-get").exists() {
            found.push(words(&format!(
                "apt-get install -y --no-install-recommends {}",
                DEBIAN_PACKAGES.join(" ")
            )));
        }
        found
    }

    /// Runs the command.
    ///
    /// # Errors
    /// Text that says how it ended.
    pub fn run(&self) -> Result<(), String> {
        let (program, arguments) = self.command.split_first().ok_or("an empty command")?;
        let mut command = Command::new(program);
        environment::clean(&mut command);
        let status = command.args(arguments).status().map_err(|e| format!("{self}: {e}"))?;
        if status.success() { Ok(()) } else { Err(format!("{self}: {status}")) }
    }
}

impl std::fmt::Display for Install {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.command.join(" "))
    }
}

impl Toolchain {
    /// The first that is there, or the one that `LARDER_GUEST_TOOLCHAIN` names.
    ///
    /// # Errors
    /// Text with the commands that would bring one.
    pub fn find() -> Result<Self, String> {
        let choice = env::var(CHOICE).unwrap_or_default();
        let found = match choice.as_str() {
            "" => Self::installed().or_else(|_| Self::debian()),
            "installed" => Self::installed(),
            "debian" => Self::debian(),
            other => return Err(format!("{CHOICE}={other}: it is `installed` or `debian`")),
        };
        found.map_err(|why| {
            let mut text = format!("no compiler for {TARGET}: {why}; one of these brings it:");
            for install in Install::candidates() {
                text.push_str(&format!("\n  {install}"));
            }
            text
        })
    }

    /// [`Toolchain::find`], and where nothing is found, the [`Install::candidates`] in their order, each announced
    /// by `say` in one line before it runs.
    ///
    /// # Errors
    /// Text that says what is missing after all of them were tried.
    pub fn find_or_install(say: &mut dyn FnMut(&str)) -> Result<Self, String> {
        if let Ok(found) = Self::find() {
            return Ok(found);
        }
        for install in Install::candidates() {
            say(&format!("the plugins need a compiler for {TARGET}: {install}"));
            match install.run() {
                Ok(()) => match Self::find() {
                    Ok(found) => return Ok(found),
                    Err(why) => say(&why),
                },
                Err(why) => say(&why),
            }
        }
        Self::find()
    }

    /// What its target folder is called after.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Installed { .. } => "installed",
            Self::Debian { .. } => "debian",
        }
    }

    /// A cargo in a clean environment.
    pub(crate) fn cargo(&self) -> Command {
        match self {
            Self::Installed { cargo } => {
                let mut command = Command::new(cargo);
                environment::clean(&mut command);
                command
            }
            Self::Debian { component_ld, wasm_ld } => {
                let mut command = Command::new("/usr/bin/cargo");
                environment::clean(&mut command);
                let flags = format!(
                    "-Clink-self-contained=no -Lnative=/usr/lib/wasm32-wasi -Clink-arg=--wasm-ld-path={}",
                    wasm_ld.display()
                );
                command
                    .env_remove("RUSTUP_TOOLCHAIN")
                    // Debian's compiler is a stable one; `-Z build-std` asks for this.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("CARGO_TARGET_WASM32_WASIP2_LINKER", component_ld)
                    .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", flags);
                command
            }
        }
    }

    /// What `cargo build` needs besides.
    pub(crate) fn arguments(&self) -> &'static [&'static str] {
        match self {
            Self::Installed { .. } => &[],
            // Without std's own backtraces there is no gimli, object and addr2line to compile.
            Self::Debian { .. } => &["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"],
        }
    }

    fn installed() -> Result<Self, String> {
        let folder = output(rustc(), &["--print", "target-libdir", "--target", TARGET])?;
        let is_std = |name: OsString| {
            name.to_str().is_some_and(|name| name.starts_with("libstd-") && name.ends_with(".rlib"))
        };
        let entries = fs::read_dir(&folder).map_err(|_| format!("{TARGET} is not installed"))?;
        if !entries.flatten().any(|entry| is_std(entry.file_name())) {
            return Err(format!("{TARGET} has no std in {folder}"));
        }
        Ok(Self::Installed { cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()) })
    }

    fn debian() -> Result<Self, String> {
        if let Some(missing) = DEBIAN_FILES.iter().find(|file| !Path::new(file).exists()) {
            return Err(format!("{TARGET} is not installed, and of Debian's packages {missing} is missing"));
        }
        let version = output(rustc(), &["-vV"])?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let linkers = PathBuf::from(output(rustc(), &["--print", "sysroot"])?);
        let linkers = linkers.join("lib/rustlib").join(host.unwrap_or_default()).join("bin");
        let home = PathBuf::from(env::var_os("HOME").unwrap_or_default());
        let first = |candidates: &[PathBuf]| candidates.iter().find(|path| path.exists()).cloned();
        let component_ld =
            first(&[linkers.join("wasm-component-ld"), home.join(".cargo/bin/wasm-component-ld")])
                .ok_or("there is no wasm-component-ld (cargo install wasm-component-ld)")?;
        let wasm_ld =
            first(&[linkers.join("gcc-ld/wasm-ld"), "/usr/bin/wasm-ld-19".into(), "/usr/bin/wasm-ld".into()])
                .ok_or("there is no wasm-ld (apt-get install lld-19)")?;
        Ok(Self::Debian { component_ld, wasm_ld })
    }
}

/// The outer compiler: the one that cargo names, else rustup's.
fn rustc() -> OsString {
    env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

fn output(program: impl Into<OsString>, arguments: &[&str]) -> Result<String, String> {
    let program = program.into();
    let done = Command::new(&program).args(arguments).output();
    let done = done.map_err(|e| format!("{}: {e}", program.display()))?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).trim().to_owned());
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}
