use tokio::io::DuplexStream;
use tokio::task::JoinHandle;

use super::super::{Heard, Proxy};
use super::*;
use crate::scripted::Scripted;
use testkit::property::Cases;

/// One turn of the proxy's: what it must be sent, and what it answers.
type Turn = (&'static [u8], &'static [u8]);

const NO_LOGIN: Turn = (&[5, 1, 0], &[5, 0]);
const WITH_LOGIN: Turn = (&[5, 2, 0, 2], &[5, 2]);
const LOGIN: Turn = (b"\x01\x03bob\x07hunter2", &[1, 0]);
const REQUEST: &[u8] = b"\x05\x01\x00\x03\x01a\x22\xb3";
const REPLY_V4: &[u8] = &[5, 0, 0, 1, 127, 0, 0, 1, 0x1f, 0x90];

/// A proxy that follows its script, sends `more`, and says whether it was sent anything else.
fn proxy(script: Vec<Turn>, more: &'static [u8]) -> (Listening, JoinHandle<Vec<u8>>) {
    let (near, mut far): (DuplexStream, DuplexStream) = tokio::io::duplex(1024);
    let peer = tokio::spawn(async move {
        for (expected, answer) in script {
            let mut sent = vec![0; expected.len()];
            far.read_exact(&mut sent).await.expect("the client speaks");
            assert_eq!(sent, expected);
            far.write_all(answer).await.expect("the client listens");
        }
        far.write_all(more).await.expect("the client listens");
        let mut rest = Vec::new();
        far.shutdown().await.expect("closes");
        // A client that has given up may reset.
        let _ = far.read_to_end(&mut rest).await;
        rest
    });
    (Listening::new(Box::new(near), Heard::default()), peer)
}

fn user(name: &str, password: &str) -> Proxy {
    let proxy = Proxy::parse("socks5h://p").expect("a proxy");
    proxy.with_credentials(name, password.to_owned().into()).expect("fits")
}

/// What comes of the script for the destination `a:8883`.
async fn run(script: Vec<Turn>, login: bool) -> Result<(), Failure> {
    let (mut stream, peer) = proxy(script, b"");
    let proxy = user("bob", "hunter2");
    let credentials = proxy.credentials().filter(|_| login);
    let destination = Destination::new("a", 8883).expect("a name");
    let outcome = connect(&mut stream, credentials, &destination).await;
    drop(stream);
    assert_eq!(peer.await.expect("followed its script"), b"");
    outcome
}

async fn problem(script: Vec<Turn>, login: bool) -> ProxyProblem {
    run(script, login).await.expect_err("no way").problem
}

#[tokio::test]
async fn two_round_trips_and_three_with_a_login() {
    // Each turn is one round trip: the peer answers only after it has all that it expects.
    run(vec![NO_LOGIN, (REQUEST, REPLY_V4)], false).await.expect("opens");
    run(vec![WITH_LOGIN, LOGIN, (REQUEST, REPLY_V4)], true).await.expect("opens");
    // A proxy that wants no login is not sent one.
    run(vec![(&[5, 2, 0, 2], &[5, 0]), (REQUEST, REPLY_V4)], true).await.expect("opens");
}

