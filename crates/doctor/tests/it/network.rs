//! What is wrong below TLS: names, ports, proxies, silence, and the clock.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::{Duration, Instant};

use sandbox::Sandbox;
use testkit::Sample;

use crate::report::{BINARY, Report, device, doctor, signed, with_clock};

fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// With a port of one's own, and the sandbox to tell the time.
fn to_port(sandbox: &Sandbox, port: u16) -> Sample {
    let sample = doctor().to_port(sandbox, port).device(sandbox.device());
    sample.args(["--https-port", &sandbox.https_port().to_string()])
}

#[test]
fn an_unknown_name() {
    let sandbox = Sandbox::start().unwrap();
    let ca_file = sandbox.ca_file().display().to_string();
    // RFC 2606 §2: never delegated.
    let sample = doctor().args(["--endpoint", "endpoint.invalid", "--ca-file", &ca_file]);
    let report = Report::of(sample.device(sandbox.device()), &sandbox);
    let report =
        report.has_failed(&["name"]).says("name", &["endpoint.invalid", "hint:", "describe-endpoint"]);
    assert_eq!((report.sign("TCP"), report.sign("clock"), report.sign("credentials")), ("-", "-", "ok"));
    report.stopped("WebSocket", "name");
}

#[test]
fn an_address_is_no_name_to_look_up() {
    let sandbox = Sandbox::start().unwrap();
    let ca_file = sandbox.ca_file().display().to_string();
    // Its backlog takes the connections; TLS waits in vain.
    let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    for (endpoint, host, port) in
        [("127.0.0.1", "127.0.0.1", sandbox.mqtt_port()), ("[::1]", "::1", v6.local_addr().unwrap().port())]
    {
        let sample = doctor().args(["--endpoint", endpoint, "--port", &port.to_string()]);
        let sample = sample.args(["--ca-file", &ca_file, "--connect-timeout", "1"]);
        // TLS fails: the sandbox asks for a name in the handshake, as AWS IoT Core does.
        Report::of(with_clock(sample.device(sandbox.device()), &sandbox), &sandbox)
            .says("name", &[&format!("{host} is an address: no name to look up")])
            .says("TCP", &[&format!("{endpoint}:{port} in ")]);
    }
}

#[test]
fn a_closed_port() {
    let sandbox = Sandbox::start().unwrap();
    let https = sandbox.https_port();
    Report::of(to_port(&sandbox, closed_port()), &sandbox)
        .has_failed(&["TCP"])
        .says("TCP", &["refused", "hint:", "8883"])
        .says("TLS", &["not reached: TCP failed"])
        // What another port can do is worth a word.
        .says("clock", &["means:", &format!("change: use --port {https}")])
        .says("credentials", &["CN=sandbox-thing"])
        .stopped("WebSocket", "TCP");
}

#[test]
#[cfg(target_os = "linux")]
fn a_black_hole() {
    let sandbox = Sandbox::start().unwrap();
    let hole = testkit::BlackHole::open();
    let began = Instant::now();
    let sample = to_port(&sandbox, hole.port()).args(["--connect-timeout", "1"]);
    Report::of(sample, &sandbox)
        .has_failed(&["TCP"])
        .says("TCP", &["within 1 s", "hint:", "a firewall may block the port"])
        .stopped("WebSocket", "TCP");
    assert!(began.elapsed() < Duration::from_secs(10), "took {:?}", began.elapsed());
}

#[test]
fn wrong_proxies() {
    let sandbox = Sandbox::start().unwrap();
    let proxy = format!("http://bob:hunter2@127.0.0.1:{}", closed_port());
    Report::of(device(&sandbox).args(["--proxy", &proxy]), &sandbox)
        .has_failed(&["TCP"])
        .says("TCP", &["through the proxy", "refused", "hint:"])
        .says("clock", &["not reached: TCP failed"])
        .stopped("WebSocket", "TCP");

    let proxy = sandbox.proxies().http_auth.clone();
    let (_, address) = proxy.rsplit_once('@').unwrap();
    Report::of(device(&sandbox).args(["--proxy", &format!("http://{address}")]), &sandbox)
        .has_failed(&["TCP"])
        .says("TCP", &["407", "hint:"]);

    Report::of(device(&sandbox).env("HTTPS_PROXY", "gopher://bob:hunter2@a.example"), &sandbox)
        .has_failed(&["proxy"])
        .says("proxy", &["HTTPS_PROXY", "means:", "--no-proxy"])
        .stopped("WebSocket", "proxy");
}

#[test]
fn wrong_clocks() {
    let sandbox = Sandbox::builder().clock_offset_seconds(-400).start().unwrap();
    Report::of(device(&sandbox), &sandbox)
        .works_with_warnings_of(&["clock"])
        .says("clock", &["s fast", "NTP"]);
    Report::of(signed(&sandbox), &sandbox)
        .has_failed(&["clock", "caller identity", "WebSocket"])
        .says("clock", &["s fast", "5 minutes", "NTP"])
        .says("caller identity", &["not yet current", "clock is off", "NTP"])
        .says("WebSocket", &["403", "hint:", "clock"])
        .stopped("CONNACK", "WebSocket");

    let sandbox = Sandbox::builder().clock_offset_seconds(100).start().unwrap();
    Report::of(signed(&sandbox), &sandbox).works_with_warnings_of(&["clock"]).says("clock", &["s slow"]);
}

#[test]
fn a_server_without_https_leaves_the_clock_to_itself() {
    let sandbox = Sandbox::start().unwrap();
    let sample = doctor().mqtt(&sandbox).device(sandbox.device());
    let port = closed_port().to_string();
    Report::of(sample.args(["--https-port", &port]), &sandbox)
        .works_with_warnings_of(&["clock"])
        .says("clock", &["no HTTPS answer", "refused", "could not be compared", "--https-port"]);
}

#[test]
fn names_that_are_worth_a_word() {
    let sandbox = Sandbox::start().unwrap();
    // A proxy that is not there: nobody outside this machine is asked.
    let proxy = format!("http://127.0.0.1:{}", closed_port());
    let legacy = "a1b2c3.iot.eu-west-1.amazonaws.com";
    for (endpoint, words) in [
        (legacy, ["legacy", "-ats"]),
        (
            "a1b2c3.credentials.iot.eu-west-1.amazonaws.com",
            ["not one that AWS IoT Core", "describe-endpoint"],
        ),
        ("iot.eusc-de-east-1.amazonaws.eu", ["not one that AWS IoT Core", "describe-endpoint"]),
        ("127.0.0.1", ["SNI", "describe-endpoint"]),
    ] {
        let sample = doctor().args(["--endpoint", endpoint, "--proxy", &proxy]).device(sandbox.device());
        let report = Report::of(sample, &sandbox).has_failed(&["TCP"]).says("endpoint", &words);
        assert_eq!(report.sign("endpoint"), "warn", "{report:#?}");
    }
    let named = "a1b2c3-ats.iot.eu-west-1.amazonaws.com";
    let sample = doctor().args(["--endpoint", named, "--proxy", &proxy, "--auth", "sigv4"]);
    Report::of(sample.credentials(sandbox.credentials()).env("AWS_REGION", "us-east-1"), &sandbox)
        .has_failed(&["TCP"])
        .says("endpoint", &["region eu-west-1", "AWS_REGION is us-east-1"]);
}

#[test]
fn a_standard_output_that_fails_is_named() {
    let outcome = Sample::on_full_disk(BINARY).args(["--endpoint", "localhost", "--port", "1"]).run();
    outcome.failed(1, &["cannot write to the standard output: No space left on device"]);
}
