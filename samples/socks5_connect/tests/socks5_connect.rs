//! The sample through the sandbox's proxies and through real ones, and what it says when one refuses.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use sandbox::{Principal, ProxyKind, Sandbox, Transport};
#[cfg(target_os = "linux")]
use testkit::proxies::socks5_ways;
use testkit::proxies::{Dante, Login, Microsocks, Scripted, Squid, Then};
use testkit::{Sample, policy, readme};

const BINARY: &str = env!("CARGO_BIN_EXE_socks5_connect");
const LOGIN: Login = Login { user: "user", password: "secret" };

/// By mutual TLS.
fn device(sandbox: &Sandbox) -> Sample {
    device_to(sandbox, sandbox.mqtt_port())
}

fn device_to(sandbox: &Sandbox, port: u16) -> Sample {
    Sample::new(BINARY).to_port(sandbox, port).device(sandbox.device())
}

/// By a WebSocket that credentials of the environment sign.
fn websocket(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY)
        .https(sandbox)
        .args(["--websocket", "--region", sandbox.region()])
        .credentials(sandbox.credentials())
}

fn output(port: u16) -> String {
    format!(
        "Connected to localhost:{port} as test-1\n\
         Subscribed to test/topic\n\
         Published to test/topic: Hello through SOCKS5\n\
         Received on test/topic: Hello through SOCKS5\n\
         Disconnected\n"
    )
}

