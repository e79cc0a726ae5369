//! The record of connection attempts: which step began and ended when, and what came of it.
//!
//! A client's [`Timelines`] hold a [`Timeline`] for each attempt. Their [`attempts`](Timelines::attempts) are data, to
//! [draw](Attempts::draw) or to look at.

mod attempt;
mod detail;
mod drawing;
mod history;

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

pub use self::attempt::{Attempt, Outcome, Step, StepState};
pub use self::detail::{Detail, utc};
pub use self::history::{Attempts, Timelines};
use crate::layer::Layer;
use crate::text::Chain;

/// The steps of one connection attempt, shared by the layers that report to it.
///
/// The same record serves the debug log, the text of a timeout, and the drawing of the attempts.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// For what is measured.
    began: Instant,
    /// For people, and to compare with other logs.
    began_at: SystemTime,
    record: Arc<Mutex<Record>>,
}

#[derive(Debug)]
struct Record {
    way: Option<String>,
    steps: Vec<Step>,
    outcome: Outcome,
}

/// A step under way; [`done`](Running::done) ends it. Dropped before that, it was given up.
#[derive(Debug)]
#[must_use]
pub struct Running {
    timeline: Timeline,
    index: usize,
}

impl Timeline {
    /// Begins the record of an attempt.
    #[must_use]
    pub fn start() -> Self {
        let record = Record { way: None, steps: Vec::new(), outcome: Outcome::UnderWay };
        Self { began: Instant::now(), began_at: SystemTime::now(), record: Arc::new(Mutex::new(record)) }
    }

    /// The proxy that was chosen, or none, and why.
    pub fn way(&self, way: String) {
        log::debug!("{way}");
        self.record().way = Some(way);
    }

    /// Begins a step.
    pub fn step(&self, layer: Layer) -> Running {
        self.begin(layer, None)
    }

    /// A step of a layer that there is twice, such as TLS with an `https://` proxy.
    pub fn step_named(&self, layer: Layer, name: &'static str) -> Running {
        self.begin(layer, Some(name))
    }

    fn begin(&self, layer: Layer, named: Option<&'static str>) -> Running {
        let mut record = self.record();
        let began = self.began.elapsed();
        record.steps.push(Step {
            layer,
            named,
            began,
            ended: None,
            state: StepState::UnderWay,
            detail: None,
        });
        Running { timeline: self.clone(), index: record.steps.len() - 1 }
    }

    /// The steps so far, in the order in which they began.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.record().steps.clone()
    }

    /// The step that holds the attempt up, or did when it was given up: the first that began and did not get done.
    pub fn waiting_for(&self) -> Option<Layer> {
        self.record().steps.iter().find(|step| step.state.is_open()).map(|step| step.layer)
    }

    /// What was seen of that step, if anything.
    pub fn waiting_after(&self) -> Option<String> {
        let record = self.record();
        let step = record.steps.iter().find(|step| step.state.is_open())?;
        step.detail.as_ref().map(ToString::to_string)
    }

    /// What was given up has failed, and is tried again within the same attempt.
    pub fn end_failed(&self, error: &(dyn StdError + 'static)) {
        for step in self.record().steps.iter_mut().filter(|step| step.state.is_open()) {
            step.fail(error, self.began.elapsed());
        }
    }

    /// The broker has accepted the connection.
    pub fn connected(&self) {
        self.record().outcome = Outcome::Connected { after: self.began.elapsed(), ended: None };
    }

    /// The attempt has failed, with one of its steps: the first to end, or, past the deadline, that of the layer which
    /// was `late`.
    pub fn failed(&self, error: &(dyn StdError + 'static), late: Option<Layer>) {
        let mut record = self.record();
        let after = self.began.elapsed();
        let mut open = record.steps.iter_mut().filter(|step| step.state.is_open());
        let failed = match late {
            Some(layer) => open.find(|step| step.layer == layer),
            // The failure of one ends those beside it, so it is the first to end.
            None => open.min_by_key(|step| step.ended.unwrap_or(Duration::MAX)),
        };
        if let Some(step) = failed {
            step.fail(error, after);
        }
        record.outcome = Outcome::Failed { after, error: Chain(error).to_string() };
    }

    /// The connection that the attempt has made has ended without being asked to.
    fn ended(&self, error: &(dyn StdError + 'static)) {
        if let Outcome::Connected { ended, .. } = &mut self.record().outcome {
            *ended = Some((self.began.elapsed(), Chain(error).to_string()));
        }
    }

    fn attempt(&self, number: u64, target: String) -> Attempt {
        let record = self.record();
        Attempt {
            number,
            target,
            began_at: self.began_at,
            seen_after: self.began.elapsed(),
            way: record.way.clone(),
            steps: record.steps.clone(),
            outcome: record.outcome.clone(),
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// What was seen of a step that will not end.
    pub fn note(&self, detail: impl Into<Detail>) {
        self.timeline.record().steps[self.index].detail = Some(detail.into());
    }

    /// Ends the step with success.
    pub fn done(self, detail: impl Into<Detail>) {
        let mut record = self.timeline.record();
        let ended = self.timeline.began.elapsed();
        let (step, detail) = (&mut record.steps[self.index], detail.into());
        log::debug!(
            "{}: {detail} after {:.1} ms",
            step.name(),
            ended.saturating_sub(step.began).as_secs_f64() * 1000.0
        );
        step.ended = Some(ended);
        step.state = StepState::Done;
        step.detail = Some(detail);
    }

    /// It has failed, and the same attempt goes on in another way.
    pub fn failed(self, error: &(dyn StdError + 'static)) {
        let mut record = self.timeline.record();
        let step = &mut record.steps[self.index];
        step.fail(error, self.timeline.began.elapsed());
        log::debug!("{}: {}", step.name(), Chain(error));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut record = self.timeline.record();
        let step = &mut record.steps[self.index];
        if step.state == StepState::UnderWay {
            step.ended = Some(self.timeline.began.elapsed());
            step.state = StepState::GivenUp;
        }
    }
}

#[cfg(test)]
mod tests;
