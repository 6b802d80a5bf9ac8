//! The progress bar of a deployment.

use decnet_engine::{Phase, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One bar whose label follows the phase; nothing where nobody watches.
pub(crate) struct Bar {
    bar: ProgressBar,
    phase: Option<Phase>,
}

impl Bar {
    pub(crate) fn new(shown: bool) -> Bar {
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        // The template is fixed and a test renders it; a plain bar would do as well.
        if let Ok(style) = ProgressStyle::with_template("{msg:<18} [{bar:40}] {pos}/{len}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Bar { bar, phase: None }
    }

    /// Shows a step.
    pub(crate) fn step(&mut self, step: Progress) {
        if self.phase != Some(step.phase) {
            self.phase = Some(step.phase);
            self.bar.set_message(step.phase.label());
        }
        self.bar.set_length(step.total as u64);
        self.bar.set_position(step.done as u64);
    }

    /// Takes the bar away.
    pub(crate) fn clear(self) {
        self.bar.finish_and_clear();
    }
}