#[test]
fn publishes_and_receives_by_both_transports_and_each_scheme() {
    let sandbox = Sandbox::start().unwrap();
    let proxies = sandbox.proxies();
    for (kind, url, user) in [
        (ProxyKind::Socks5, proxies.socks5.clone(), false),
        (ProxyKind::Socks5Auth, proxies.socks5_auth.clone(), true),
        (ProxyKind::Socks5, proxies.socks5.replace("socks5h", "socks5"), false),
    ] {
        for (sample, port, transport) in [
            (device(&sandbox), sandbox.mqtt_port(), Transport::MutualTls),
            (websocket(&sandbox), sandbox.https_port(), Transport::WebSocket),
        ] {
            let outcome = sample.args(["--proxy", &url, "--client-id", "test-1"]).run().succeeded();
            assert_eq!((outcome.stdout, outcome.stderr), (output(port), String::new()));
            let proxied = sandbox.proxied().pop().expect("it was asked");
            assert_eq!((proxied.proxy, proxied.user.is_some()), (kind, user));
            // With socks5:// the name has been looked up here.
            let by_name = proxied.target == format!("localhost:{port}");
            assert_eq!(by_name, url.starts_with("socks5h"), "{}", proxied.target);
            assert_eq!(sandbox.connections().last().map(|one| one.transport), Some(transport));
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn connects_through_each_real_proxy_and_contacts_nobody_else() {
    let sandbox = Sandbox::start().unwrap();
    for way in socks5_ways() {
        way.leads(device(&sandbox), sandbox.mqtt_port());
        way.leads(websocket(&sandbox), sandbox.https_port());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_name_that_the_proxy_is_to_look_up_is_not_looked_up_here() {
    let sandbox = Sandbox::start().unwrap();
    let proxy = &sandbox.proxies().socks5;
    let address: SocketAddr = proxy.rsplit('/').next().unwrap().parse().unwrap();
    // ".invalid" never exists (RFC 6761 §6.4): somebody has to be asked for it.
    let sample = |proxy: &str| {
        let flags = ["--endpoint", "broker.invalid", "--connect-timeout", "5", "--proxy", proxy];
        Sample::new(BINARY).args(flags).device(sandbox.device())
    };
    let (outcome, capture) = sample(proxy).run_captured();
    outcome.failed(1, &["broker.invalid:8883", "SOCKS5 reply 0x04"]);
    capture.assert_only(&[address]);
    assert_eq!(sandbox.proxied()[0].target, "broker.invalid:8883");
    let outcome = sample(&proxy.replace("socks5h", "socks5")).run();
    outcome.failed(1, &["its address is not known here", "hint:", "socks5h://"]);
}

#[test]
fn the_flags_of_the_official_sample_work() {
    let sandbox = Sandbox::start().unwrap();
    let device = sandbox.device();
    let keys = sandbox.credentials();
    let (mqtt_port, https_port) = (sandbox.mqtt_port().to_string(), sandbox.https_port().to_string());
    let files =
        [sandbox.ca_file(), &device.cert_file, &device.key_file].map(|file| file.display().to_string());
    let [ca_file, cert, key] = &files;
    let broker = ["--broker-host", "localhost", "--ca-file", ca_file, "--proxy", &sandbox.proxies().socks5];
    let certificate = ["--cert", cert, "--key", key];
    let websocket = ["--broker-port", &https_port, "--websocket", "--region", sandbox.region()];
    let sample = || Sample::new(BINARY).args(broker);

    let outcome =
        sample().args(certificate).args(["--broker-port", &mqtt_port, "--verbose"]).run().succeeded();
    assert!(outcome.stderr.contains("socks5h://"), "--verbose tells of the proxy: {outcome:#?}");

    let environment = ["--credential-source", "environment"];
    sample().args(websocket).args(environment).credentials(keys).run().succeeded();
    sample()
        .args(websocket)
        .args(["--credential-source", "default-chain"])
        .credentials(keys)
        .run()
        .succeeded();
    let given = ["--access-key", &keys.access_key_id, "--secret-key", &keys.secret_access_key];
    let given = sample().args(websocket).args(given).args(["--session-token", &keys.session_token]);
    given.args(["--credential-source", "static"]).run().succeeded();
    let profile = sample();
    let folder = profile.home().display().to_string();
    let text = format!(
        "[iot-lab]\naws_access_key_id={}\naws_secret_access_key={}\naws_session_token={}\n",
        keys.access_key_id, keys.secret_access_key, keys.session_token
    );
    std::fs::write(profile.home().join("credentials"), text).unwrap();
    std::fs::write(profile.home().join("config"), "").unwrap();
    let profile = profile.args(websocket).args(["--credential-source", "profile", "--profile", "iot-lab"]);
    let profile = profile.args(["--config-file", &format!("{folder}/config")]);
    profile.args(["--credentials-file", &format!("{folder}/credentials")]).run().succeeded();

    // What is of no use to the WebSocket is not even read.
    for certificate in [&certificate[..], &["--cert", "/nowhere"]] {
        let outcome = sample().args(websocket).args(certificate).credentials(keys).run().succeeded();
        assert!(outcome.stderr.contains("--cert is ignored"), "{outcome:#?}");
    }
}

#[test]
fn without_a_proxy_it_connects_directly_with_one_warning() {
    let sandbox = Sandbox::start().unwrap();
    for (sample, port) in
        [(device(&sandbox), sandbox.mqtt_port()), (websocket(&sandbox), sandbox.https_port())]
    {
        let outcome = sample.args(["--client-id", "test-1"]).run().succeeded();
        assert_eq!(outcome.stdout, output(port));
        outcome.warned_once(&["no proxy is in use", "HTTPS_PROXY and ALL_PROXY", "socks5:// or socks5h://"]);
    }
    let off = device(&sandbox).env("HTTPS_PROXY", &sandbox.proxies().socks5).args(["--no-proxy"]);
    off.run().succeeded().warned_once(&["no proxy is in use", "as --no-proxy says"]);
    assert_eq!(sandbox.proxied().len(), 0);
}

#[test]
fn a_proxy_of_another_kind_in_the_environment_is_used_with_a_warning() {
    let sandbox = Sandbox::start().unwrap();
    let url = &sandbox.proxies().http;
    let outcome = device(&sandbox).env("HTTPS_PROXY", url).run().succeeded();
    outcome.warned_once(&[url, "as HTTPS_PROXY says", "socks5:// or socks5h:// was expected"]);
    assert_eq!(sandbox.proxied().len(), 1);
}

#[test]
fn what_does_not_fit_together() {
    let sandbox = Sandbox::start().unwrap();
    let socks = || device(&sandbox).args(["--proxy", &sandbox.proxies().socks5]);
    let http = device(&sandbox).args(["--proxy", &sandbox.proxies().http]).run();
    http.failed(2, &["socks5:// or socks5h://", "http://127.0.0.1"]);
    socks().args(["--region", "us-east-1"]).run().failed(2, &["--region means nothing without --websocket"]);
    let nameless = ["--endpoint", "localhost", "--websocket", "--proxy", &sandbox.proxies().socks5];
    Sample::new(BINARY).args(nameless).run().failed(2, &["--websocket needs --region"]);
    let neither = ["--endpoint", "localhost", "--proxy", &sandbox.proxies().socks5];
    Sample::new(BINARY).args(neither).run().failed(2, &["--cert", "--key"]);
    assert_eq!(sandbox.connections().len(), 0);
}

#[test]
fn real_proxies_refuse_with_their_own_answer() {
    let sandbox = Sandbox::start().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let run = |proxy: u16, user: &str, port: u16| {
        let url = format!("socks5h://{user}127.0.0.1:{proxy}");
        device_to(&sandbox, port).args(["--proxy", &url, "--connect-timeout", "10"]).run()
    };
    // Its ruleset would let it through to the closed port only.
    let dante = Dante { login: Some(LOGIN), only_ports: &[closed] }.start();
    let microsocks = Microsocks { login: Some(LOGIN) }.start();
    for server in [&dante, &microsocks] {
        let proxy = server.port();
        run(proxy, "", closed).failed(1, &["SOCKS5 method 0xff", "hint:", "--proxy-user-file"]);
        let words = ["SOCKS5 login status", "hint:", "user name and the password"];
        run(proxy, "user:wrong@", closed).failed(1, &words);
        let words = ["SOCKS5 reply 0x05", "hint:", "the proxy cannot get through to localhost"];
        run(proxy, "user:secret@", closed).failed(1, &words);
    }
    let target = format!("localhost and port {}", sandbox.mqtt_port());
    let words = ["SOCKS5 reply 0x02", "hint:", "the proxy's rules must allow", &target];
    run(dante.port(), "user:secret@", sandbox.mqtt_port()).failed(1, &words);
    dante.logs("block");
    let down = [&format!("socks5h://127.0.0.1:{closed}"), "hint:", "nothing listens there"];
    run(closed, "", sandbox.mqtt_port()).failed(1, &down);
    let squid = Squid::default().start();
    let url = format!("socks5h://{}", squid.address());
    let outcome = device(&sandbox).args(["--proxy", &url, "--connect-timeout", "2"]).run();
    // It waits for the rest of a request.
    outcome.failed(1, &["within 2 s", "waiting for proxy", "hint:", "check its scheme"]);
    assert_eq!(sandbox.connections().len(), 0);
}

#[test]
fn no_answer_of_a_proxy_makes_it_hang_or_connect() {
    let sandbox = Sandbox::start().unwrap();
    let none: &[u8] = b"\x05\x00";
    for (answers, then, words) in [
        (&[][..], Then::Hangs, &["within 1 s", "waiting for proxy"][..]),
        (&[], Then::Closes, &["closed the connection"]),
        (&[b"\x05".as_slice()], Then::Closes, &[r"\x05"]),
        (&[b"\x05"], Then::Hangs, &["within 1 s", r"\x05"]),
        (&[b"\x05\x01"], Then::Closes, &["SOCKS5 method 0x01"]),
        (&[b"\x04\x5b"], Then::Closes, &[r"\x04["]),
        (&[b"HTTP/1.1 400 Bad Request\r\n\r\n"], Then::Closes, &["HTTP/1.1 400", "try http://"]),
        (&[b"\x15\x03\x01\x00\x02\x02\x46"], Then::Closes, &["speaks TLS"]),
        (&[b"garbage"], Then::Closes, &["garbage", "check the proxy's scheme"]),
        (&[none], Then::Closes, &["closed the connection"]),
        (&[none, b"\x05\x5b\x00\x01\x00\x00\x00\x00\x00\x00"], Then::Closes, &["SOCKS5 reply 0x5b"]),
        (&[none, b"\x05\x00\x00\x01\x00"], Then::Closes, &[r"\x05\x00\x00\x01\x00"]),
        (&[none, b"\x05\x00\x00\x07\x00\x00\x00\x00\x00\x00"], Then::Closes, &[r"\x07"]),
        (&[none, b"\x05\x00\x00\x03\xff\x00"], Then::Hangs, &["within 1 s"]),
        (&[none, b"HTTP/1.1 200 OK\r\n\r\n"], Then::Closes, &["HTTP"]),
    ] {
        let proxy = Scripted::start(answers, then);
        let url = format!("socks5h://{}", proxy.address());
        let sample = device(&sandbox).args(["--proxy", &url, "--connect-timeout", "1"]);
        sample.run().failed(1, &[words, &[&url]].concat());
    }
    // A client that takes whatever follows for the broker would be fooled; this one wants the broker's certificate.
    let open: &[u8] = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    let proxy = Scripted::start(&[none, open, b"\x20\x02\x00\x00"], Then::Closes);
    let url = format!("socks5h://{}", proxy.address());
    device(&sandbox).args(["--proxy", &url]).run().failed(1, &["TLS", "hint:", "proxy"]);
    assert_eq!(sandbox.connections().len(), 0);
}

/// Takes everything that comes to an IPv6 address to `upstream`.
fn ipv6_relay(upstream: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(upstream).unwrap();
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server.try_clone().unwrap(), client.try_clone().unwrap()),
            ] {
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    to.shutdown(std::net::Shutdown::Write)
                });
            }
        }
    });
    address
}

