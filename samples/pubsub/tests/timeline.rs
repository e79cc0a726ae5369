//! `--timeline`: after the run and after each kind of failure, as a drawing and as data.

use std::net::{Ipv4Addr, TcpListener};

use sandbox::{Principal, Sandbox};
use serde_json::Value;
use testkit::{Outcome, Running, Sample, Signal};

const BINARY: &str = env!("CARGO_BIN_EXE_pubsub");

fn pubsub(sandbox: &Sandbox, port: u16) -> Sample {
    Sample::new(BINARY)
        .args(["--endpoint", "localhost", "--port", &port.to_string(), "--timeline", "--count", "1"])
        .args(["--ca-file", &sandbox.ca_file().display().to_string()])
        .device(sandbox.device())
}

/// The drawing, which begins after an empty line.
#[track_caller]
fn drawing(outcome: &Outcome) -> &str {
    let at = outcome.stdout.find("\nAttempt 1 to localhost:").unwrap_or_else(|| panic!("{outcome:#?}"));
    let drawing = &outcome.stdout[at..];
    assert!(drawing.lines().all(|line| line.len() <= 80), "fits 80 columns: {drawing}");
    drawing
}

/// The line of a step's bar: mark, name, times, bar.
#[track_caller]
fn bar<'a>(drawing: &'a str, name: &str) -> &'a str {
    let is_its =
        |line: &&str| line.get(2..).is_some_and(|line| line.starts_with(name)) && line.ends_with('|');
    drawing.lines().find(is_its).unwrap_or_else(|| panic!("no {name} in {drawing}"))
}

#[test]
fn follows_the_run() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = pubsub(&sandbox, sandbox.mqtt_port()).run().succeeded();
    let (events, _) = outcome.stdout.split_once("\nAttempt 1").unwrap();
    assert!(events.starts_with("Connected to ") && events.ends_with("Disconnected\n"), "{events}");
    let drawing = drawing(&outcome);
    assert!(drawing.contains(": connected after "), "{drawing}");
    assert!(drawing.contains("\n  no proxy: HTTPS_PROXY and ALL_PROXY are not set\n"), "{drawing}");
    for step in ["name resolution", "TCP", "TLS handshake", "MQTT CONNACK"] {
        assert!(bar(drawing, step).starts_with("  "), "{drawing}");
    }
    let flat = drawing.split_whitespace().collect::<Vec<_>>().join(" ");
    for detail in
        ["TLSv1.3, ALPN none; certificate of ", ", expires 20", "accepted (MQTT 5, session present: "]
    {
        assert!(flat.contains(detail), "{detail} in {flat}");
    }
    assert_eq!(outcome.stdout.matches("Attempt ").count(), 1, "{}", outcome.stdout);
}

#[test]
fn tells_the_way_to_a_proxy_from_the_way_to_the_broker() {
    let sandbox = Sandbox::start().unwrap();
    let proxy = &sandbox.proxies().https;
    let ca_file = sandbox.ca_file().display().to_string();
    let flags = ["--proxy", proxy.as_str(), "--proxy-ca-file", &ca_file];
    let outcome = pubsub(&sandbox, sandbox.mqtt_port()).args(flags).run().succeeded();
    let drawing = drawing(&outcome);
    let flat = drawing.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(&format!("through the proxy {proxy}, as --proxy says")), "{drawing}");
    for step in ["proxy's name", "TCP to proxy", "TLS with proxy", "proxy ", "TLS handshake", "MQTT CONNACK"]
    {
        assert!(bar(drawing, step).starts_with("  "), "{drawing}");
    }
}

