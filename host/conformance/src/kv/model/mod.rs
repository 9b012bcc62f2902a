//! Random histories, played on the subject and on [`MemoryKv`](larder_core::MemoryKv) side by side,
//! on one clock: whatever the two answer must be the same.
//!
//! Versions are opaque, so they are compared by what they promise: the subject's is new exactly
//! where the model's is. A history that fails is cut down to the shortest one that still fails, and
//! printed with its seed.

use larder_core::Description;

use super::{
    Options, Subject,
    case::{Failure, Verdict},
    random::Random,
};

mod player;
mod shrink;
mod step;

use player::Player;
use step::Step;

pub(super) const FEATURE: &str = "model";
pub(super) const NAME: &str = "random histories go as on the model";

/// Plays as many histories as the options say.
pub(super) async fn run(subject: &dyn Subject, options: &Options, description: Description) -> Verdict {
    for run in 0..u64::from(options.model_runs) {
        // Another stream of numbers for each run; adding would make them overlap.
        let mut random = Random::new(Random::new(options.seed ^ run).next());
        let mut steps: Vec<Step> =
            (0..options.model_steps).map(|_| Step::random(&mut random, description)).collect();
        if let Err(failed) = play(subject, &steps).await {
            steps.truncate(failed.steps_played);
            let (steps, failed) = shrink::shortest(subject, steps, failed).await;
            return Err(report(options.seed, run, &steps, &failed));
        }
    }
    Ok(())
}

/// Where a history failed.
struct Failed {
    /// Steps up to the one that failed, and with it.
    steps_played: usize,
    seen: String,
}

/// Plays a history on an empty store.
async fn play(subject: &dyn Subject, steps: &[Step]) -> Result<(), Failed> {
    let failed_at = |steps_played| move |Failure(seen)| Failed { steps_played, seen };
    let mut player = Player::new(subject).await.map_err(failed_at(0))?;
    for (i, step) in steps.iter().enumerate() {
        player.play(step).await.map_err(failed_at(i + 1))?;
    }
    player.compare_everything().await.map_err(failed_at(steps.len()))
}

fn report(seed: u64, run: u64, steps: &[Step], failed: &Failed) -> Failure {
    use std::fmt::Write;

    let mut text = format!("{}\nthe shortest history that shows it (seed {seed}, run {run}):", failed.seen);
    for step in steps {
        let written = write!(text, "\n  {step}");
        debug_assert!(written.is_ok(), "writing into a string does not fail");
    }
    Failure(text)
}
