//! The suite `conformance`: ends with a table of backends by features, also in target/conformance.json.

use super::{Tally, runner};
use crate::{Outcome, cargo};

pub(super) fn run(tally: &mut Tally) -> Outcome {
    runner::binary("conformance", tally)?;
    let path = cargo::target().join("conformance.json");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("{text}");
    Ok(())
}
