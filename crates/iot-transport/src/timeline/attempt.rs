use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use super::Detail;
use crate::layer::Layer;
use crate::text::Chain;

/// One connection attempt, as it stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempt {
    /// Its place among a client's attempts, from 1 on.
    pub number: u64,
    /// `host:port` of the broker.
    pub target: String,
    /// When it began.
    pub began_at: SystemTime,
    /// How long after its begin this was written down.
    pub seen_after: Duration,
    /// The proxy that was chosen, or none, and why; `None` where nobody asked.
    pub way: Option<String>,
    /// In the order in which they began; some run at the same time.
    pub steps: Vec<Step>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a connection attempt. Times count from its begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet; for a program at its end: it was interrupted.
    UnderWay,
    /// The broker accepted the connection.
    Connected {
        /// When.
        after: Duration,
        /// When the connection ended without being asked to, and why.
        ended: Option<(Duration, String)>,
    },
    /// There was no connection.
    Failed {
        /// When.
        after: Duration,
        /// Why, with its causes.
        error: String,
    },
}

/// One step of a connection attempt.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Step {
    /// Which part of the connection.
    pub layer: Layer,
    pub(super) named: Option<&'static str>,
    /// When it began, since the attempt began.
    pub began: Duration,
    /// When it ended; `None` while it is under way.
    pub ended: Option<Duration>,
    /// How it ended.
    pub state: StepState,
    /// What came of it: an address, a protocol version.
    pub detail: Option<Detail>,
}

/// How a step of a connection attempt has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// It has not.
    UnderWay,
    /// With success.
    Done,
    /// It is what failed.
    Failed {
        /// Why, with its causes.
        error: String,
    },
    /// Before its time: something else failed, the deadline passed, or the user interrupted.
    GivenUp,
}

impl Attempt {
    /// How long it took, or has taken so far.
    pub fn duration(&self) -> Duration {
        match self.outcome {
            Outcome::Connected { after, .. } | Outcome::Failed { after, .. } => after,
            Outcome::UnderWay => self.seen_after,
        }
    }
}

impl Step {
    /// What it is called in a drawing: the layer, unless it is one that the way through a proxy has twice.
    #[must_use]
    pub fn name(&self) -> String {
        self.named.map_or_else(|| self.layer.to_string(), ToOwned::to_owned)
    }

    /// `now` is when it ended, unless that is known.
    pub(super) fn fail(&mut self, error: &(dyn StdError + 'static), now: Duration) {
        self.ended.get_or_insert(now);
        self.state = StepState::Failed { error: Chain(error).to_string() };
    }
}

impl StepState {
    pub(super) fn is_open(&self) -> bool {
        matches!(self, StepState::UnderWay | StepState::GivenUp)
    }
}
