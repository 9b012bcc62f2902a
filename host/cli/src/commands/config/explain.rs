//! `larder config explain`.

use std::io::Write;

use crate::{args::Place, failure::Failure, open};

pub(super) fn run(place: &Place) -> Result<(), Failure> {
    let plan = open::config(place)?.plan()?;
    Ok(write!(std::io::stdout().lock(), "{plan}")?)
}
