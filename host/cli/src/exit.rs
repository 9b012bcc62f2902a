//! What the exit codes mean. They are part of the interface: scripts depend on them.

use larder::ErrorKind;

/// Not found, or a check that does not hold.
pub(crate) const NEGATIVE: u8 = 1;
/// Reading standard input or a local file, or writing one, failed.
pub(crate) const LOCAL: u8 = 12;

/// The table for `--help`; `docs/cli.md` has it too.
pub(crate) const HELP: &str = "\
Exit codes:
   0  done                          6  unavailable: retry later
   1  not found; a check failed     7  timeout
   2  wrong usage                   8  denied
   3  invalid: fix the call         9  corrupt
   4  unsupported by the store     10  plugin failed
   5  conflict                     11  configuration
                                   12  a local file or stream";

/// The code of a kind of error.
pub(crate) fn code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Invalid => 3,
        ErrorKind::Unsupported => 4,
        ErrorKind::Conflict => 5,
        ErrorKind::Unavailable => 6,
        ErrorKind::Timeout => 7,
        ErrorKind::Denied => 8,
        ErrorKind::Corrupt => 9,
        ErrorKind::Plugin => 10,
        ErrorKind::Config => 11,
        // A kind that this command is too old to know.
        _ => 13,
    }
}
