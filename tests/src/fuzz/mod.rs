//! Inputs that nobody would write, for what reads untrusted bytes: the loader of components, the conversion of what they
//! answer, the configuration.
//!
//! Right inputs are taken and spoiled, by a seed that is printed and can be given again with `LARDER_SEED`. A target
//! never panics and always ends; errors are what it is asked for. The suite of plugins runs each briefly, `cargo xtask
//! fuzz TARGET --iterations N` for as long as is wanted. A fuzzer that is guided by coverage would need a nightly
//! compiler, which larder does not ask for.

mod components;
mod configurations;
mod spoil;

use rand::{SeedableRng as _, rngs::StdRng};

/// What is fuzzed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Components, from bytes to what the loader says of them.
    Components,
    /// Components whose code was spoiled, called: what they answer goes through the conversion.
    Answers,
    /// YAML and TOML, from text to the plan of a host.
    Configurations,
}

/// What came of the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Inputs that were taken.
    pub accepted: u64,
    /// Inputs, or calls, that were refused with an error.
    pub refused: u64,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Components, Self::Answers, Self::Configurations];

    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Components => "components",
            Self::Answers => "answers",
            Self::Configurations => "configurations",
        }
    }

    /// Tries so many inputs, the same ones for the same seed.
    ///
    /// # Panics
    /// Where the target does, after the number of the input was printed; where the corpus can't be read.
    pub fn run(self, seed: u64, iterations: u64) -> Tally {
        let mut random = StdRng::seed_from_u64(seed);
        let tally = match self {
            Self::Components => components::load(&mut random, iterations),
            Self::Answers => components::call(&mut random, iterations),
            Self::Configurations => configurations::read(&mut random, iterations),
        };
        tell(&format!(
            "{}: LARDER_SEED={seed}, {iterations} inputs, {} accepted, {} refused",
            self.name(),
            tally.accepted,
            tally.refused
        ));
        tally
    }
}

/// The seed of `LARDER_SEED`, or else a new one, printed before anything can go wrong.
///
/// # Panics
/// Where `LARDER_SEED` is no number.
pub fn seed() -> u64 {
    let seed = match std::env::var("LARDER_SEED") {
        Ok(seed) => seed.parse().expect("LARDER_SEED is a number"),
        Err(_) => larder_core::Clock::now(&larder_core::SystemClock).0,
    };
    tell(&format!("LARDER_SEED={seed}"));
    seed
}

#[expect(clippy::print_stdout, reason = "the seed is needed to replay a run")]
fn tell(line: &str) {
    println!("{line}");
}

/// Runs one input, and says which it was where it panics.
fn guarded<T>(number: u64, input: &[u8], run: impl FnOnce() -> T) -> T {
    struct Guard<'a>(u64, &'a [u8]);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let path = crate::target_dir().join("fuzz-input");
                let kept = std::fs::write(&path, self.1);
                tell(&format!("input {} panicked; kept in {}: {kept:?}", self.0, path.display()));
            }
        }
    }
    let _guard = Guard(number, input);
    run()
}
