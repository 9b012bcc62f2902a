//! The progress of a migration on a terminal: what, how many, how fast, and how long yet. Silent in a pipe.

use std::{fmt::Write, io::IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use larder::migrate::{Phase, Progress};

pub(super) struct Bar {
    bar: ProgressBar,
    is_shown: bool,
    phase: Option<Phase>,
}

impl Bar {
    pub(super) fn new() -> Self {
        let is_shown = std::io::stderr().is_terminal();
        let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bar: ProgressBar::with_draw_target(None, target), is_shown, phase: None }
    }

    /// Whether anybody can see it.
    pub(super) fn is_shown(&self) -> bool {
        self.is_shown
    }

    pub(super) fn show(&mut self, progress: &Progress) {
        if !self.is_shown {
            return;
        }
        if self.phase != Some(progress.phase) {
            self.phase = Some(progress.phase);
            self.begin(progress);
        }
        // Blobs are counted in bytes, since one may be most of the work; entries are counted.
        let (done, total) = match progress.bytes_total {
            Some(total) => (progress.bytes, Some(total)),
            None => (progress.entries, progress.entries_total),
        };
        match (progress.phase, total) {
            (Phase::Counting, _) => self.bar.set_position(progress.entries_total.unwrap_or_default()),
            (_, Some(total)) => {
                // What was written to the source since it was counted makes it more.
                self.bar.set_length(total.max(done));
                self.bar.set_position(done);
            }
            (_, None) => self.bar.set_position(done),
        }
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn begin(&self, progress: &Progress) {
        let template = match (progress.phase, progress.bytes_total, progress.entries_total) {
            (Phase::Counting, ..) => "counting   {spinner} {human_pos}",
            (Phase::Copying, Some(_), _) => {
                "copying    {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left"
            }
            (Phase::Verifying, Some(_), _) => {
                "verifying  {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left"
            }
            (Phase::Copying, None, Some(_)) => {
                "copying    {bar:30} {human_pos}/{human_len} {rate} {eta} left"
            }
            (Phase::Verifying, None, Some(_)) => {
                "verifying  {bar:30} {human_pos}/{human_len} {rate} {eta} left"
            }
            (Phase::Copying, None, None) => "copying    {spinner} {human_pos} {rate}",
            (Phase::Verifying, None, None) => "verifying  {spinner} {human_pos} {rate}",
        };
        self.bar.reset();
        if let Ok(style) = ProgressStyle::with_template(template) {
            let rate = |state: &ProgressState, out: &mut dyn Write| {
                // A bar that can't be drawn is no reason to end.
                write!(out, "{:.0}/s", state.per_sec()).unwrap_or_default();
            };
            self.bar.set_style(style.with_key("rate", rate));
        }
    }
}
