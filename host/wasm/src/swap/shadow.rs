//! Reads that both generations are asked before the switch.
//!
//! A call that is part of the sample leaves its question in a queue and goes on; the swap itself asks the old generation,
//! the new one, and the old one again. So callers wait for nothing, and a write between two reads is no false alarm: where
//! the two answers of the old generation differ, or the new one's difference goes away, the question is asked anew. An error
//! names the operation and a hash of the key, never a value.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use larder_core::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{ShadowOptions, Swappable};
use crate::{
    generation::{Generation, Turn},
    instance::Exports,
    job::Job,
};

/// Questions that wait to be asked; more are dropped.
const QUEUE_MAX: usize = 64;

/// How many questions are asked for each that is wanted: those about data that changes all the time tell nothing.
const ASKED_FACTOR: u32 = 4;

/// How often a question is asked where data changes in between, or an answer differs.
const ATTEMPTS_MAX: u32 = 5;

/// Takes a sample of the reads that arrive.
pub(super) struct Sampler<X: Exports> {
    probes: mpsc::Sender<X::Probe>,
    one_in: u32,
    turn: Arc<AtomicU32>,
}

impl<X: Exports> Clone for Sampler<X> {
    fn clone(&self) -> Self {
        Self { probes: self.probes.clone(), one_in: self.one_in, turn: Arc::clone(&self.turn) }
    }
}

impl<X: Exports> Sampler<X> {
    pub(super) fn new(options: &ShadowOptions) -> (Self, mpsc::Receiver<X::Probe>) {
        let (probes, asked) = mpsc::channel(QUEUE_MAX);
        (Self { probes, one_in: options.one_in.max(1), turn: Arc::default() }, asked)
    }

    /// Leaves a question, if it is a read's turn and the queue has room.
    pub(super) fn take(&self, probe: impl FnOnce() -> Option<X::Probe>) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        if turn.is_multiple_of(self.one_in)
            && let Ok(room) = self.probes.try_reserve()
            && let Some(probe) = probe()
        {
            room.send(probe);
        }
    }
}

/// Compares answers to what is asked until there are enough, or the time is over. Says how many were alike.
pub(super) async fn compare<X: Swappable>(
    mut asked: mpsc::Receiver<X::Probe>,
    options: &ShadowOptions,
    old: &Arc<Generation<X>>,
    new: &Arc<Generation<X>>,
) -> Result<u32> {
    let mut until = std::pin::pin!(tokio::time::sleep(options.time_max));
    let (mut alike, mut asked_max) = (0, options.reads_max.saturating_mul(ASKED_FACTOR));
    while alike < options.reads_max && asked_max > 0 {
        asked_max -= 1;
        let probe = tokio::select! {
            biased;
            () = &mut until => break,
            probe = asked.recv() => match probe {
                Some(probe) => probe,
                None => break,
            },
        };
        alike += compare_one(&probe, old, new).await?;
    }
    Ok(alike)
}

/// 1 where the answers are alike, 0 where that can't be told.
async fn compare_one<X: Swappable>(
    probe: &X::Probe,
    old: &Arc<Generation<X>>,
    new: &Arc<Generation<X>>,
) -> Result<u32> {
    let about = (&old.description, &new.description);
    let mut different = None;
    for _ in 0..ATTEMPTS_MAX {
        // What the old one can't answer says nothing about the new one.
        let Ok(before) = X::ask(old, probe).await else { return Ok(0) };
        let answer = X::ask(new, probe).await;
        let found = match &answer {
            Ok(answer) => X::difference(about, &before, answer),
            Err(_) => Some("error"),
        };
        if found.is_none() {
            return Ok(1);
        }
        let Ok(after) = X::ask(old, probe).await else { return Ok(0) };
        different = match X::difference((about.0, about.0), &before, &after) {
            None => found.map(|what| (what, answer.err())),
            Some(_) => None,
        };
    }
    let Some((what, cause)) = different else { return Ok(0) };
    let (operation, name) = X::name(probe);
    let error =
        Error::new(ErrorKind::Plugin, "the new component answers a read otherwise than the one that serves")
            .with("read", operation)
            .with("key_sha256", hash(name))
            .with("differs", what)
            .with("component", &new.source);
    Err(match cause {
        Some(cause) => error.caused_by(cause),
        None => error,
    })
}

/// Enough of a hash to find the key by, for who knows it.
fn hash(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Runs a job in a generation, whether it serves or not.
pub(crate) async fn ask<X: Exports, J: Job<X>>(generation: &Arc<Generation<X>>, job: J) -> Result<J::Output> {
    match Arc::clone(generation).call(job).await {
        Turn::Done(done) => done,
        Turn::Again(_) => Err(Error::new(ErrorKind::Unavailable, "the generation is gone")),
    }
}
