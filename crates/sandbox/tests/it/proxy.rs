//! The proxies, with curl as a foreign client and byte by byte.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sandbox::{Proxied, ProxyKind, Sandbox};

use crate::support::start;
use crate::support::tls::text;

/// Longer than any deadline of the proxies.
const PATIENCE: Duration = Duration::from_secs(20);

/// What curl says of one request.
#[derive(Debug)]
struct Curl {
    exit_code: Option<i32>,
    /// The statuses of the proxy's answer to CONNECT and of the gateway's answer; 0 where there was none.
    statuses: (u16, u16),
    messages: String,
}

fn curl(sandbox: &Sandbox, proxy: &str, flags: &[&str], target: &str) -> Curl {
    let output = Command::new("curl")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .args(["--disable", "--silent", "--show-error", "--max-time", "20", "--output", "/dev/null"])
        .args(["--write-out", "%{http_connect} %{http_code}", "--proxy", proxy])
        .arg("--cacert")
        .arg(sandbox.ca_file())
        .arg("--proxy-cacert")
        .arg(sandbox.ca_file())
        .args(flags)
        .arg(target)
        .stdin(Stdio::null())
        .output()
        .expect("curl starts: `cargo xtask setup --tests` installs it");
    let words = String::from_utf8(output.stdout).unwrap();
    let (connect, answer) = words.split_once(' ').unwrap();
    Curl {
        exit_code: output.status.code(),
        statuses: (connect.parse().unwrap(), answer.parse().unwrap()),
        messages: String::from_utf8(output.stderr).unwrap(),
    }
}

fn gateway(sandbox: &Sandbox) -> String {
    format!("https://localhost:{}/", sandbox.https_port())
}

fn port(url: &str) -> u16 {
    url.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// User and password of a URL, as `user:password`.
fn login(url: &str) -> &str {
    url.split_once("://").unwrap().1.split_once('@').unwrap().0
}

fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port(url))).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends all of it and reads to the end of the connection, which the proxy closes, or resets after what it has said.
fn exchange(url: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = connect(url);
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// Reads as many bytes as are expected.
fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Sends back what comes over one connection, up to its end; returns the port.
fn echo(listener: TcpListener) -> u16 {
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        std::io::copy(&mut &stream, &mut &stream).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    });
    port
}

