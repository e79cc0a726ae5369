//! The attempts as data. The names in here are part of the samples' `--json` output, which scripts rely on.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::error::Layer;
use crate::timeline::{Attempt, Attempts, Detail, Outcome, Step, StepState, utc};

impl Attempts {
    /// The fields of the event `timeline`. Times are in milliseconds since the attempt began, and dates in UTC
    /// (RFC 3339).
    pub(crate) fn to_json(&self) -> Value {
        json!({ "attempts": self.kept.iter().map(attempt).collect::<Vec<_>>(), "left_out": self.left_out })
    }
}

fn attempt(attempt: &Attempt) -> Value {
    let mut object = fields(json!({
        "number": attempt.number,
        "target": attempt.target,
        "began": utc(attempt.began_at),
        "duration_ms": milliseconds(attempt.duration()),
        "steps": attempt.steps.iter().map(|one| step(one, attempt.duration())).collect::<Vec<_>>(),
    }));
    if let Some(way) = &attempt.way {
        object.insert("way".to_owned(), way.as_str().into());
    }
    object.extend(fields(match &attempt.outcome {
        Outcome::UnderWay => json!({ "outcome": "unfinished" }),
        Outcome::Connected { ended: None, .. } => json!({ "outcome": "connected" }),
        Outcome::Connected { ended: Some((after, error)), .. } => {
            json!({ "outcome": "lost", "lost_ms": milliseconds(*after), "error": error })
        }
        Outcome::Failed { error, .. } => json!({ "outcome": "failed", "error": error }),
    }));
    Value::Object(object)
}

fn step(step: &Step, attempt: Duration) -> Value {
    let mut object = fields(json!({
        "step": name(step.layer),
        "name": step.name(),
        "begin_ms": milliseconds(step.began),
        "duration_ms": milliseconds(step.ended.unwrap_or(attempt).saturating_sub(step.began)),
    }));
    object.extend(fields(match &step.state {
        StepState::Done => json!({ "outcome": "done" }),
        StepState::Failed { error } => json!({ "outcome": "failed", "error": error }),
        StepState::GivenUp | StepState::UnderWay => json!({ "outcome": "unfinished" }),
    }));
    if let Some(given) = &step.detail {
        object.insert("detail".to_owned(), given.to_string().into());
        object.extend(fields(detail(given)));
    }
    Value::Object(object)
}

fn detail(detail: &Detail) -> Value {
    match detail {
        Detail::Text(_) => json!({}),
        Detail::Dns { host, addresses } => json!({ "host": host, "addresses": addresses }),
        Detail::Tcp { address } => json!({ "address": address.to_string() }),
        Detail::Tls { version, alpn, certificate } => {
            let certificate = certificate.as_ref().map(|certificate| {
                json!({
                    "subject": certificate.subject, "issuer": certificate.issuer,
                    "expires": utc(certificate.expires),
                })
            });
            json!({ "version": version, "alpn": alpn, "certificate": certificate })
        }
        Detail::Credentials { source, kept, expires } => {
            json!({ "source": source, "kept": kept, "expires": expires.map(utc) })
        }
        Detail::WebSocket { status } => json!({ "status": status }),
        Detail::Mqtt { version, session_present, .. } => {
            json!({ "mqtt_version": version.to_string(), "session_present": session_present })
        }
    }
}

fn name(layer: Layer) -> &'static str {
    match layer {
        Layer::Settings => "settings",
        Layer::Credentials => "credentials",
        Layer::Dns => "dns",
        Layer::Tcp => "tcp",
        Layer::Proxy => "proxy",
        Layer::Tls => "tls",
        Layer::WebSocket => "websocket",
        Layer::Mqtt => "mqtt",
    }
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
