//! `fuzz TARGET ITERATIONS`: spoils inputs of a target, as many as asked for. `cargo xtask fuzz` runs it.

use std::{error::Error, process::ExitCode};

use larder_tests::fuzz::{Target, seed};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [target, iterations] = &arguments[..] else {
        return Err("what is needed: a target, and a number of iterations".into());
    };
    let known = Target::ALL.into_iter().find(|known| known.name() == target);
    let target = known.ok_or_else(|| {
        format!("no target is called {target:?}; there are {}", Target::ALL.map(Target::name).join(", "))
    })?;
    target.run(seed(), iterations.parse()?);
    Ok(ExitCode::SUCCESS)
}
