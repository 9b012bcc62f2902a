//! How a command ends that did not succeed.

use std::{io, process::ExitCode};

use larder::{Error, ErrorKind};

use crate::exit;

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error of larder.
    Store(Error),
    /// There is nothing of that name. Said on stderr, and by the exit code.
    NotFound(String),
    /// A check does not hold; what does not was printed already.
    CheckFailed,
    /// A local file or a standard stream.
    Local(String, io::Error),
    /// Whoever reads our output has enough of it.
    Closed,
}

impl Failure {
    /// Says once, on stderr, what was wrong, where, and what to do.
    #[expect(clippy::print_stderr, reason = "this is where the command speaks")]
    pub(crate) fn print(&self) {
        match self {
            Self::Store(error) => {
                eprintln!("larder: {}", error.chain());
                if let Some(advice) = advice(error) {
                    eprintln!("larder: {advice}");
                }
            }
            Self::NotFound(what) => eprintln!("larder: not found: {what}"),
            Self::Local(what, error) => eprintln!("larder: {what}: {error}"),
            Self::CheckFailed | Self::Closed => {}
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Store(error) => exit::code(error.kind()),
            Self::NotFound(_) | Self::CheckFailed => exit::NEGATIVE,
            Self::Local(..) => exit::LOCAL,
            Self::Closed => 0,
        })
    }

    /// An error about a local file.
    pub(crate) fn local(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Local(what.into(), error)
    }
}

/// What to do, where the error itself does not say it.
fn advice(error: &Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::Conflict => Some("nothing was written; read again and decide"),
        ErrorKind::Unavailable => {
            Some("try again later; if another process has the store open, end it first")
        }
        ErrorKind::Timeout if error.is_effect_unknown() => {
            Some("read back whether it was written before trying again")
        }
        ErrorKind::Corrupt => {
            Some("the stored bytes are damaged and were left as they are; restore from a backup")
        }
        ErrorKind::Unsupported => Some("choose another store or leave the option out"),
        _ => None,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// Of standard output, unless somebody said otherwise.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Local("standard output".to_owned(), error),
        }
    }
}