#[test]
fn ipv6_alone_on_request() {
    let sandbox = Sandbox::start().unwrap();
    let proxy: SocketAddr = sandbox.proxies().socks5.rsplit('/').next().unwrap().parse().unwrap();
    let relay = ipv6_relay(proxy);
    let run = |url: &str| device(&sandbox).args(["--proxy", url, "--ipv6"]).run();
    run(&format!("socks5h://{relay}")).succeeded();
    // Only IPv4 leads there, which the same command without the flag takes.
    let ipv4 = format!("socks5h://{proxy}");
    run(&ipv4).failed(1, &["no IPv6 address", "hint:", "--ipv6"]);
    device(&sandbox).args(["--proxy", &ipv4]).run().succeeded();
    // With socks5:// the broker's address is of IPv6, too.
    let broker = ["--endpoint", "127.0.0.1", "--ipv6", "--proxy", &format!("socks5://{relay}")];
    let sample = Sample::new(BINARY).args(broker).device(sandbox.device());
    sample.run().failed(1, &["its address is not known here", "no IPv6 address", "hint:", "--ipv6"]);
}

#[test]
fn the_policy_is_sufficient_and_minimal_for_a_certificate() {
    let sandbox = Sandbox::start().unwrap();
    let proxy = ["--proxy", &sandbox.proxies().socks5];
    policy::is_sufficient_and_minimal(&sandbox, Principal::Device, "socks5_connect", || {
        device(&sandbox).args(proxy).run()
    });
}

#[test]
fn the_policy_is_sufficient_and_minimal_for_credentials() {
    let sandbox = Sandbox::start().unwrap();
    let proxy = ["--proxy", &sandbox.proxies().socks5];
    policy::is_sufficient_and_minimal(&sandbox, Principal::Iam, "socks5_connect", || {
        websocket(&sandbox).args(proxy).run()
    });
}

#[test]
fn the_readme_works() {
    let sandbox = Sandbox::start().unwrap();
    readme::commands_work(Path::new(env!("CARGO_MANIFEST_DIR")), "socks5_connect", BINARY, &sandbox);
}
