//! Cuts a history that fails down to a short one that still fails: whole stretches first, then
//! single steps, then the parts of commits.

use super::{Failed, Step, play};
use crate::kv::Subject;

/// Histories played at most on the way: a defect is fixed from a short history, and one that is
/// nearly the shortest does as well.
const PLAYS_MAX: usize = 400;

/// The shortest history found, and how it fails. Where the history does not fail a second time, it
/// comes back as it is, and says so.
pub(super) async fn shortest(subject: &dyn Subject, steps: Vec<Step>, failed: Failed) -> (Vec<Step>, Failed) {
    let mut best = match play(subject, &steps).await {
        Err(again) => (steps, again),
        Ok(()) => {
            let seen = format!("{} (but not when it was played again)", failed.seen);
            return (steps, Failed { seen, ..failed });
        }
    };
    let mut plays = 0;
    loop {
        let length = best.0.len();
        let mut stretch = length / 2;
        while stretch > 0 {
            let mut at = 0;
            while at < best.0.len() {
                let shorter = without(&best.0, at, stretch);
                if !try_shorter(subject, shorter, &mut best, &mut plays).await {
                    at += stretch;
                }
            }
            stretch /= 2;
        }
        for at in 0..best.0.len() {
            while let Some(simpler) = simpler_at(&best.0, at) {
                let mut kept = false;
                for simpler in simpler {
                    kept |= try_shorter(subject, simpler, &mut best, &mut plays).await;
                    if kept {
                        break;
                    }
                }
                if !kept {
                    break;
                }
            }
        }
        if best.0.len() == length || plays >= PLAYS_MAX {
            return best;
        }
    }
}

/// Plays a history and keeps it if it fails.
async fn try_shorter(
    subject: &dyn Subject,
    mut steps: Vec<Step>,
    best: &mut (Vec<Step>, Failed),
    plays: &mut usize,
) -> bool {
    if *plays >= PLAYS_MAX {
        return false;
    }
    *plays += 1;
    match play(subject, &steps).await {
        Ok(()) => false,
        Err(failed) => {
            steps.truncate(failed.steps_played);
            *best = (steps, failed);
            true
        }
    }
}

fn without(steps: &[Step], at: usize, count: usize) -> Vec<Step> {
    steps.iter().take(at).chain(steps.iter().skip(at + count)).cloned().collect()
}

/// The history with one check or one write less in the commit at a position; none where there is
/// nothing to take away.
fn simpler_at(steps: &[Step], at: usize) -> Option<Vec<Vec<Step>>> {
    let Some(Step::Commit { checks, writes }) = steps.get(at) else { return None };
    let with = |step: Step| -> Vec<Step> {
        let mut steps = steps.to_vec();
        if let Some(place) = steps.get_mut(at) {
            *place = step;
        }
        steps
    };
    let mut simpler = Vec::new();
    for i in 0..checks.len() {
        let mut checks = checks.clone();
        checks.remove(i);
        simpler.push(with(Step::Commit { checks, writes: writes.clone() }));
    }
    if writes.len() > 1 {
        for i in 0..writes.len() {
            let mut writes = writes.clone();
            writes.remove(i);
            simpler.push(with(Step::Commit { checks: checks.clone(), writes }));
        }
    }
    (!simpler.is_empty()).then_some(simpler)
}
