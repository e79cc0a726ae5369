//! The real proxies do what their settings say: curl gets through each of them, and is refused by each.

mod support;

use std::fs;
use std::net::TcpStream;

use sandbox::Sandbox;
use testkit::Outcome;
use testkit::proxies::{Dante, Login, Microsocks, Server, Squid, Stunnel, Tinyproxy};

use support::command;

const LOGIN: Login = Login { user: "user", password: "secret" };
const RIGHT: [&str; 2] = ["--proxy-user", "user:secret"];
const WRONG: [&str; 2] = ["--proxy-user", "user:wrong"];

/// Without CONNECT, and with the gateway's answer.
const THROUGH_SOCKS5: &str = "000 404";
const THROUGH_HTTP: &str = "200 404";

struct Proxy<'a> {
    server: Server,
    scheme: &'a str,
    sandbox: &'a Sandbox,
}

impl Proxy<'_> {
    /// Runs curl through it, which has to print these statuses, and these words on standard error.
    #[track_caller]
    fn answers(&self, flags: &[&str], statuses: &str, words: &str) {
        let url = format!("{}://localhost:{}", self.scheme, self.server.port());
        let flags = [&["--proxy", &url], flags].concat();
        let outcome = Outcome::of(&mut command(self.sandbox, flags));
        assert_eq!(outcome.stdout, statuses, "{outcome:?} {}", self.server.log());
        assert!(outcome.stderr.contains(words), "{outcome:?}");
    }
}

fn target(sandbox: &Sandbox) -> String {
    format!("localhost:{}", sandbox.https_port())
}

#[test]
fn dante_without_a_password() {
    let sandbox = Sandbox::start().unwrap();
    let proxy = Proxy { server: Dante::default().start(), scheme: "socks5h", sandbox: &sandbox };
    proxy.answers(&[], THROUGH_SOCKS5, "");
    proxy.server.logs(&format!("127.0.0.1.{}", sandbox.https_port()));
}

#[test]
fn dante_with_a_password() {
    let sandbox = Sandbox::start().unwrap();
    let login = Login { user: "user", password: "p@ss:/% word" };
    let server = Dante { login: Some(login), ..Dante::default() }.start();
    let proxy = Proxy { server, scheme: "socks5h", sandbox: &sandbox };
    proxy.answers(&["--proxy-user", "user:p@ss:/% word"], THROUGH_SOCKS5, "");
    proxy.server.logs("username%user@");
    proxy.answers(&WRONG, "000 000", "User was rejected by the SOCKS5 server");
    proxy.answers(&[], "000 000", "No authentication method was acceptable");
}

#[test]
fn dante_with_a_ruleset() {
    let sandbox = Sandbox::start().unwrap();
    let only = |ports: &[u16]| {
        let server = Dante { only_ports: ports, ..Dante::default() }.start();
        Proxy { server, scheme: "socks5h", sandbox: &sandbox }
    };
    only(&[1, sandbox.https_port()]).answers(&[], THROUGH_SOCKS5, "");
    let proxy = only(&[1]);
    // RFC 1928: connection not allowed by ruleset.
    proxy.answers(&[], "000 000", "Can't complete SOCKS5 connection to localhost. (2)");
    proxy.server.logs(&format!("localhost.{}", sandbox.https_port()));
}

#[test]
fn microsocks_without_a_password() {
    let sandbox = Sandbox::start().unwrap();
    let proxy = Proxy { server: Microsocks::default().start(), scheme: "socks5h", sandbox: &sandbox };
    proxy.answers(&[], THROUGH_SOCKS5, "");
    proxy.server.logs(&format!("connected to {}\n", target(&sandbox)));
}

#[test]
fn microsocks_with_a_password() {
    let sandbox = Sandbox::start().unwrap();
    let server = Microsocks { login: Some(LOGIN) }.start();
    let proxy = Proxy { server, scheme: "socks5h", sandbox: &sandbox };
    proxy.answers(&RIGHT, THROUGH_SOCKS5, "");
    proxy.answers(&WRONG, "000 000", "User was rejected by the SOCKS5 server");
    proxy.answers(&[], "000 000", "No authentication method was acceptable");
}