fn echo_v4() -> u16 {
    echo(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
}

/// A port on which nobody listens: it belongs to the stream, which does not.
fn closed_port() -> (TcpStream, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = stream.local_addr().unwrap().port();
    (stream, port)
}

#[test]
fn curl_reaches_the_gateway_through_each() {
    let sandbox = start();
    let proxies = sandbox.proxies();
    let user = login(&proxies.http_auth).split_once(':').unwrap().0;
    let cases = [
        (ProxyKind::Http, &proxies.http, 200, None),
        (ProxyKind::HttpAuth, &proxies.http_auth, 200, Some(user)),
        (ProxyKind::Https, &proxies.https, 200, None),
        (ProxyKind::Socks5, &proxies.socks5, 0, None),
        (ProxyKind::Socks5Auth, &proxies.socks5_auth, 0, Some(user)),
    ];
    for (index, (kind, url, connect, user)) in cases.into_iter().enumerate() {
        let answer = curl(&sandbox, url, &[], &gateway(&sandbox));
        assert_eq!((answer.exit_code, answer.statuses), (Some(0), (connect, 404)), "{url} {answer:?}");
        let Proxied { proxy, target, user: known, .. } = sandbox.proxied().remove(index);
        assert_eq!((proxy, target), (kind, format!("localhost:{}", sandbox.https_port())));
        assert_eq!(known.as_deref(), user);
    }
}

#[test]
fn the_contract_names_them() {
    let sandbox = start();
    let json: serde_json::Value = serde_json::from_str(&text(&sandbox.write_contract().unwrap())).unwrap();
    let proxies = sandbox.proxies();
    for (kind, url) in [
        ("http", &proxies.http),
        ("http_auth", &proxies.http_auth),
        ("https", &proxies.https),
        ("socks5", &proxies.socks5),
        ("socks5_auth", &proxies.socks5_auth),
    ] {
        assert_eq!(json["proxies"][kind], url.as_str());
    }
}

#[test]
fn a_name_that_the_client_resolves_arrives_as_an_address() {
    let sandbox = start();
    let url = sandbox.proxies().socks5.replace("socks5h", "socks5");
    let answer = curl(&sandbox, &url, &["--ipv4"], &gateway(&sandbox));
    assert_eq!(answer.statuses.1, 404, "{answer:?}");
    assert_eq!(sandbox.proxied()[0].target, format!("127.0.0.1:{}", sandbox.https_port()));
}

#[test]
fn the_proxy_with_tls_has_the_sandboxs_certificate() {
    let sandbox = start();
    let url = &sandbox.proxies().https;
    // No server name is sent for an address, and none is needed here.
    let by_address = url.replace("localhost", "127.0.0.1");
    let answer = curl(&sandbox, &by_address, &[], &gateway(&sandbox));
    assert_eq!(answer.statuses, (200, 404), "{answer:?}");
    // The CA is not in the system's store.
    let none = tempfile::NamedTempFile::new().unwrap();
    let flags = ["--proxy-cacert", none.path().to_str().unwrap()];
    let answer = curl(&sandbox, url, &flags, &gateway(&sandbox));
    assert_eq!(answer.statuses, (0, 0), "{answer:?}");
    // Nor is it a proxy without TLS.
    let plain = exchange(url, b"CONNECT localhost:1 HTTP/1.1\r\n\r\n");
    assert!(!plain.starts_with(b"HTTP"), "{plain:?}");
}

#[test]
fn a_wrong_password_or_none_is_refused() {
    let sandbox = start();
    let proxies = sandbox.proxies();
    let wrong = ["--proxy-user", "sandbox:wrong"];
    let http = proxies.http_auth.replace(&format!("{}@", login(&proxies.http_auth)), "");
    let socks5 = proxies.socks5_auth.replace(&format!("{}@", login(&proxies.socks5_auth)), "");
    for (url, flags, status, words) in [
        (&http, &[][..], 407, "407"),
        (&http, &wrong[..], 407, "407"),
        (&socks5, &[][..], 0, "No authentication method was acceptable"),
        (&socks5, &wrong[..], 0, "User was rejected by the SOCKS5 server (1 1)"),
    ] {
        let answer = curl(&sandbox, url, flags, &gateway(&sandbox));
        assert_ne!(answer.exit_code, Some(0));
        assert_eq!(answer.statuses, (status, 0), "{answer:?}");
        assert!(answer.messages.contains(words), "{answer:?}");
    }
    // One that wants no password takes a client that offers one, too.
    let answer = curl(&sandbox, &proxies.socks5, &wrong, &gateway(&sandbox));
    assert_eq!((answer.statuses.1, &sandbox.proxied()[0].user), (404, &None), "{answer:?}");
    assert_eq!(sandbox.proxied().len(), 1, "who was refused has asked for nothing");

    let password = login(&proxies.http_auth).split_once(':').unwrap().1;
    assert!(!format!("{sandbox:?} {proxies:?}").contains(password));
    assert_ne!(login(&start().proxies().http_auth), login(&proxies.http_auth));
}

#[test]
fn http_refuses_with_the_status_that_says_why() {
    let sandbox = start();
    let (_stream, closed) = closed_port();
    let closed_target = format!("CONNECT localhost:{closed} HTTP/1.1\r\n\r\n");
    for (request, status, words) in [
        (
            "CONNECT example.com:443 HTTP/1.1\r\n\r\n",
            "403 Forbidden",
            "cannot connect to example.com:443: only",
        ),
        ("CONNECT 192.0.2.1:443 HTTP/1.1\r\n\r\n", "403 Forbidden", "loopback"),
        ("CONNECT 0.0.0.0:443 HTTP/1.1\r\n\r\n", "403 Forbidden", "loopback"),
        ("CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n", "403 Forbidden", "loopback"),
        ("CONNECT host.invalid:443 HTTP/1.1\r\n\r\n", "502 Bad Gateway", "no such name"),
        (&closed_target, "502 Bad Gateway", "refused"),
        ("CONNECT localhost HTTP/1.1\r\n\r\n", "400 Bad Request", "a host and a port"),
        ("CONNECT user@localhost:1 HTTP/1.1\r\n\r\n", "400 Bad Request", "a host and a port"),
        ("GET http://localhost:1/ HTTP/1.1\r\n\r\n", "405 Method Not Allowed", "allow: CONNECT"),
        ("CONNECT localhost:x HTTP/1.1\r\n\r\n", "400 Bad Request", ""),
        ("\x05\x01\x00 this is no HTTP\r\n\r\n", "400 Bad Request", ""),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", "400 Bad Request", ""),
    ] {
        let mut stream = connect(&sandbox.proxies().http);
        stream.write_all(request.as_bytes()).unwrap();
        // The connection stays open for another try, unless the client closes it.
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request:?} {answer:?}");
        assert!(answer.contains(words), "{request:?} {answer:?}");
    }
    let long = format!("CONNECT localhost:1 HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(8 * 1024));
    let answer = String::from_utf8(exchange(&sandbox.proxies().http, long.as_bytes())).unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
}

#[test]
fn http_lets_a_client_try_again_with_the_password() {
    let sandbox = start();
    let url = &sandbox.proxies().http_auth;
    let request = format!("CONNECT localhost:{} HTTP/1.1\r\n", echo_v4());
    let mut stream = connect(url);
    stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    while !answer.ends_with("needed\n") {
        answer.push(char::from(read::<1>(&mut stream)[0]));
    }
    assert!(answer.starts_with("HTTP/1.1 407 "), "{answer:?}");
    let challenge = "\r\nproxy-authenticate: Basic realm=\"sandbox\", charset=\"UTF-8\"\r\n";
    assert!(answer.contains(challenge), "{answer:?}");

    let login = STANDARD.encode(login(url));
    // What is sent before the answer is for the target.
    let again = format!("{request}Proxy-Authorization: Basic {login}\r\n\r\nhello");
    stream.write_all(again.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"), "{answer:?}");
    assert!(!answer.contains("content-length"), "RFC 9110 §9.3.6 forbids it: {answer:?}");
}

/// A greeting without a password, and a request with this command and this address.
fn socks(command: u8, address: &[u8], port: u16) -> Vec<u8> {
    [&[5, 1, 0, 5, command, 0][..], address, &port.to_be_bytes()].concat()
}

fn name(name: &str) -> Vec<u8> {
    [&[3, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat()
}

#[test]
fn socks5_refuses_with_the_code_that_says_why() {
    let sandbox = start();
    let (_stream, closed) = closed_port();
    let localhost = [1, 127, 0, 0, 1];
    for (request, code) in [
        (socks(1, &localhost, closed), 5),
        (socks(1, &name("localhost"), closed), 5),
        (socks(1, &name("host.invalid"), 443), 4),
        (socks(1, &name("example.com"), 443), 2),
        (socks(1, &name(""), 443), 2),
        (socks(1, &[1, 0, 0, 0, 0], 443), 2),
        (socks(1, &[1, 192, 0, 2, 1], 443), 2),
        (socks(1, &[&[4, 0x20, 1, 0xD, 0xB8][..], &[0; 12]].concat(), 443), 2),
        // BIND, UDP ASSOCIATE, and one that does not exist.
        (socks(2, &localhost, 443), 7),
        (socks(3, &localhost, 443), 7),
        (socks(9, &localhost, 443), 7),
        (socks(1, &[2, 127, 0, 0, 1], 443), 8),
    ] {
        let answer = exchange(&sandbox.proxies().socks5, &request);
        assert_eq!(answer, [5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0], "{request:?}");
    }
    // Not SOCKS5, no method in common, and an exchange of passwords that is none.
    let proxies = sandbox.proxies();
    assert!(exchange(&proxies.socks5, b"\x04\x01\x00\x50\x7F\0\0\x01\0").is_empty());
    assert!(exchange(&proxies.socks5, b"CONNECT localhost:1 HTTP/1.1\r\n\r\n").is_empty());
    assert_eq!(exchange(&proxies.socks5, &[5, 0]), [5, 0xFF]);
    assert_eq!(exchange(&proxies.socks5, &[5, 2, 1, 2]), [5, 0xFF]);
    assert_eq!(exchange(&proxies.socks5_auth, &[5, 1, 0]), [5, 0xFF]);
    assert_eq!(exchange(&proxies.socks5_auth, &[5, 1, 2, 5, 1, 0, 1, 0]), [5, 2]);
    assert_eq!(exchange(&proxies.socks5_auth, &[5, 2, 0, 2, 1, 1, b'x', 0]), [5, 2, 1, 1]);
}

#[test]
fn socks5_takes_each_type_of_address() {
    let sandbox = start();
    let url = &sandbox.proxies().socks5;
    let by_name = echo_v4();
    let by_v4 = echo_v4();
    let mut targets = vec![
        (socks(1, &name("localhost"), by_name), format!("localhost:{by_name}")),
        (socks(1, &[1, 127, 0, 0, 1], by_v4), format!("127.0.0.1:{by_v4}")),
    ];
    let v6 = [&[4][..], &Ipv6Addr::LOCALHOST.octets()].concat();
    match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(listener) => {
            let port = echo(listener);
            targets.push((socks(1, &v6, port), format!("[::1]:{port}")));
        }
        // Without IPv6 it is at least understood.
        Err(_) => assert_ne!(exchange(url, &socks(1, &v6, 1))[3], 0),
    }
    for (request, target) in targets {
        let mut stream = connect(url);
        stream.write_all(&[&request[..], b"early"].concat()).unwrap();
        let [version, method, _, reply, _, address_type] = read(&mut stream);
        assert_eq!((version, method, reply), (5, 0, 0), "{target}");
        let bound = if address_type == 4 { 16 + 2 } else { 4 + 2 };
        stream.read_exact(&mut vec![0; bound]).unwrap();
        assert_eq!(&read(&mut stream), b"early");
        let large = vec![7; 300_000];
        let mut writer = stream.try_clone().unwrap();
        let (copy, mut echoed) = (large.clone(), Vec::new());
        let sender = thread::spawn(move || {
            writer.write_all(&copy).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        stream.read_to_end(&mut echoed).unwrap();
        sender.join().unwrap();
        assert!(echoed == large, "{} bytes came back", echoed.len());
        assert_eq!(sandbox.proxied().last().unwrap().target, target);
    }
}

#[test]
fn who_says_nothing_is_sent_away() {
    let sandbox = start();
    let proxies = sandbox.proxies();
    let mut silent = Vec::new();
    for (url, beginning) in [
        (&proxies.http, &b""[..]),
        (&proxies.http, b"CONNECT localhost:1 HTT"),
        (&proxies.https, b""),
        (&proxies.https, b"\x16\x03\x01"),
        (&proxies.socks5, b""),
        (&proxies.socks5, &[5, 1, 0, 5, 1]),
        (&proxies.socks5_auth, &[5, 1, 2, 1, 1]),
    ] {
        let mut stream = connect(url);
        stream.write_all(beginning).unwrap();
        silent.push(stream);
    }
    for mut stream in silent {
        // The end, within what the stream waits for; some say something before.
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.len() < 1024);
    }
    assert!(sandbox.proxied().is_empty());
}

#[test]
fn they_end_with_the_sandbox_and_come_back_on_the_same_ports() {
    let mut sandbox = start();
    let before = sandbox.proxies().clone();
    let mut stream = connect(&before.socks5);
    stream.write_all(&socks(1, &name("localhost"), sandbox.https_port())).unwrap();
    assert_eq!(read::<12>(&mut stream)[3], 0);
    sandbox.stop();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    for url in [&before.http, &before.http_auth, &before.https, &before.socks5, &before.socks5_auth] {
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port(url))).is_err(), "{url}");
    }
    sandbox.restart().unwrap();
    assert_eq!(sandbox.proxies(), &before);
    for url in [&before.http_auth, &before.socks5_auth] {
        let answer = curl(&sandbox, url, &[], &gateway(&sandbox));
        assert_eq!(answer.statuses.1, 404, "{answer:?}");
    }
    assert_eq!(sandbox.proxied().len(), 3, "a restart forgets nothing");
}