#[test]
fn follows_the_events_as_data() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = pubsub(&sandbox, sandbox.mqtt_port()).args(["--json"]).run().succeeded();
    let events: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [.., disconnected, timeline] = &events[..] else { panic!("{events:#?}") };
    assert_eq!(disconnected["event"], "disconnected");
    assert_eq!((&timeline["event"], &timeline["left_out"]), (&"timeline".into(), &0.into()));
    let attempt = &timeline["attempts"][0];
    assert_eq!((&attempt["number"], &attempt["outcome"]), (&1.into(), &"connected".into()));
    let steps = attempt["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["dns", "tcp", "tls", "mqtt"]);
    for step in steps {
        assert_eq!(step["outcome"], "done");
        let end = step["begin_ms"].as_f64().unwrap() + step["duration_ms"].as_f64().unwrap();
        assert!(end <= attempt["duration_ms"].as_f64().unwrap() + 0.002, "{attempt:#}");
    }
    assert_eq!(steps[2]["version"], "TLSv1.3");
    assert!(steps[2]["certificate"]["issuer"].as_str().is_some_and(|issuer| !issuer.is_empty()));
}

#[test]
fn a_failure_is_marked_where_it_happened() {
    let sandbox = Sandbox::start().unwrap();
    let closed = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    let outcome = pubsub(&sandbox, closed).run().failed(1, &["cannot open a TCP connection", "hint:"]);
    let drawn = drawing(&outcome);
    assert!(drawn.contains(": failed after ") && bar(drawn, "TCP").starts_with("x "), "{drawn}");
    assert!(drawn.contains("x TCP                cannot open a TCP connection"), "{drawn}");

    // Trusted by nobody here: the system's roots.
    let untrusted = Sample::new(BINARY)
        .args(["--endpoint", "localhost", "--port", &sandbox.mqtt_port().to_string(), "--timeline"])
        .device(sandbox.device())
        .run()
        .failed(1, &["UnknownIssuer"]);
    assert!(bar(drawing(&untrusted), "TLS handshake").starts_with("x "), "{untrusted:#?}");

    sandbox.set_policies(Principal::Device, &[]).unwrap();
    let outcome = pubsub(&sandbox, sandbox.mqtt_port()).args(["--json"]).run().failed(1, &["test-"]);
    let timeline: Value = serde_json::from_str(outcome.stdout.lines().last().unwrap()).unwrap();
    let attempt = &timeline["attempts"][0];
    let step = &attempt["steps"][3];
    assert_eq!((&step["step"], &step["outcome"]), (&"mqtt".into(), &"failed".into()), "{timeline:#}");
    assert_eq!(attempt["error"], step["error"]);
}

#[test]
fn a_deadline_that_passes() {
    let sandbox = Sandbox::start().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let outcome = pubsub(&sandbox, port)
        .args(["--connect-timeout", "0.5"])
        .run()
        .failed(1, &["within 0.5 s: waiting for TLS handshake"]);
    assert!(bar(drawing(&outcome), "TLS handshake").starts_with("x "), "{outcome:#?}");
}

#[test]
fn ctrl_c_while_connecting() {
    let sandbox = Sandbox::start().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let running = Running::new(pubsub(&sandbox, listener.local_addr().unwrap().port()).spawn());
    // It listens for signals before it dials.
    let (mut connection, _) = listener.accept().unwrap();
    // The ClientHello: the handshake is under way.
    std::io::Read::read_exact(&mut connection, &mut [0]).unwrap();
    running.signal(Signal::Interrupt);
    let outcome = running.outcome().failed(1, &["interrupted"]);
    let drawn = drawing(&outcome);
    assert!(
        drawn.contains(": unfinished after ") && bar(drawn, "TLS handshake").starts_with("> "),
        "{drawn}"
    );
}

#[test]
fn a_failure_after_connecting() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = pubsub(&sandbox, sandbox.mqtt_port())
        .args(["--topic", "not/allowed"])
        .run()
        .failed(1, &["subscribe to not/allowed"]);
    assert!(drawing(&outcome).contains(": connected after "), "{outcome:#?}");
}

#[test]
fn nothing_was_attempted() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = Sample::new(BINARY)
        .mqtt(&sandbox)
        .args(["--cert", "missing-file", "--key", "missing-file", "--timeline"])
        .run()
        .failed(1, &["missing-file"]);
    assert_eq!(outcome.stdout, "\nNo connection was attempted.\n");
}
