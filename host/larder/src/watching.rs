//! Swapping a plugin when its file changes.
//!
//! Off unless a plugin's configuration has `swap.watch`. The file's size and time are looked at every so often; notices of
//! the system would miss network folders and files that are replaced by a rename. A change counts once the file has
//! stayed as it is from one look to the next, so that half a copy is no component. What can't be swapped to is logged and
//! left alone until it changes again; the component that serves goes on. The host owns the task, and ends it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use larder_wasm::Source;
use tokio::time::MissedTickBehavior;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::plugins::Plugins;

/// How often a file is looked at: a person who copies one there waits no longer than twice that.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The task that looks at files.
pub(crate) struct Watching {
    stop: CancellationToken,
    looking: AbortOnDropHandle<()>,
}

impl Watching {
    /// Watches the files of all plugins that want it; none where there are none.
    pub(crate) fn begin(plugins: &Arc<Plugins>) -> Option<Self> {
        let watched = plugins.watched();
        if watched.is_empty() {
            return None;
        }
        let stop = CancellationToken::new();
        let mut files: Vec<File> =
            watched.into_iter().map(|(plugin, path)| File::new(plugin, path)).collect();
        let (plugins, stopped) = (Arc::clone(plugins), stop.clone());
        let looking = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    () = stopped.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                for file in &mut files {
                    if file.has_settled(look(&file.path).await) {
                        tokio::select! {
                            biased;
                            () = stopped.cancelled() => return,
                            () = swap(&plugins, &file.plugin, &file.path) => {}
                        }
                    }
                }
            }
        });
        Some(Self { stop, looking: AbortOnDropHandle::new(looking) })
    }

    /// Stops looking. A swap that is under way is done then, or not.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        if let Err(error) = self.looking.await {
            tracing::error!(%error, "the task that watches plugins panicked");
        }
    }
}

async fn swap(plugins: &Plugins, plugin: &str, path: &Path) {
    let swapped = match plugins.swap_options(plugin) {
        Ok(options) => {
            let options = options.asked_by("file watch");
            plugins.swap_with(plugin, Source::file(path), &options).await
        }
        Err(error) => Err(error),
    };
    match swapped {
        Ok(swapped) if swapped.from == swapped.to => {}
        Ok(swapped) => {
            tracing::info!(plugin, to = swapped.to, "the file of a plugin changed, and it was swapped")
        }
        Err(error) => {
            tracing::warn!(
                plugin,
                "the file of a plugin changed, and what served before serves on: {}",
                error.chain()
            );
        }
    }
}

/// What a look at a file sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    size: u64,
    modified: Option<SystemTime>,
}

/// None of a file that is not there, or empty: it is about to be written.
async fn look(path: &Path) -> Option<Look> {
    let about = tokio::fs::metadata(path).await.ok()?;
    (about.is_file() && about.len() > 0).then(|| Look { size: about.len(), modified: about.modified().ok() })
}

/// A file that is watched.
struct File {
    plugin: String,
    path: PathBuf,
    /// As it was when it was last taken.
    taken: Option<Look>,
    /// As it was at the look before.
    last: Option<Look>,
}

impl File {
    fn new(plugin: String, path: PathBuf) -> Self {
        Self { plugin, path, taken: None, last: None }
    }

    /// Whether the file changed since it was taken, and stayed so since the look before. Then it counts as taken.
    fn has_settled(&mut self, look: Option<Look>) -> bool {
        let stays = look.is_some() && look == self.last;
        self.last = look;
        if !stays || look == self.taken {
            return false;
        }
        self.taken = look;
        // The first time it is mostly the component that serves; whether it changed since that was loaded, its digest tells.
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(size: u64) -> Option<Look> {
        Some(Look { size, modified: None })
    }

    #[test]
    fn a_file_counts_once_it_stays_as_it_is() {
        let mut file = File::new("p".into(), "p.wasm".into());
        let seen = [at(5), at(5), at(5), at(2), at(3), at(9), at(9), at(9)];
        let settled: Vec<bool> = seen.into_iter().map(|look| file.has_settled(look)).collect();
        assert_eq!(settled, [false, true, false, false, false, false, true, false]);
    }

    #[test]
    fn a_file_that_is_away_for_a_moment_is_no_change() {
        let mut file = File::new("p".into(), "p.wasm".into());
        let seen = [at(5), at(5), None, None, at(5), at(5)];
        let settled: Vec<bool> = seen.into_iter().map(|look| file.has_settled(look)).collect();
        assert_eq!(settled, [false, true, false, false, false, false]);
    }
}