#[test]
fn squid() {
    let sandbox = Sandbox::start().unwrap();
    let proxy = Proxy { server: Squid::default().start(), scheme: "http", sandbox: &sandbox };
    proxy.answers(&[], THROUGH_HTTP, "");
    proxy.server.logs(&format!("The request CONNECT {} is ALLOWED", target(&sandbox)));
}

#[test]
fn squid_with_a_password_and_an_acl() {
    let sandbox = Sandbox::start().unwrap();
    let only = |ports: &[u16]| {
        let server = Squid { login: Some(LOGIN), only_ports: ports }.start();
        Proxy { server, scheme: "http", sandbox: &sandbox }
    };
    let proxy = only(&[1, sandbox.https_port()]);
    proxy.answers(&RIGHT, THROUGH_HTTP, "");
    proxy.answers(&WRONG, "407 000", "");
    proxy.answers(&[], "407 000", "");
    let proxy = only(&[1]);
    proxy.answers(&RIGHT, "403 000", "");
    proxy.server.logs(&format!("The request CONNECT {} is DENIED", target(&sandbox)));
}

#[test]
fn tinyproxy() {
    let sandbox = Sandbox::start().unwrap();
    let proxy = Proxy { server: Tinyproxy::default().start(), scheme: "http", sandbox: &sandbox };
    proxy.answers(&[], THROUGH_HTTP, "");
    proxy.server.logs(&format!("CONNECT {} HTTP/1.1", target(&sandbox)));
}

#[test]
fn tinyproxy_with_a_password_and_a_list_of_ports() {
    let sandbox = Sandbox::start().unwrap();
    let only = |ports: &[u16]| {
        let server = Tinyproxy { login: Some(LOGIN), only_ports: ports }.start();
        Proxy { server, scheme: "http", sandbox: &sandbox }
    };
    let proxy = only(&[1, sandbox.https_port()]);
    proxy.answers(&RIGHT, THROUGH_HTTP, "");
    proxy.answers(&WRONG, "401 000", "");
    proxy.answers(&[], "407 000", "");
    only(&[1]).answers(&RIGHT, "403 000", "");
}

#[test]
fn stunnel_before_tinyproxy() {
    let sandbox = Sandbox::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&cert_file, own.cert.pem()).unwrap();
    fs::write(&key_file, own.signing_key.serialize_pem()).unwrap();

    let tinyproxy = Tinyproxy::default().start();
    let (cert_file, key_file) = (cert_file.as_path(), key_file.as_path());
    let server = Stunnel { target_port: tinyproxy.port(), cert_file, key_file }.start();
    let proxy = Proxy { server, scheme: "https", sandbox: &sandbox };
    proxy.answers(&["--proxy-cacert", cert_file.to_str().unwrap()], THROUGH_HTTP, "");
    tinyproxy.logs(&format!("CONNECT {} HTTP/1.1", target(&sandbox)));
    // The sandbox's CA has not signed it.
    proxy.answers(&["--proxy-cacert", sandbox.ca_file().to_str().unwrap()], "000 000", "certificate");
}

#[test]
fn they_end_with_all_that_they_have_started() {
    let sandbox = Sandbox::start().unwrap();
    let squid = Proxy {
        server: Squid { login: Some(LOGIN), ..Squid::default() }.start(),
        scheme: "http",
        sandbox: &sandbox,
    };
    // It has a helper for passwords now, and Dante has children from the beginning.
    squid.answers(&RIGHT, THROUGH_HTTP, "");
    let dante = Dante::default().start();
    let ports = [squid.server.port(), dante.port()];
    drop((squid, dante));
    for port in ports {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
    // Squid's shared memory has the name of the process that started it, and of its port.
    let name = format!("testkit{}p{}-", std::process::id(), ports[0]);
    for entry in fs::read_dir("/dev/shm").into_iter().flatten() {
        let entry = entry.unwrap().file_name();
        assert!(!entry.to_string_lossy().starts_with(&name), "{entry:?}");
    }
}
