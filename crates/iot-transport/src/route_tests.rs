//! The way through proxies that follow a script, on loopback.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::text::Chain;
use crate::timeline::{Step, StepState, Timelines};

/// What a proxy does with one connection: reads so many bytes, then answers, and so on.
type Script = Vec<(usize, &'static [u8])>;

/// Takes one connection for each script, and holds the last one open. Gives what the last read of each was.
async fn proxy(scripts: Vec<Script>) -> (SocketAddr, JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let peer = tokio::spawn(async move {
        let mut last = Vec::new();
        let mut held = Vec::new();
        for script in scripts {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut sent = Vec::new();
            for (length, answer) in script {
                sent = vec![0; length];
                stream.read_exact(&mut sent).await.expect("the client speaks");
                stream.write_all(answer).await.expect("the client listens");
            }
            last.push(sent);
            held.push(stream);
        }
        if let Some(mut stream) = held.pop() {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        last
    });
    (address, peer)
}

fn through(url: &str) -> Route {
    let proxies = Proxies::always(Proxy::parse(url).expect("a proxy"));
    Route::new(Roots::system(), proxies, Roots::system())
}

async fn failure(url: &str, host: &str) -> Error {
    match through(url).connect(host, 8883, &Timeline::start()).await {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

const GREETING: (usize, &[u8]) = (3, &[5, 0]);
const GRANTED: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

#[tokio::test]
async fn the_timeline_tells_the_proxy_and_why() {
    // 4 bytes of head, a length, the name, a port.
    let (address, peer) = proxy(vec![vec![GREETING, (4 + 1 + "broker.invalid".len() + 2, GRANTED)]]).await;
    let timelines = Timelines::new("broker.invalid:8883".to_owned());
    let timeline = timelines.begin();
    let route = through(&format!("socks5h://{address}"));
    // ".invalid" has no address (RFC 6761 §6.4): looking it up here would fail.
    let stream = route.connect("broker.invalid", 8883, &timeline).await.expect("opens");
    drop(stream);
    let requests = peer.await.expect("followed its script");
    assert!(requests[0].starts_with(b"\x05\x01\x00\x03\x0ebroker.invalid"), "{requests:?}");

    let steps = timeline.steps();
    assert_eq!(steps.iter().map(Step::name).collect::<Vec<_>>(), ["proxy's name", "TCP to proxy", "proxy"]);
    assert!(steps.iter().all(|step| step.state == StepState::Done));
    let way = format!("through the proxy socks5h://{address}, as the proxy setting says");
    assert_eq!(timelines.attempts().kept[0].way, Some(way));
    assert!(
        matches!(&steps[2].detail, Some(Detail::Text(text)) if text == "open to broker.invalid:8883"),
        "{steps:?}"
    );
}

#[tokio::test]
async fn without_a_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("an address").port();
    let variable = |name: &str| match name {
        "HTTPS_PROXY" => Some("http://127.0.0.1:1".into()),
        "NO_PROXY" => Some("127.0.0.0/8".into()),
        _ => None,
    };
    let proxies = Proxies::from_environment(variable).expect("a rule");
    for (proxies, asked) in [(Proxies::default(), false), (Proxies::none(), true), (proxies, true)] {
        let timelines = Timelines::new(format!("127.0.0.1:{port}"));
        let timeline = timelines.begin();
        let route = Route::new(Roots::system(), proxies, Roots::system());
        route.connect("127.0.0.1", port, &timeline).await.expect("connects");
        let first = &timeline.steps()[0];
        assert_eq!(first.layer, Layer::Dns);
        let told = first.detail.as_ref().map(ToString::to_string);
        assert_eq!(told.as_deref(), Some("127.0.0.1 is an address: no name to look up"));
        let way = timelines.attempts().kept.remove(0).way;
        assert_eq!(way.is_some_and(|way| way.starts_with("no proxy")), asked);
        assert!(route.proxy_for("127.0.0.1").expect("chooses").is_none());
    }
}

#[tokio::test]
async fn addresses_are_tried_in_turn() {
    let (v6, v4) = (4 + 16 + 2, 4 + 4 + 2);
    let (address, peer) = proxy(vec![vec![GREETING, (v6, &[5, 4])], vec![GREETING, (v4, GRANTED)]]).await;
    let Route { proxies, proxy_tls, .. } = through(&format!("socks5://{address}"));
    let proxy = proxies.proxy().expect("a rule").expect("a proxy");
    let timeline = Timeline::start();
    let (target, family) = ("a.example:8883", AddressFamily::Any);
    let way = Way { proxy, tls: &proxy_tls, target, family, timeline: &timeline };
    let addresses = ["[2001:db8::1]:8883", "192.0.2.1:8883"];
    let addresses = addresses.map(|address| address.parse().expect("an address")).to_vec();
    let stream = way.reach_proxy().await.expect("connects");
    way.connect_to_one_of(addresses, stream).await.expect("opens");
    assert_eq!(peer.await.expect("followed its script")[1][3..8], [1, 192, 0, 2, 1]);
    let steps = timeline.steps().into_iter().filter(|step| step.layer == Layer::Proxy);
    let states = steps.map(|step| step.state).collect::<Vec<_>>();
    let error = format!(
        "no way to [2001:db8::1]:8883 through the proxy socks5://{address}: the proxy refused: host unreachable \
         (SOCKS5 reply 0x04)"
    );
    assert_eq!(states, [StepState::Failed { error }, StepState::Done]);
}

#[tokio::test]
async fn a_name_that_is_unknown_here() {
    let (address, _peer) = proxy(vec![vec![]]).await;
    let error = failure(&format!("socks5://{address}"), "broker.invalid").await;
    assert_eq!(
        error.to_string(),
        format!(
            "no way to broker.invalid:8883 through the proxy socks5://{address}: its address is not known here"
        )
    );
    assert_eq!(error.layer(), Layer::Dns);
    assert!(error.hint().is_some_and(|hint| hint.contains("socks5h://")));
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("an address");
    for scheme in ["socks5", "socks5h", "http", "https"] {
        let error = failure(&format!("{scheme}://bob:hunter2@{gone}"), "localhost").await;
        let text = format!("{}\nhint: {} {error:?}", Chain(&error), error.hint().unwrap_or_default());
        assert!(text.starts_with("no way to localhost:8883 through the proxy "), "{text}");
        assert!(text.contains("the proxy cannot be reached: cannot open a TCP connection to 127."), "{text}");
        assert!(text.contains("hint: nothing listens there"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(error.layer(), Layer::Proxy);
        assert!(!error.is_permanent());
    }
    let error = failure("socks5h://proxy.invalid", "localhost").await;
    assert!(error.hint().is_some_and(|hint| hint.contains("spelling of the proxy's name")), "{error:?}");
}

#[tokio::test]
async fn an_https_proxy_that_speaks_plain_http() {
    let (address, _peer) = proxy(vec![vec![(5, b"HTTP/1.1 400 Bad Request\r\n\r\n")]]).await;
    let error = failure(&format!("https://{address}"), "localhost").await;
    assert!(matches!(&error, Error::Proxy { problem, .. } if **problem == ProxyProblem::Unreachable));
    assert!(error.hint().is_some_and(|hint| hint.contains("try http://")), "{error:?}");
}

#[tokio::test]
async fn silence_leaves_what_was_heard() {
    for (scheme, script, said) in [
        ("socks5h", vec![(3, &[][..])], None),
        ("socks5h", vec![(3, &[5][..])], Some(r#"the proxy said "\x05""#)),
        ("http", vec![(10, &b"HTTP/1.1 "[..])], Some(r#"the proxy said "HTTP/1.1 ""#)),
        // TLS, too, is within the proxy's step.
        ("https", vec![(10, &[][..])], None),
    ] {
        let (address, _peer) = proxy(vec![script]).await;
        let route = through(&format!("{scheme}://{address}"));
        let timeline = Timeline::start();
        let attempt = route.connect("broker.invalid", 8883, &timeline);
        assert!(tokio::time::timeout(Duration::from_millis(200), attempt).await.is_err());
        assert_eq!(timeline.waiting_for(), Some(Layer::Proxy), "{scheme}");
        assert_eq!(timeline.waiting_after().as_deref(), said, "{scheme}");
    }
}

#[test]
fn a_private_key_that_fails_is_not_the_proxy_s_fault() {
    let route = through("http://proxy.example");
    let explained =
        |source| route.explain("a.example", Error::Tls { target: "a.example:1".to_owned(), source });
    let key = Arc::new(Error::Identity { problem: "no PIN".to_owned(), hint: None, source: None });
    let error = explained(key.into());
    assert!(matches!(error, Error::Tls { .. }) && error.is_permanent(), "{error:?}");
    assert!(matches!(explained("no TLS".into()), Error::Proxy { .. }));
}
