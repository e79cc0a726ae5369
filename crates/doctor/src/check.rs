//! The result of one check.

use std::fmt;
use std::time::{Duration, SystemTime};

use common::Failure;
use jiff::Timestamp;

/// What came of one check.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    /// What was found, in one line; of a failure, its chain of causes.
    pub(crate) finding: String,
    /// What the client itself would say of the failure.
    pub(crate) hint: Option<String>,
    pub(crate) advice: Vec<Advice>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    Warning,
    Failed,
    /// It was not checked: what it needs is not there.
    NotReached,
    /// It is not part of this connection.
    NotUsed,
}

/// What a finding means, and what to do.
#[derive(Debug, Clone)]
pub(crate) struct Advice {
    pub(crate) means: String,
    pub(crate) change: String,
}

impl Check {
    pub(crate) fn ok(name: &'static str, finding: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Ok, finding: finding.into(), hint: None, advice: Vec::new() }
    }

    /// `failed` is the check that this one needs.
    pub(crate) fn not_reached(name: &'static str, failed: &str) -> Self {
        Self::unreached(name, format!("{failed} failed"))
    }

    /// As [`not_reached`](Self::not_reached), for a reason that is not another check's failure.
    pub(crate) fn unreached(name: &'static str, why: impl fmt::Display) -> Self {
        Self { outcome: Outcome::NotReached, ..Self::ok(name, format!("not reached: {why}")) }
    }

    pub(crate) fn not_used(name: &'static str, why: impl Into<String>) -> Self {
        Self { outcome: Outcome::NotUsed, ..Self::ok(name, why) }
    }

    pub(crate) fn failed(name: &'static str, error: impl Into<Failure>) -> Self {
        let failure = error.into();
        let hint = failure.hint();
        Self { outcome: Outcome::Failed, hint, ..Self::ok(name, failure.chain()) }
    }

    /// The same, with something to worry about.
    #[must_use]
    pub(crate) fn warn(mut self, means: impl Into<String>, change: impl Into<String>) -> Self {
        if self.outcome == Outcome::Ok {
            self.outcome = Outcome::Warning;
        }
        self.advise(means, change)
    }

    /// The same, with a word on it.
    #[must_use]
    pub(crate) fn advise(mut self, means: impl Into<String>, change: impl Into<String>) -> Self {
        self.advice.push(Advice { means: means.into(), change: change.into() });
        self
    }

    /// Whether what needs it can be checked.
    pub(crate) fn is_passed(&self) -> bool {
        matches!(self.outcome, Outcome::Ok | Outcome::Warning)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }
}

/// A time in whole seconds, in UTC (RFC 3339).
pub(crate) fn utc(time: SystemTime) -> String {
    match Timestamp::try_from(time) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => "a time that no calendar has".to_owned(),
    }
}

/// How long something took, for people.
pub(crate) fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
