//! What a capture shows and what not, with curl as the program that is looked at.
#![cfg(target_os = "linux")]

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use sandbox::Sandbox;
use testkit::proxies::{Microsocks, Server, Tinyproxy};
use testkit::{Capture, Contact};

fn through(sandbox: &Sandbox, scheme: &str, proxy: &Server) -> Command {
    support::command(sandbox, ["--ipv4", "--proxy", &format!("{scheme}://{}", proxy.address())])
}

fn gateway(sandbox: &Sandbox) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, sandbox.https_port()).into()
}

#[test]
fn a_client_that_leaves_it_all_to_its_proxy() {
    let sandbox = Sandbox::start().unwrap();
    for (scheme, proxy) in
        [("socks5h", Microsocks::default().start()), ("http", Tinyproxy::default().start())]
    {
        let (outcome, capture) = Capture::of(&through(&sandbox, scheme, &proxy));
        assert!(outcome.succeeded().stdout.ends_with(" 404"));
        capture.assert_only(&[proxy.address()]);
    }
}

#[test]
fn a_direct_connection_is_seen() {
    let sandbox = Sandbox::start().unwrap();
    let proxy = Microsocks::default().start();
    let mut direct = through(&sandbox, "socks5h", &proxy);
    direct.args(["--noproxy", "*"]);
    let (outcome, capture) = Capture::of(&direct);
    assert_eq!(outcome.succeeded().stdout, "000 404");
    assert!(capture.contacts().contains(&Contact::Internet(gateway(&sandbox))), "{capture:?}");
    let error = std::panic::catch_unwind(|| capture.assert_only(&[proxy.address()]));
    assert!(error.is_err(), "{capture:?}");
}

#[test]
fn a_query_for_a_name_is_seen() {
    // What a resolver does, but to a name server of which there is none.
    let script = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
                  try: s.sendto(b'query', ('127.0.0.1', 53))\n\
                  except OSError: pass";
    let mut query = Command::new("python3");
    query.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).args(["-I", "-c", script]);
    let (outcome, capture) = Capture::of(&query);
    outcome.succeeded();
    capture.assert_only(&["127.0.0.1:53".parse().unwrap()]);
}

#[test]
fn what_the_program_says_to_itself_does_not_count() {
    let script = "import socket; l = socket.create_server(('127.0.0.1', 0)); s = socket.create_connection(l.getsockname())";
    let mut alone = Command::new("python3");
    alone.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).args(["-I", "-c", script]);
    let (outcome, capture) = Capture::of(&alone);
    outcome.succeeded();
    capture.assert_only(&[]);
}
