//! Golden drawings of fixed times, and what the record makes of failures.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::cause::Cause;
use crate::certificate::Certificate;
use crate::error::Error;
use crate::http_refusal::HttpRefusal;

fn step(layer: Layer, began: u64, ended: u64, detail: Detail) -> Step {
    let (began, ended) = (Duration::from_micros(began), Some(Duration::from_micros(ended)));
    Step { layer, named: None, began, ended, state: StepState::Done, detail: Some(detail) }
}

fn open(layer: Layer, began: u64, ended: Option<u64>) -> Step {
    let state = if ended.is_some() { StepState::GivenUp } else { StepState::UnderWay };
    let (began, ended) = (Duration::from_micros(began), ended.map(Duration::from_micros));
    Step { layer, named: None, began, ended, state, detail: None }
}

fn failed(layer: Layer, began: u64, ended: u64, error: &str) -> Step {
    Step { state: StepState::Failed { error: error.to_owned() }, ..open(layer, began, Some(ended)) }
}

fn dns() -> Step {
    let addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    step(Layer::Dns, 20, 420, Detail::Dns { host: "localhost".to_owned(), addresses })
}

fn tcp() -> Step {
    step(Layer::Tcp, 430, 2_430, Detail::Tcp { address: ([127, 0, 0, 1], 8443).into() })
}

