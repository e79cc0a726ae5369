//! The attempts as data. The names in here are part of the samples' `--json` output, which scripts rely on.

use std::time::Duration;

use iot_client::Accepted;
use iot_transport::Layer;
use iot_transport::timeline::{Attempt, Attempts, Detail, Outcome, Step, StepState, utc};
use serde_json::{Map, Value, json};

/// The fields of the event `timeline`. Times are in milliseconds since the attempt began, and dates in UTC (RFC 3339).
pub(super) fn to_json(attempts: &Attempts) -> Value {
    json!({ "attempts": attempts.kept.iter().map(attempt).collect::<Vec<_>>(), "left_out": attempts.left_out })
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
                    "expires": utc(certificate.not_after),
                })
            });
            json!({ "version": version, "alpn": alpn, "certificate": certificate })
        }
        Detail::Credentials { source, kept, expires } => {
            json!({ "source": source, "kept": kept, "expires": expires.map(utc) })
        }
        Detail::WebSocket { status } => json!({ "status": status }),
        Detail::Protocol(_) => match detail.protocol() {
            Some(Accepted { version, session_present, .. }) => {
                json!({ "mqtt_version": version.to_string(), "session_present": session_present })
            }
            None => json!({}),
        },
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

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    use std::time::SystemTime;

    use iot_client::{BrokerLimits, MqttVersion};
    use iot_transport::Certificate;
    use iot_transport::timeline::{Timeline, Timelines};

    use super::*;

    const TARGET: &str = "localhost:8443";

    fn open(layer: Layer, began: u64, ended: Option<u64>) -> Step {
        let timeline = Timeline::start();
        drop(timeline.step(layer));
        let mut step = timeline.steps().remove(0);
        step.state = if ended.is_some() { StepState::GivenUp } else { StepState::UnderWay };
        (step.began, step.ended) = (Duration::from_micros(began), ended.map(Duration::from_micros));
        step
    }

    fn step(layer: Layer, began: u64, ended: u64, detail: Detail) -> Step {
        let mut step = open(layer, began, Some(ended));
        (step.state, step.detail) = (StepState::Done, Some(detail));
        step
    }

    fn seconds(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn attempt(number: u64, steps: Vec<Step>, outcome: Outcome) -> Attempt {
        let timelines = Timelines::new(TARGET.to_owned());
        timelines.begin();
        let mut attempt = timelines.attempts().kept.remove(0);
        (attempt.number, attempt.steps, attempt.outcome) = (number, steps, outcome);
        (attempt.began_at, attempt.seen_after) = (seconds(1_800_000_000), Duration::from_micros(40_000));
        attempt
    }

    fn signed_websocket() -> Attempt {
        let credentials = Detail::Credentials {
            source: "the default chain: the environment".to_owned(),
            kept: false,
            expires: Some(seconds(1_800_003_600)),
        };
        let certificate = Certificate {
            subject: "CN=*.iot.eu-west-1.amazonaws.com".to_owned(),
            issuer: "C=US, O=Amazon, CN=Amazon RSA 2048 M01".to_owned(),
            names: Vec::new(),
            key: "RSA 2048".to_owned(),
            not_before: seconds(1_780_000_000),
            not_after: seconds(1_810_000_000),
            fingerprint: String::new(),
        };
        let tls = Detail::Tls {
            version: "TLSv1.3".to_owned(),
            alpn: Some("http/1.1".to_owned()),
            certificate: Some(certificate),
        };
        let addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let dns = Detail::Dns { host: "localhost".to_owned(), addresses };
        let tcp = Detail::Tcp { address: ([127, 0, 0, 1], 8443).into() };
        let limits = BrokerLimits::default();
        let accepted = Accepted { version: MqttVersion::V5, session_present: false, limits };
        let mqtt = Detail::Protocol(Arc::new(accepted));
        let steps = vec![
            step(Layer::Dns, 20, 420, dns),
            step(Layer::Credentials, 30, 15_030, credentials),
            step(Layer::Tcp, 430, 2_430, tcp),
            step(Layer::Tls, 2_440, 20_440, tls),
            step(Layer::WebSocket, 20_450, 30_450, Detail::WebSocket { status: 101 }),
            step(Layer::Mqtt, 30_460, 40_000, mqtt),
        ];
        attempt(1, steps, Outcome::Connected { after: Duration::from_micros(40_000), ended: None })
    }

    #[test]
    fn the_same_as_data() {
        let refused = "localhost:8443 refused the WebSocket upgrade: HTTP 403";
        let mut upgrade = step(Layer::WebSocket, 1_000, 3_500, Detail::WebSocket { status: 403 });
        upgrade.state = StepState::Failed { error: refused.to_owned() };
        let ended = Some((Duration::from_millis(90), "lost".to_owned()));
        let after = Duration::from_micros(4_000);
        let failure = Outcome::Failed { after, error: refused.to_owned() };
        let mut through_proxy = attempt(5, vec![upgrade, open(Layer::Mqtt, 3_500, None)], failure);
        through_proxy.way = Some("through a proxy".to_owned());
        let kept = vec![
            signed_websocket(),
            through_proxy,
            attempt(6, Vec::new(), Outcome::UnderWay),
            attempt(7, Vec::new(), Outcome::Connected { after: Duration::from_millis(1), ended }),
        ];
        let mut attempts = Timelines::new(TARGET.to_owned()).attempts();
        (attempts.kept, attempts.left_out) = (kept, 3);
        let data = to_json(&attempts);
        assert_eq!(data["left_out"], 3);
        let began = "2027-01-15T08:00:00Z";
        let first = &data["attempts"][0];
        assert_eq!(
            (&first["number"], &first["target"], &first["began"], &first["outcome"], &first["duration_ms"]),
            (&json!(1), &json!("localhost:8443"), &json!(began), &json!("connected"), &json!(40.0))
        );
        let steps = first["steps"].as_array().unwrap();
        assert_eq!(
            steps.iter().map(|step| step["step"].as_str().unwrap()).collect::<Vec<_>>(),
            ["dns", "credentials", "tcp", "tls", "websocket", "mqtt"]
        );
        assert_eq!(
            steps[0],
            json!({ "step": "dns", "name": "name resolution", "begin_ms": 0.02, "duration_ms": 0.4, "outcome": "done",
                    "detail": "localhost is 127.0.0.1", "host": "localhost", "addresses": ["127.0.0.1"] })
        );
        assert_eq!(steps[1]["source"], "the default chain: the environment");
        assert_eq!(
            (&steps[1]["kept"], &steps[1]["expires"]),
            (&json!(false), &json!("2027-01-15T09:00:00Z"))
        );
        assert_eq!(steps[2]["address"], "127.0.0.1:8443");
        assert_eq!((&steps[3]["version"], &steps[3]["alpn"]), (&json!("TLSv1.3"), &json!("http/1.1")));
        assert_eq!(
            steps[3]["certificate"],
            json!({ "subject": "CN=*.iot.eu-west-1.amazonaws.com", "issuer": "C=US, O=Amazon, CN=Amazon RSA 2048 M01",
                    "expires": "2027-05-11T01:46:40Z" })
        );
        assert_eq!(steps[4]["status"], 101);
        assert_eq!((&steps[5]["mqtt_version"], &steps[5]["session_present"]), (&json!("5"), &json!(false)));
        assert_eq!(
            data["attempts"][1],
            json!({ "number": 5, "target": "localhost:8443", "began": began, "duration_ms": 4.0, "outcome": "failed",
                    "error": refused, "way": "through a proxy", "steps": [
                { "step": "websocket", "name": "WebSocket upgrade", "begin_ms": 1.0, "duration_ms": 2.5,
                  "outcome": "failed", "error": refused, "detail": "HTTP 403", "status": 403 },
                { "step": "mqtt", "name": "MQTT CONNACK", "begin_ms": 3.5, "duration_ms": 0.5, "outcome": "unfinished" },
            ] })
        );
        assert_eq!(data["attempts"][2]["outcome"], "unfinished");
        let lost = &data["attempts"][3];
        assert_eq!(
            (&lost["outcome"], &lost["lost_ms"], &lost["error"]),
            (&json!("lost"), &json!(90.0), &json!("lost"))
        );
    }
}