#[tokio::test]
async fn what_follows_the_reply_is_left_alone() {
    let v6: &[u8] = &[5, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
    for reply in [REPLY_V4, v6, b"\x05\x00\x00\x03\x04name\x00\x01", b"\x05\x00\xff\x03\x00\x00\x00"] {
        let (mut stream, _) = proxy(vec![NO_LOGIN, (REQUEST, reply)], b"more");
        let destination = Destination::new("a", 8883).expect("a name");
        connect(&mut stream, None, &destination).await.expect("opens");
        let mut more = Vec::new();
        stream.into_inner().read_to_end(&mut more).await.expect("reads");
        assert_eq!(more, b"more", "{reply:?}");
    }
}

#[test]
fn destinations() {
    let bytes = |host: &str| request(&Destination::new(host, 8883).expect("fits"));
    assert_eq!(bytes("127.0.0.1"), b"\x05\x01\x00\x01\x7f\x00\x00\x01\x22\xb3");
    assert_eq!(
        bytes("::1"),
        b"\x05\x01\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x22\xb3"
    );
    assert_eq!(bytes("a.b"), b"\x05\x01\x00\x03\x03a.b\x22\xb3");
    assert_eq!(bytes(&"x".repeat(255)).len(), 4 + 1 + 255 + 2);
    assert!(Destination::new(&"x".repeat(256), 1).is_err());
}

#[tokio::test]
async fn refusals() {
    for code in 1..=u8::MAX {
        let reply: &'static [u8] = Box::leak(Box::new([5, code]));
        // Some servers close right behind the code, some send an address of zeros, some none of a known type.
        let found = problem(vec![NO_LOGIN, (REQUEST, reply)], false).await;
        assert_eq!(found, ProxyProblem::Refused(ProxyAnswer::SocksReply(code)));
        assert!(found.to_string().contains(&format!("SOCKS5 reply {code:#04x}")), "{found}");
    }
    let none = ProxyAnswer::SocksMethod(0xff);
    assert_eq!(
        problem(vec![(&[5, 1, 0], &[5, 0xff])], false).await,
        ProxyProblem::CredentialsWanted(none.clone())
    );
    assert_eq!(problem(vec![(&[5, 2, 0, 2], &[5, 0xff])], true).await, ProxyProblem::Refused(none));
    let login = ProxyAnswer::SocksMethod(2);
    assert_eq!(problem(vec![(&[5, 1, 0], &[5, 2])], false).await, ProxyProblem::CredentialsWanted(login));
    let gssapi = ProxyAnswer::SocksMethod(1);
    assert_eq!(problem(vec![(&[5, 2, 0, 2], &[5, 1])], true).await, ProxyProblem::Refused(gssapi));
    for (answer, expected) in [
        (&[1, 1][..], ProxyAnswer::SocksLogin(1)),
        (&[1, 0xff], ProxyAnswer::SocksLogin(0xff)),
        (&[], ProxyAnswer::Closed),
    ] {
        let found = problem(vec![WITH_LOGIN, (LOGIN.0, answer)], true).await;
        assert_eq!(found, ProxyProblem::CredentialsRefused(expected));
        assert!(!found.to_string().contains("hunter2"));
    }
}

#[tokio::test]
async fn another_protocol_is_shown() {
    for (answer, shown) in [
        (&b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n"[..], "it said \"HTTP/1.1 400 Bad Request\\r\\n"),
        (&[0, 0x5b, 0, 0, 0, 0, 0, 0], "it said \"\\x00[\\x00"),
        (&[0x15, 3, 1, 0, 2, 2, 40], "it said \"\\x15\\x03\\x01\\x00\\x02\\x02(\""),
        (b"S", "it said \"S\""),
    ] {
        let found = problem(vec![(&[5, 1, 0], answer)], false).await.to_string();
        assert!(found.starts_with("it does not speak SOCKS5") && found.contains(shown), "{found}");
    }
    let found = problem(vec![NO_LOGIN, (REQUEST, b"HTTP")], false).await.to_string();
    assert_eq!(found, "its reply is not SOCKS5's; it said \"HTTP\"");
    let found = problem(vec![NO_LOGIN, (REQUEST, b"\x05\x00\x00\x09\x00")], false).await.to_string();
    assert!(found.starts_with("its reply holds an address of the unknown type 0x09; it said"), "{found}");
    let found = problem(vec![WITH_LOGIN, (LOGIN.0, b"\x05\x00")], true).await.to_string();
    assert!(found.contains("is not SOCKS5's; it said"), "{found}");
}

#[tokio::test]
async fn cut_off_at_every_byte() {
    let name: &[u8] = b"\x05\x00\x00\x03\x04name\x00\x01";
    let v6: &[u8] = &[5, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
    for script in [
        vec![NO_LOGIN, (REQUEST, REPLY_V4)],
        vec![NO_LOGIN, (REQUEST, v6)],
        vec![WITH_LOGIN, LOGIN, (REQUEST, name)],
    ] {
        let login = script.len() == 3;
        for turn in 0..script.len() {
            for length in 0..script[turn].1.len() {
                let mut script = script[..=turn].to_vec();
                script[turn].1 = &script[turn].1[..length];
                let found = problem(script, login).await;
                let words = match length {
                    0 if login && turn == 1 => "it closed the connection",
                    0 => "it closed the connection without an answer",
                    _ => "it closed the connection in the middle of its answer; it said",
                };
                assert!(found.to_string().contains(words), "turn {turn}, {length} bytes: {found}");
            }
        }
    }
}

/// What comes of these answers in such pieces: what is behind them, or the problem.
async fn outcome(answers: &[u8], piece: usize, proxy: &Proxy) -> Result<Vec<u8>, ProxyProblem> {
    let mut stream = Listening::new(Box::new(Scripted::says(answers, piece)), Heard::default());
    let destination = Destination::new("a", 8883).expect("a name");
    match connect(&mut stream, proxy.credentials(), &destination).await {
        Ok(()) => {
            let mut behind = Vec::new();
            stream.read_to_end(&mut behind).await.expect("reads");
            Ok(behind)
        }
        // How much there is to show depends on what had arrived.
        Err(Failure { problem: ProxyProblem::Protocol { complaint, said }, .. }) => {
            let shown = ProxyProblem::Protocol { complaint: complaint.clone(), said }.to_string();
            assert!(!shown.contains(char::is_control), "{shown:?}");
            Err(ProxyProblem::Protocol { complaint, said: Vec::new() })
        }
        Err(failure) => Err(failure.problem),
    }
}

/// Whether these are all answers that open a way, to the byte.
fn opens(answers: &[u8], login: bool) -> bool {
    let reply = match answers {
        [5, 0, reply @ ..] => reply,
        [5, 2, 1, 0, reply @ ..] if login => reply,
        _ => return false,
    };
    match reply {
        [5, 0, _, 1, rest @ ..] => rest.len() == 4 + 2,
        [5, 0, _, 4, rest @ ..] => rest.len() == 16 + 2,
        [5, 0, _, 3, length, rest @ ..] => rest.len() == usize::from(*length) + 2,
        _ => false,
    }
}

/// Whatever the proxy answers: only whole answers open a way, not a byte behind them is taken, it does not matter in
/// which pieces they come, and no message shows the password or moves the terminal's cursor.
#[tokio::test]
async fn property_socks5_answers() {
    const PIECES: &[&[u8]] = &[
        &[5, 0],
        &[5, 2],
        &[5, 0xff],
        &[1, 0],
        &[1, 1],
        REPLY_V4,
        &[5, 0, 0, 3],
        &[5, 0, 0, 4],
        &[5, 1, 0, 1],
        b"\x04name\x00\x01",
        &[0; 18],
        &[0xff; 257],
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x1b[2J",
    ];
    let (anyone, bob) = (Proxy::parse("socks5h://p").expect("a proxy"), user("bob", "hunter2"));
    for case in Cases::new(env!("CARGO_MANIFEST_DIR"), "socks5_answers", 3_000, PIECES) {
        for proxy in [&anyone, &bob] {
            let whole = outcome(&case, usize::MAX, proxy).await;
            assert_eq!(whole, outcome(&case, 1 + case.len() % 7, proxy).await, "whole, and in pieces");
            match whole {
                Ok(behind) => {
                    let answers = case.strip_suffix(behind.as_slice()).expect("the end of what it said");
                    assert!(opens(answers, proxy.has_credentials()), "{answers:?}");
                }
                Err(problem) => {
                    let shorter = (0..=case.len()).find(|end| opens(&case[..*end], proxy.has_credentials()));
                    assert_eq!(shorter, None, "{problem}");
                    let shown = problem.to_string();
                    assert!(!shown.contains("hunter2") && !shown.contains(char::is_control), "{shown:?}");
                }
            }
        }
    }
}