fn seconds(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn attempt(number: u64, steps: Vec<Step>, outcome: Outcome) -> Attempt {
    let (began_at, seen_after) = (seconds(1_800_000_000), Duration::from_micros(40_000));
    Attempt { number, target: "localhost:8443".to_owned(), began_at, seen_after, way: None, steps, outcome }
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
    let mqtt = Detail::Protocol(Arc::new("accepted (MQTT 5, session present: false)"));
    let steps = vec![
        dns(),
        step(Layer::Credentials, 30, 15_030, credentials),
        tcp(),
        step(Layer::Tls, 2_440, 20_440, tls),
        step(Layer::WebSocket, 20_450, 30_450, Detail::WebSocket { status: 101 }),
        step(Layer::Mqtt, 30_460, 40_000, mqtt),
    ];
    attempt(1, steps, Outcome::Connected { after: Duration::from_micros(40_000), ended: None })
}

fn failure(after: u64, error: &str) -> Outcome {
    Outcome::Failed { after: Duration::from_micros(after), error: error.to_owned() }
}

#[track_caller]
fn draws(kept: Vec<Attempt>, left_out: u64, columns: usize, expected: &str) {
    let drawing = Attempts { kept, left_out }.draw(columns);
    assert_eq!(drawing, expected, "\n{drawing}");
    assert!(drawing.is_ascii());
    assert!(drawing.lines().all(|line| line.len() <= columns && line.trim_end() == line));
}

#[test]
fn a_signed_websocket_whose_credentials_resolve_meanwhile() {
    draws(vec![signed_websocket()], 0, 80, include_str!("golden/signed_websocket.txt"));
}

#[test]
fn a_wide_terminal_gives_long_bars() {
    draws(vec![signed_websocket()], 0, 120, include_str!("golden/wide.txt"));
}

#[test]
fn a_failed_step_is_marked_and_so_is_what_it_ended() {
    let error = "TLS handshake with localhost:8443 failed: invalid peer certificate: UnknownIssuer";
    let steps = vec![
        dns(),
        open(Layer::Credentials, 30, Some(20_000)),
        tcp(),
        failed(Layer::Tls, 2_440, 19_990, error),
    ];
    draws(vec![attempt(1, steps, failure(20_000, error))], 0, 80, include_str!("golden/failed.txt"));
}

#[test]
fn an_interrupted_attempt() {
    let steps = vec![dns(), tcp(), open(Layer::Tls, 2_440, None)];
    draws(vec![attempt(1, steps, Outcome::UnderWay)], 0, 80, include_str!("golden/interrupted.txt"));
}

#[test]
fn the_way_through_a_proxy() {
    let refused =
        "no way to [2001:db8::1]:8443 through the proxy https://proxy.example: the proxy refused: HTTP 503";
    let named = |name, step| Step { named: Some(name), ..step };
    let steps = vec![
        named("proxy's name", dns()),
        named("TCP to proxy", tcp()),
        named("TLS with proxy", open(Layer::Proxy, 2_440, None)),
    ];
    let under_way = attempt(1, steps, Outcome::UnderWay);
    let way = Some("through the proxy https://proxy.example, as HTTPS_PROXY says".to_owned());
    let steps = vec![
        failed(Layer::Proxy, 20, 420, refused),
        step(Layer::Proxy, 430, 2_430, "open to 192.0.2.1:8443".into()),
    ];
    let connected =
        attempt(2, steps, Outcome::Connected { after: Duration::from_micros(2_430), ended: None });
    let attempts = vec![Attempt { way: way.clone(), ..under_way }, Attempt { way, ..connected }];
    draws(attempts, 0, 80, include_str!("golden/proxy.txt"));
}

#[test]
fn reconnects_each_have_a_drawing() {
    let lost = "the connection to localhost:8443 ended: closed by the broker";
    let ended = Some((Duration::from_secs(90), lost.to_owned()));
    let first = attempt(1, vec![dns()], Outcome::Connected { after: Duration::from_micros(2_000), ended });
    let error = "cannot sign the WebSocket request for localhost:8443";
    draws(
        vec![first, attempt(43, vec![dns()], failure(2_000, error))],
        41,
        80,
        include_str!("golden/reconnects.txt"),
    );
    draws(Vec::new(), 0, 80, "\nNo connection was attempted.\n");
}

#[test]
fn text_of_others_can_neither_forge_a_line_nor_burst_the_width() {
    let error = format!("x\nAttempt 2\u{1b}[2J {}", "y".repeat(200));
    let steps = vec![failed(Layer::Mqtt, 0, 1_000, &error)];
    let attempts = Attempts { kept: vec![attempt(1, steps, failure(1_000, &error))], left_out: 0 };
    for columns in [0, 10, 60, 80] {
        let drawing = attempts.draw(columns);
        assert!(!drawing.contains('\u{1b}') && !drawing.contains("\nAttempt 2"), "{drawing}");
        assert!(drawing.lines().all(|line| line.len() <= columns.max(59)), "{drawing}");
    }
}

#[test]
fn steps_of_no_time_at_all_have_a_bar() {
    let outcome = Outcome::Connected { after: Duration::ZERO, ended: None };
    let drawing =
        Attempts { kept: vec![attempt(1, vec![open(Layer::Dns, 0, Some(0))], outcome)], left_out: 0 };
    assert!(drawing.draw(80).contains("|>  "), "{}", drawing.draw(80));
}

/// A failure in each layer, of a step beside which the credentials are still under way.
#[test]
fn the_step_that_failed_is_the_one_that_ended_first() {
    let target = || "localhost:8443".to_owned();
    let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
    let cause = || -> Cause { "cause".into() };
    let refusal = HttpRefusal { status: 403, error_type: None, message: None, clock_skew: None };
    for (layer, error) in [
        (Layer::Dns, Error::Resolve { host: target(), source: refused() }),
        (Layer::Tcp, Error::Tcp { target: target(), source: refused() }),
        (Layer::Tls, Error::Tls { target: target(), source: cause() }),
        (Layer::WebSocket, Error::UpgradeRefused { target: target(), refusal: refusal.into() }),
        (Layer::Mqtt, Error::Settings("closed before CONNACK".to_owned())),
        // With TLS 1.3 it shows after the handshake.
        (Layer::Mqtt, Error::CertificateRejected { target: target(), source: cause() }),
    ] {
        let timelines = Timelines::new(target());
        let timeline = timelines.begin();
        timeline.step(Layer::Settings).done("done");
        let credentials = timeline.step(Layer::Credentials);
        drop(timeline.step(layer));
        drop(credentials);
        timeline.failed(&error, None);
        let attempt = &timelines.attempts().kept[0];
        let states: Vec<_> = attempt.steps.iter().map(|step| step.state.clone()).collect();
        let text = Chain(&error).to_string();
        let failed = StepState::Failed { error: text.clone() };
        assert_eq!(states, [StepState::Done, StepState::GivenUp, failed], "{layer}");
        assert!(matches!(&attempt.outcome, Outcome::Failed { error, .. } if *error == text));
    }
}

#[test]
fn a_deadline_marks_the_step_that_it_names() {
    let timelines = Timelines::new("localhost:8443".to_owned());
    let timeline = timelines.begin();
    let credentials = timeline.step(Layer::Credentials);
    drop(timeline.step(Layer::Tls));
    drop(credentials);
    let waiting_for = timeline.waiting_for().unwrap();
    assert_eq!(waiting_for, Layer::Credentials);
    let after = Duration::from_secs(2);
    let target = "localhost:8443".to_owned();
    let error = Error::ConnectTimeout { target, waiting_for, after, proxy: None, seen: None };
    timeline.failed(&error, Some(waiting_for));
    let states = timeline.steps().into_iter().map(|step| step.state).collect::<Vec<_>>();
    assert!(matches!(&states[..], [StepState::Failed { .. }, StepState::GivenUp]), "{states:?}");
}

#[test]
fn the_end_of_a_connection_belongs_to_the_last_attempt() {
    let timelines = Timelines::new("localhost:8443".to_owned());
    for _ in 0..2 {
        timelines.begin().connected();
    }
    timelines.ended(&Error::Settings("interrupted".to_owned()));
    let outcomes = timelines.attempts().kept.into_iter().map(|attempt| attempt.outcome).collect::<Vec<_>>();
    assert!(matches!(&outcomes[0], Outcome::Connected { ended: None, .. }));
    assert!(
        matches!(&outcomes[1], Outcome::Connected { ended: Some((_, error)), .. } if error == "interrupted")
    );
}
