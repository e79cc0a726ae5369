//! The record of a connection attempt: which step began and ended when.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Layer;

/// The steps of one connection attempt, shared by the layers that report to it.
///
/// The same record serves the debug log and the text of a timeout.
#[derive(Debug, Clone)]
pub struct Timeline {
    began: Instant,
    steps: Arc<Mutex<Vec<Step>>>,
}

/// One step of a connection attempt.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Step {
    /// Which part of the connection.
    pub layer: Layer,
    /// When it began, since the attempt began.
    pub began: Duration,
    /// When it ended; `None` while it is under way, and when the attempt failed with it.
    pub ended: Option<Duration>,
    /// What came of it: an address, a protocol version.
    pub detail: String,
}

/// A step under way; [`done`](Running::done) ends it.
#[derive(Debug)]
#[must_use]
pub(crate) struct Running {
    timeline: Timeline,
    index: usize,
}

impl Timeline {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), steps: Arc::default() }
    }

    pub(crate) fn step(&self, layer: Layer) -> Running {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.push(Step { layer, began: self.began.elapsed(), ended: None, detail: String::new() });
        Running { timeline: self.clone(), index: steps.len() - 1 }
    }

    /// Ends the steps that have failed, before they are tried again within the same attempt.
    pub(crate) fn end_failed(&self) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        for step in steps.iter_mut().filter(|step| step.ended.is_none()) {
            step.ended = Some(self.began.elapsed());
            step.detail = "failed".to_owned();
        }
    }

    /// The steps so far, in the order in which they began.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The step that holds the attempt up: the first that began and has not ended.
    pub(crate) fn waiting_for(&self) -> Option<Layer> {
        self.steps().iter().find(|step| step.ended.is_none()).map(|step| step.layer)
    }
}

impl Running {
    pub(crate) fn done(self, detail: impl Into<String>) {
        let mut steps = self.timeline.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let step = &mut steps[self.index];
        step.ended = Some(self.timeline.began.elapsed());
        step.detail = detail.into();
        log::debug!(
            "{}: {} after {:.1} ms",
            step.layer,
            step.detail,
            (self.timeline.began.elapsed() - step.began).as_secs_f64() * 1000.0
        );
    }
}
