//! The search for an order. Each step takes one of the operations that may come next: one that was called before any of
//! those that are left has returned. Where none fits, the last step is taken back. A configuration, what was taken and
//! what the key then holds, is tried once.
#![expect(
    clippy::indexing_slicing,
    reason = "the indices are those of the operations that the search is made of"
)]

use std::{collections::HashSet, fmt};

use super::{
    Operation,
    model::{State, Versions},
};

/// Most configurations that are tried for one key. A history of a few hundred operations takes about as many as it has
/// operations; one that takes this many has too much at once, and counts as one that does not hold.
const CONFIGURATIONS_MAX: usize = 1_000_000;

/// Most operations that a violation shows.
const SHOWN_MAX: usize = 24;

/// Why a history is not linearizable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    key: String,
    what: String,
}

impl Violation {
    fn new(what: String) -> Self {
        Self { key: String::new(), what }
    }

    pub(super) fn of_key(self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// Which operations were taken, a bit for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Taken(Box<[u64]>);

impl Taken {
    fn none(of: usize) -> Self {
        Self(vec![0; of.div_ceil(64)].into())
    }

    fn has(&self, i: usize) -> bool {
        self.0[i / 64] >> (i % 64) & 1 == 1
    }

    fn flip(&mut self, i: usize) {
        self.0[i / 64] ^= 1 << (i % 64);
    }
}

/// A step that was taken: which operation, and what was held before.
struct Step {
    operation: usize,
    before: State,
}

/// Finds an order for the operations of one key.
pub(super) fn check(operations: &[Operation]) -> Result<(), Violation> {
    let versions = Versions::of(operations).map_err(Violation::new)?;
    let mut search = Search::new(operations);
    while search.left > 0 {
        let stepped = match search.next(&versions) {
            Some((operation, after)) => {
                search.step(operation, after);
                true
            }
            None => search.back(),
        };
        if !stepped {
            return Err(search.no_order());
        }
        if search.tried.len() > CONFIGURATIONS_MAX {
            let count = operations.len();
            return Err(Violation::new(format!(
                "no order was found for {count} operations within the limit"
            )));
        }
    }
    Ok(())
}

struct Search {
    /// What has an answer comes first: what has none need not have happened at all.
    operations: Vec<Operation>,
    answered: usize,
    taken: Taken,
    state: State,
    /// Answered operations that are not taken yet.
    left: usize,
    steps: Vec<Step>,
    tried: HashSet<(Taken, State)>,
    /// Operations before this one have been tried here.
    from: usize,
    /// The furthest that the search came.
    deepest: (usize, Taken, State),
}

impl Search {
    fn new(operations: &[Operation]) -> Self {
        let mut operations = operations.to_vec();
        operations.sort_by_key(|operation| (operation.returned.is_none(), operation.called));
        let answered = operations.iter().filter(|operation| operation.returned.is_some()).count();
        let taken = Taken::none(operations.len());
        Self {
            answered,
            state: None,
            left: answered,
            steps: Vec::new(),
            tried: HashSet::new(),
            from: 0,
            deepest: (answered, taken.clone(), None),
            operations,
            taken,
        }
    }

    /// The next operation that fits here and leads to where the search has not been, and what it leaves.
    fn next(&mut self, versions: &Versions) -> Option<(usize, State)> {
        for i in candidates(&self.operations, &self.taken).into_iter().filter(|i| *i >= self.from) {
            let Some(after) = versions.step(self.state, &self.operations[i]) else { continue };
            let mut taken = self.taken.clone();
            taken.flip(i);
            if self.tried.insert((taken, after)) {
                return Some((i, after));
            }
        }
        None
    }

    fn step(&mut self, operation: usize, after: State) {
        self.steps.push(Step { operation, before: self.state });
        self.taken.flip(operation);
        self.left -= usize::from(self.operations[operation].returned.is_some());
        (self.state, self.from) = (after, 0);
        if self.left < self.deepest.0 {
            self.deepest = (self.left, self.taken.clone(), self.state);
        }
    }

    /// Takes the last step back; says whether there was one.
    fn back(&mut self) -> bool {
        let Some(Step { operation, before }) = self.steps.pop() else { return false };
        self.taken.flip(operation);
        self.left += usize::from(self.operations[operation].returned.is_some());
        (self.state, self.from) = (before, operation + 1);
        true
    }

    fn no_order(&self) -> Violation {
        let (left, taken, state) = &self.deepest;
        let next = candidates(&self.operations, taken).into_iter().take(SHOWN_MAX);
        let next: Vec<String> = next.map(|i| format!("\n  {}", self.operations[i])).collect();
        Violation::new(format!(
            "no order explains the answers: after {} of {} operations it holds {state:?}, and none of these can come \
             next:{}",
            self.answered - left,
            self.answered,
            next.concat()
        ))
    }
}

/// What may come next: called before the first of those that are left has returned.
fn candidates(operations: &[Operation], taken: &Taken) -> Vec<usize> {
    let left = operations.iter().enumerate().filter(|(i, _)| !taken.has(*i));
    let returned = left.clone().filter_map(|(_, operation)| operation.returned.map(|(at, _)| at));
    let first = returned.min().unwrap_or(u64::MAX);
    left.filter(|(_, operation)| operation.called < first).map(|(i, _)| i).collect()
}
