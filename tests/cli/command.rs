//! Running the command in a folder of its own, without the variables of this machine.

#![expect(clippy::unwrap_used, reason = "the machinery of the tests fails the test")]

use std::{
    ffi::OsStr,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use larder_tests::larder_binary;
use tempfile::TempDir;

/// A working folder and the command in it.
pub(crate) struct Larder {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Larder {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// With a configuration `larder.yaml`.
    pub(crate) fn with_config(yaml: &str) -> Self {
        let larder = Self::new();
        larder.write("larder.yaml", yaml);
        larder
    }

    pub(crate) fn with_variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap()
    }

    pub(crate) fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Run {
        self.run_with(arguments, b"")
    }

    /// With something on standard input.
    pub(crate) fn run_with(&self, arguments: &[impl AsRef<OsStr>], input: &[u8]) -> Run {
        let mut child = Command::new(larder_binary())
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // A command that reads no input closes its end; that is no failure of the test.
        let feeding = std::thread::spawn(move || stdin.write_all(&input).is_ok());
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap();
        Run {
            code: output.status.code().expect("it was not killed"),
            out: output.stdout,
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A run that must succeed, and says nothing on stderr.
    pub(crate) fn done(&self, arguments: &[impl AsRef<OsStr>]) -> String {
        let run = self.run(arguments);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.text());
        run.text()
    }

    /// A run that must fail with this code, and say all of this on stderr.
    pub(crate) fn refused(&self, arguments: &[impl AsRef<OsStr>], code: i32, says: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, code, "{}", run.err);
        assert!(run.out.is_empty(), "{}", run.text());
        for part in says {
            assert!(run.err.contains(part), "no `{part}` in: {}", run.err);
        }
        // Once, and no backtrace.
        assert!(run.err.starts_with("larder: ") && run.err.lines().count() <= 2, "{}", run.err);
        run.err
    }
}

impl Run {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}
