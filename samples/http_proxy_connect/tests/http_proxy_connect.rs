//! The sample through the sandbox's proxies and through real ones, and what it says when one refuses.

use std::net::TcpListener;
use std::path::Path;

use sandbox::{Principal, ProxyKind, Sandbox};
#[cfg(target_os = "linux")]
use testkit::proxies::http_ways;
use testkit::proxies::{Login, Microsocks, Scripted, Squid, Then, Tinyproxy};
use testkit::{Sample, policy, readme};

const BINARY: &str = env!("CARGO_BIN_EXE_http_proxy_connect");
const LOGIN: Login = Login { user: "user", password: "secret" };

fn http_proxy_connect(sandbox: &Sandbox) -> Sample {
    to_port(sandbox, sandbox.mqtt_port())
}

fn to_port(sandbox: &Sandbox, port: u16) -> Sample {
    Sample::new(BINARY).to_port(sandbox, port).device(sandbox.device())
}

#[test]
fn connects_through_each_proxy_of_the_sandbox() {
    let sandbox = Sandbox::start().unwrap();
    let proxies = sandbox.proxies();
    let ca_file = sandbox.ca_file().display().to_string();
    for (kind, url, user) in [
        (ProxyKind::Http, &proxies.http, false),
        (ProxyKind::HttpAuth, &proxies.http_auth, true),
        (ProxyKind::Https, &proxies.https, false),
    ] {
        let sample = http_proxy_connect(&sandbox).args(["--proxy", url, "--client-id", "test-1"]);
        let sample =
            if kind == ProxyKind::Https { sample.args(["--proxy-ca-file", &ca_file]) } else { sample };
        let outcome = sample.run().succeeded();
        let expected = format!("Connected to localhost:{} as test-1\nDisconnected\n", sandbox.mqtt_port());
        assert_eq!((outcome.stdout, outcome.stderr), (expected, String::new()));
        let proxied = sandbox.proxied().pop().expect("it was asked");
        assert_eq!((proxied.proxy, proxied.user.is_some()), (kind, user));
        assert_eq!(proxied.target, format!("localhost:{}", sandbox.mqtt_port()));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn connects_through_each_real_proxy_and_contacts_nobody_else() {
    let sandbox = Sandbox::start().unwrap();
    for way in http_ways() {
        way.leads(http_proxy_connect(&sandbox), sandbox.mqtt_port());
    }
}

#[test]
fn the_official_flags_and_the_environment_work() {
    let sandbox = Sandbox::start().unwrap();
    let proxy = Squid { login: Some(LOGIN), ..Squid::default() }.start();
    let port = proxy.port().to_string();
    let run = |flags: &[&str]| http_proxy_connect(&sandbox).args(flags).run();
    let host = ["--proxy_host", "127.0.0.1", "--proxy_port", &port];
    let login = ["--proxy_user_name", "user", "--proxy_password", "secret"];
    run(&[&host[..], &login].concat()).succeeded();
    run(&host).failed(1, &["HTTP 407", "--proxy-user-file", "AWS_IOT_PROXY_USER"]);

    let url = format!("http://user:secret@127.0.0.1:{port}");
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let outcome = http_proxy_connect(&sandbox).env(variable, &url).args(["--verbose"]).run().succeeded();
        assert!(outcome.stderr.contains(&format!("as {variable} says")), "{outcome:#?}");
        assert!(!outcome.stderr.contains("secret"), "{outcome:#?}");
    }
}

#[test]
fn without_a_proxy_it_connects_directly_with_one_warning() {
    let sandbox = Sandbox::start().unwrap();
    let sample = || http_proxy_connect(&sandbox).args(["--client-id", "test-1"]);
    let url = &sandbox.proxies().http;
    for (sample, words) in [
        (sample(), ["HTTPS_PROXY and ALL_PROXY are not set", "http:// or https://"]),
        (sample().args(["--no-proxy"]).env("HTTPS_PROXY", url), ["as --no-proxy says", "--proxy"]),
        (
            sample().env("HTTPS_PROXY", url).env("NO_PROXY", "localhost"),
            ["\"localhost\" in NO_PROXY", "--proxy"],
        ),
    ] {
        let outcome = sample.run().succeeded();
        let expected = format!("Connected to localhost:{} as test-1\nDisconnected\n", sandbox.mqtt_port());
        assert_eq!(outcome.stdout, expected);
        outcome.warned_once(&[&["no proxy is in use"], &words[..]].concat());
    }
    assert_eq!(sandbox.proxied().len(), 0);
}

#[test]
fn a_proxy_of_another_kind_is_used_where_the_environment_names_it() {
    let sandbox = Sandbox::start().unwrap();
    let sample = || http_proxy_connect(&sandbox);
    let url = &sandbox.proxies().socks5;
    let outcome = sample().env("ALL_PROXY", url).run().succeeded();
    outcome.warned_once(&[url, "as ALL_PROXY says", "http:// or https:// was expected"]);
    assert_eq!(sandbox.proxied().len(), 1);
    let flag = sample().args(["--proxy", url]).run();
    flag.failed(2, &["http:// or https:// was expected", "socks5h://127.0.0.1", "as --proxy says"]);
}

#[test]
fn a_variable_that_names_no_proxy_never_leads_to_a_direct_connection() {
    let sandbox = Sandbox::start().unwrap();
    for (value, words) in [
        ("ftp://user:hunter2@x", "ftp://"),
        ("http://user:hunter2@127.0.0.1:1\r", "carriage return"),
        ("\"http://user:hunter2@127.0.0.1:1\"", "quotes around it"),
    ] {
        let outcome = http_proxy_connect(&sandbox).env("HTTPS_PROXY", value).run();
        assert!(!outcome.stderr.contains("hunter2"), "{outcome:#?}");
        outcome.failed(1, &["HTTPS_PROXY does not name a proxy", words]);
    }
    assert_eq!(sandbox.connections().len(), 0);
}

#[test]
fn each_entry_of_no_proxy_that_matches_nothing_is_warned_of() {
    let sandbox = Sandbox::start().unwrap();
    let sample = http_proxy_connect(&sandbox).env("HTTPS_PROXY", &sandbox.proxies().http);
    let outcome = sample.env("no_proxy", "localhost;127.0.0.1,'localhost',localhost\r").run().succeeded();
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{outcome:#?}");
    for (line, words) in lines.iter().zip([
        "the entry \"localhost;127.0.0.1\" of no_proxy matches nothing: only commas and blanks",
        "the entry \"'localhost'\" of no_proxy matches nothing: the quotes",
        "the entry \"localhost\\r\" of no_proxy matches nothing: a carriage return",
    ]) {
        assert!(line.contains("WARN") && line.contains(words), "{line}");
    }
    assert_eq!(sandbox.proxied().len(), 1);
}

#[test]
fn real_proxies_refuse_with_their_own_answer() {
    let sandbox = Sandbox::start().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let run = |proxy: u16, user: &str, port: u16| {
        let url = format!("http://{user}127.0.0.1:{proxy}");
        to_port(&sandbox, port).args(["--proxy", &url, "--connect-timeout", "10"]).run()
    };
    // They would let it through to the closed port only.
    let squid = Squid { login: Some(LOGIN), only_ports: &[closed] }.start();
    let tinyproxy = Tinyproxy { login: Some(LOGIN), only_ports: &[closed] }.start();
    for (server, wrong, unreachable) in
        [(&squid, "HTTP 407 Proxy Authentication Required", "HTTP 503"), (&tinyproxy, "HTTP 401", "HTTP 50")]
    {
        let proxy = server.port();
        run(proxy, "", closed).failed(1, &["HTTP 407", "hint:", "--proxy-user-file"]);
        run(proxy, "user:wrong@", closed).failed(1, &[wrong, "hint:", "user name and the password"]);
        let words = [unreachable, "hint:", "the proxy cannot get through to localhost"];
        run(proxy, "user:secret@", closed).failed(1, &words);
        let target = format!("localhost and port {}", sandbox.mqtt_port());
        let words = ["HTTP 403", "hint:", "must allow CONNECT", &target];
        run(proxy, "user:secret@", sandbox.mqtt_port()).failed(1, &words);
    }
    run(squid.port(), "user:secret@", sandbox.mqtt_port()).failed(1, &["ERR_ACCESS_DENIED"]);
    let down = [&format!("http://127.0.0.1:{closed}"), "hint:", "nothing listens there"];
    run(closed, "", sandbox.mqtt_port()).failed(1, &down);
    // It takes the C of CONNECT for a version that it does not know.
    let socks = Microsocks::default().start();
    run(socks.port(), "", sandbox.mqtt_port()).failed(1, &["hint:", "proxy"]);
    assert_eq!(sandbox.connections().len(), 0);
}

#[test]
fn no_answer_of_a_proxy_makes_it_hang_or_connect() {
    let sandbox = Sandbox::start().unwrap();
    let long = [b"HTTP/1.1 200 OK\r\nX-Filler: ".as_slice(), &[b'x'; 100_000]].concat();
    for (answers, then, words) in [
        (&[][..], Then::Hangs, &["within 1 s", "waiting for proxy"][..]),
        (&[], Then::Closes, &["closed the connection"]),
        (&[b"HTTP/1.1 2".as_slice()], Then::Closes, &["HTTP/1.1 2"]),
        (&[b"HTTP/1.1 200 OK\r\nVia: x"], Then::Hangs, &["within 1 s", "HTTP/1.1 200 OK"]),
        (&[b"\x00\xff\xfe garbage \r\n\r\n"], Then::Closes, &["garbage"]),
        (&[&long], Then::Closes, &["HTTP/1.1 200 OK"]),
        (&[b"\x05\x00"], Then::Closes, &["a SOCKS server answers", "socks5h://"]),
        (&[b"\x15\x03\x01\x00\x02\x02\x46"], Then::Closes, &["speaks TLS", "https://"]),
        (&[b"SSH-2.0-OpenSSH_9.2\r\n"], Then::Closes, &["SSH-2.0-OpenSSH_9.2", "check the proxy's scheme"]),
        (
            &[b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"],
            Then::Closes,
            &["HTTP 302", "captive portal"],
        ),
        (&[b"HTTP/1.1 799 Whatever\r\nContent-Length: 5\r\n\r\nnever"], Then::Closes, &["HTTP 799", "never"]),
    ] {
        let proxy = Scripted::start(answers, then);
        let url = format!("http://{}", proxy.address());
        let sample = http_proxy_connect(&sandbox).args(["--proxy", &url, "--connect-timeout", "1"]);
        sample.run().failed(1, &[words, &[&url]].concat());
    }
    // A client that takes whatever follows for the broker would be fooled; this one wants the broker's certificate.
    let proxy = Scripted::start(&[b"HTTP/1.1 200 OK\r\n\r\n", b"\x20\x02\x00\x00"], Then::Closes);
    let url = format!("http://{}", proxy.address());
    http_proxy_connect(&sandbox).args(["--proxy", &url]).run().failed(1, &["TLS", "hint:", "proxy"]);
    assert_eq!(sandbox.connections().len(), 0);
}

#[test]
fn tls_with_the_proxy_is_checked() {
    let sandbox = Sandbox::start().unwrap();
    let run =
        |url: &str, flags: &[&str]| http_proxy_connect(&sandbox).args(["--proxy", url]).args(flags).run();
    // The broker's CA file does not count for the proxy.
    run(&sandbox.proxies().https, &[]).failed(1, &["UnknownIssuer", "hint:", "--proxy-ca-file"]);
    let plain = sandbox.proxies().http.replace("http://", "https://");
    run(&plain, &["--connect-timeout", "5"]).failed(1, &["hint:", "http:// in place of https://"]);
    let ca_file = sandbox.ca_file().display().to_string();
    let flags = ["--proxy-ca-file", &ca_file];
    run(&sandbox.proxies().http, &flags).failed(1, &["--proxy-ca-file is for a proxy with https://"]);
}

#[test]
fn no_password_reaches_a_log() {
    let sandbox = Sandbox::start().unwrap();
    let proxies = sandbox.proxies();
    let password = proxies.http_auth.split_once('@').and_then(|(login, _)| login.rsplit_once(':')).unwrap().1;
    for (url, exit) in [(proxies.http_auth.clone(), 0), (proxies.http_auth.replace(password, "hunter2"), 1)] {
        let outcome = http_proxy_connect(&sandbox).args(["--proxy", &url]).env("RUST_LOG", "trace").run();
        assert_eq!(outcome.code, Some(exit), "{outcome:#?}");
        assert!(outcome.stderr.contains("TRACE") || outcome.stderr.contains("DEBUG"), "there are logs");
        assert!(!outcome.stderr.contains(password) && !outcome.stderr.contains("hunter2"), "{outcome:#?}");
    }
}

#[test]
fn the_policy_is_sufficient_and_minimal() {
    let sandbox = Sandbox::start().unwrap();
    policy::is_sufficient_and_minimal(&sandbox, Principal::Device, "http_proxy_connect", || {
        http_proxy_connect(&sandbox).args(["--proxy", &sandbox.proxies().http]).run()
    });
}

#[test]
fn the_readme_works() {
    let sandbox = Sandbox::start().unwrap();
    readme::commands_work(Path::new(env!("CARGO_MANIFEST_DIR")), "http_proxy_connect", BINARY, &sandbox);
}
