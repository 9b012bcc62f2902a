//! What a case is: a sentence, what it needs, and the steps that show whether it is true.

use larder_core::{BoxFuture, Capabilities, Error};

use super::stage::Stage;

/// Cases about one feature: a column of the table.
pub(super) struct Group {
    pub(super) feature: &'static str,
    /// What every case of the group needs.
    pub(super) needs: Capabilities,
    pub(super) cases: &'static [Case],
}

/// A sentence of the contract and how to see whether it is true.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Needed besides what the group needs.
    pub(super) needs: Capabilities,
    /// Runs only where none of this is declared: the case is about a refusal.
    pub(super) lacks: Capabilities,
    pub(super) run: Steps,
}

type Steps = for<'a> fn(&'a Stage) -> BoxFuture<'a, Verdict>;

/// Whether a case held.
pub(super) type Verdict<T = ()> = Result<T, Failure>;

/// What was seen instead of what the contract says.
#[derive(Debug)]
pub(super) struct Failure(pub(super) String);

/// A case that needs nothing but what its group needs.
pub(super) const fn case(name: &'static str, run: Steps) -> Case {
    Case { name, needs: Capabilities::empty(), lacks: Capabilities::empty(), run }
}

impl Case {
    pub(super) const fn needs(mut self, needs: Capabilities) -> Self {
        self.needs = self.needs.union(needs);
        self
    }

    pub(super) const fn lacks(mut self, lacks: Capabilities) -> Self {
        self.lacks = self.lacks.union(lacks);
        self
    }
}

impl From<Error> for Failure {
    /// An error where the contract allows none.
    fn from(error: Error) -> Self {
        Self(format!("an error where there must be none: {}", error.chain()))
    }
}

/// Ends the case unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)+) => {
        if !$holds {
            return Err($crate::kv::case::Failure(format!($($seen)+)));
        }
    };
}

pub(super) use ensure;

/// Ends the case unless what was got is what was expected.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: T, expected: T) -> Verdict {
    ensure!(got == expected, "{what}: got {}, expected {}", brief(&got), brief(&expected));
    Ok(())
}

/// A value as text, cut where it gets too long for a report.
pub(super) fn brief(value: &dyn std::fmt::Debug) -> String {
    /// Enough for any small entry, and a line in a terminal or two.
    const CHARS_MAX: usize = 160;
    let text = format!("{value:?}");
    match text.char_indices().nth(CHARS_MAX) {
        None => text,
        Some((at, _)) => format!("{}… ({} bytes)", text.get(..at).unwrap_or_default(), text.len()),
    }
}
