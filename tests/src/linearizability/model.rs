//! What one key may answer, if everything happens one after the other.

use std::collections::HashMap;

use larder_core::{Expectation, Version};

use super::{Answer, Call, Operation};

/// What a key holds.
pub(super) type State = Option<i64>;

/// What a store without versions answers: that it declares none is held to by the other cases.
const UNVERSIONED: Version = Version(0);

/// Which number each version belongs to.
#[derive(Debug, Default)]
pub(super) struct Versions {
    numbers: HashMap<Version, i64>,
    versions: HashMap<i64, Version>,
}

impl Versions {
    /// Reads them out of all answers.
    ///
    /// # Errors
    /// A version of two numbers, or a number of two versions: something was written twice, or without a new version.
    pub(super) fn of(operations: &[Operation]) -> Result<Self, String> {
        let mut found = Self::default();
        for operation in operations {
            let (number, version) = match (operation.call, operation.returned) {
                (_, Some((_, Answer::Seen(Some((number, version)))))) => (number, version),
                (Call::Put(_, number), Some((_, Answer::Written(version)))) => (number, version),
                _ => continue,
            };
            if version == UNVERSIONED {
                continue;
            }
            let (old_number, old_version) = (
                *found.numbers.entry(version).or_insert(number),
                *found.versions.entry(number).or_insert(version),
            );
            if old_number != number {
                return Err(format!(
                    "version {version} is that of {old_number} and of {number}: {operation}"
                ));
            }
            if old_version != version {
                return Err(format!(
                    "{number} was written twice, as {old_version} and {version}: {operation}"
                ));
            }
        }
        Ok(found)
    }

    fn holds(&self, condition: Option<Expectation>, state: State) -> bool {
        match condition {
            None => true,
            Some(Expectation::Absent) => state.is_none(),
            Some(Expectation::Present) => state.is_some(),
            // A version that no answer named belongs to nothing that was ever there.
            Some(Expectation::Version(version)) => {
                state.is_some() && self.numbers.get(&version).copied() == state
            }
        }
    }

    /// What the key holds after an operation; none where it can't have happened in this state, or where its effect is
    /// unknown and it would have none.
    pub(super) fn step(&self, state: State, operation: &Operation) -> Option<State> {
        let call = operation.call;
        let holds = self.holds(call.condition(), state);
        let Some((_, answer)) = operation.returned else {
            let after = self.after(state, call).filter(|_| holds)?;
            return (after != state).then_some(after);
        };
        match (call, answer) {
            (Call::Get, Answer::Seen(seen)) => (seen.map(|(number, _)| number) == state).then_some(state),
            (_, Answer::Conflict) => (!holds).then_some(state),
            (Call::Put(_, number), Answer::Written(_)) => holds.then_some(Some(number)),
            (Call::Delete(_), Answer::Deleted(found)) => (holds && found == state.is_some()).then_some(None),
            (Call::Add(..), Answer::Added(sum)) => {
                self.after(state, call).filter(|after| holds && *after == Some(sum))
            }
            _ => None,
        }
    }

    /// What a call makes of the state, if its condition holds and it succeeds.
    fn after(&self, state: State, call: Call) -> Option<State> {
        match call {
            Call::Get => None,
            Call::Put(_, number) => Some(Some(number)),
            Call::Delete(_) => Some(None),
            Call::Add(_, delta) => state.unwrap_or(0).checked_add(delta).map(Some),
        }
    }
}
