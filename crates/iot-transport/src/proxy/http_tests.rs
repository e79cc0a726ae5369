use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::super::{Proxy, hint};
use super::*;
use crate::scripted::Scripted;
use testkit::property::Cases;

/// A proxy that reads a request, answers with these bytes, and closes unless it shall not. Gives the request.
fn proxy(answer: &[u8], stays: bool) -> (Listening, Heard, JoinHandle<String>) {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    let answer = answer.to_vec();
    let peer = tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(far.read_u8().await.expect("the client speaks"));
        }
        // The client may have hung up on what it has read of it.
        let _ = far.write_all(&answer).await;
        if stays {
            let _ = far.read_u8().await;
        }
        String::from_utf8(request).expect("a request is ASCII")
    });
    let heard = Heard::default();
    (Listening::new(Box::new(near), heard.clone()), heard, peer)
}

async fn run(answer: &[u8], proxy_url: &str) -> (Result<Stream, Failure>, String) {
    let (stream, heard, peer) = proxy(answer, false);
    let proxy = Proxy::parse(proxy_url).expect("a proxy");
    let outcome = connect(stream, &heard, proxy.credentials(), "a.example:8883").await;
    (outcome, peer.await.expect("reads a request"))
}

async fn problem(answer: &[u8], proxy_url: &str) -> ProxyProblem {
    match run(answer, proxy_url).await.0 {
        Ok(_) => panic!("opened"),
        Err(failure) => failure.problem,
    }
}

const PLAIN: &str = "http://p";
const LOGIN: &str = "http://Aladdin:open%20sesame@p";

#[tokio::test]
async fn one_request() {
    let ok = b"HTTP/1.1 200 Connection established\r\n\r\n";
    let (outcome, request) = run(ok, PLAIN).await;
    assert!(outcome.is_ok());
    assert_eq!(request, "CONNECT a.example:8883 HTTP/1.1\r\nhost: a.example:8883\r\n\r\n");
    let (outcome, request) = run(b"HTTP/1.0 200 fine\r\nContent-Length: 3\r\n\r\n", LOGIN).await;
    assert!(outcome.is_ok());
    // RFC 7617 §2 has this pair and its encoding.
    assert!(request.contains("proxy-authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{request}");
}

#[tokio::test]
async fn bytes_behind_the_answer_are_kept() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\n\r\nmore"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nmore",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmore",
    ] {
        let (outcome, _) = run(answer, PLAIN).await;
        let mut more = Vec::new();
        let mut stream = outcome.map_err(|failure| failure.problem).expect("opens");
        stream.read_to_end(&mut more).await.expect("reads");
        assert_eq!(more, b"more");
    }
}

#[tokio::test]
async fn refusals_keep_status_headers_and_body() {
    let squid = b"HTTP/1.1 403 Forbidden\r\nServer: squid/5.7\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\
        Content-Length: 33\r\n\r\n<html><title>Denied</title></html>";
    let ProxyProblem::Refused(ProxyAnswer::Http(answer)) = problem(squid, PLAIN).await else { panic!() };
    assert_eq!(answer.to_string(), "HTTP 403 Forbidden, ERR_ACCESS_DENIED 0: Denied");
    assert_eq!(answer.header("server"), Some("squid/5.7"));
    assert_eq!(answer.body.len(), 33);

    let wants = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\
        Content-Length: 0\r\n\r\n";
    let found = problem(wants, PLAIN).await;
    assert!(matches!(found, ProxyProblem::CredentialsWanted(_)), "{found}");
    assert!(found.to_string().ends_with("HTTP 407 Proxy Authentication Required"), "{found}");
    let found = problem(wants, LOGIN).await;
    assert!(matches!(found, ProxyProblem::CredentialsRefused(_)), "{found}");
    let found = problem(b"HTTP/1.1 204 No Content\r\n\r\n", PLAIN).await;
    assert_eq!(
        found.to_string(),
        "it answered HTTP 204 and opened no way; it said \"HTTP/1.1 204 No Content\\r\\n\\r\\n\""
    );
    // tinyproxy's answer to a wrong password.
    let found = problem(b"HTTP/1.0 401 Unauthorized\r\n\r\n", LOGIN).await;
    assert!(matches!(found, ProxyProblem::CredentialsRefused(_)), "{found}");
}

#[tokio::test]
async fn schemes_that_are_not_basic() {
    for (offers, words) in [
        ("Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n", "Basic alone"),
        ("Proxy-Authenticate: NTLM\r\nProxy-Authenticate: BASIC realm=x\r\n", "the proxy user file setting"),
        ("", "the proxy user file setting"),
    ] {
        let answer = format!("HTTP/1.1 407 no\r\n{offers}Content-Length: 0\r\n\r\n");
        let found = problem(answer.as_bytes(), PLAIN).await;
        let text = hint(PLAIN, "a.example:8883", &found, None).expect("a hint");
        assert!(text.contains(words), "{offers}: {text}");
    }
}

#[tokio::test]
async fn another_protocol_is_shown() {
    for (answer, complaint, hint_words) in [
        (&b"\x05\xff"[..], "it does not speak HTTP; it said \"\\x05\\xff\"", "try socks5h://"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "it does not speak HTTP; it said \"\\x15\\x03", "try https://"),
        (b"220 mail.example ESMTP\r\n", "it does not speak HTTP; it said \"220 mail", "something else"),
        (b"", "it closed the connection without an answer", "something else"),
        (b"HTTP/1.1 200", "in the middle of its answer; it said \"HTTP/1.1 200\"", "something else"),
    ] {
        let found = problem(answer, PLAIN).await;
        assert!(found.to_string().contains(complaint), "{found}");
        let text = hint(PLAIN, "a.example:8883", &found, None).expect("a hint");
        assert!(text.contains(hint_words), "{found}: {text}");
    }
}

#[tokio::test]
async fn cut_off_at_every_byte() {
    let answer = b"HTTP/1.1 200 Connection established\r\nProxy-Agent: x\r\n\r\n";
    for length in 0..answer.len() {
        let found = problem(&answer[..length], PLAIN).await;
        assert!(matches!(found, ProxyProblem::Protocol { .. }), "{length} bytes: {found}");
        assert_eq!(found.to_string().contains("it said"), length > 0, "{found}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_does_not_hold_the_refusal_up() {
    let (stream, heard, _peer) = proxy(b"HTTP/1.1 503 no\r\nContent-Length: 100\r\n\r\nstart", true);
    let outcome = tokio::time::timeout(Duration::from_secs(10), connect(stream, &heard, None, "a.example:1"));
    let Ok(Err(failure)) = outcome.await else { panic!("a refusal, in time") };
    assert_eq!(failure.problem.to_string(), "the proxy refused: HTTP 503 no: start");
}

/// What comes of an answer that arrives in such pieces: what is behind it, or the problem.
async fn outcome(answer: &[u8], piece: usize, proxy: &Proxy) -> Result<Vec<u8>, ProxyProblem> {
    let (heard, said) = (Heard::default(), answer.to_vec());
    let stream = Listening::new(Box::new(Scripted::answers(|_| said, piece)), heard.clone());
    match connect(stream, &heard, proxy.credentials(), "a.example:8883").await {
        Ok(mut stream) => {
            let mut behind = Vec::new();
            stream.read_to_end(&mut behind).await.expect("reads");
            Ok(behind)
        }
        Err(failure) => Err(failure.problem),
    }
}

/// Whatever the proxy answers: only a whole answer of 2xx opens a way, all bytes behind it are kept, it does not
/// matter in which pieces it comes, and no message shows the password or moves the terminal's cursor.
#[tokio::test]
async fn property_connect_answer() {
    const PIECES: &[&[u8]] = &[
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b" ",
        b":",
        b"HTTP/1.1 ",
        b"HTTP/1.0 200\r\n",
        b"HTTP/1.1 100 go on\r\n\r\n",
        b"HTTP/1.1 101 no\r\n\r\n",
        b"200",
        b"407",
        b"204",
        b"600",
        b"Content-Length: 5\r\n",
        b"Content-Length: 99999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"Proxy-Authenticate: Basic\r\n",
        b"X-Squid-Error: \x1b[2J\r\n",
        b"Connection: close\r\n",
        b"<title>",
        b"</title>",
        b"\x1b[2J",
        b"\xff",
        b"\0",
        b"\xc2\x9b",
    ];
    let proxy = Proxy::parse(LOGIN).expect("a proxy");
    for case in Cases::new(env!("CARGO_MANIFEST_DIR"), "connect_answer", 1_000, PIECES) {
        let whole = outcome(&case, usize::MAX, &proxy).await;
        let in_pieces = outcome(&case, 1 + case.len() % 7, &proxy).await;
        match (&whole, &in_pieces) {
            (Ok(behind), Ok(also)) => {
                assert_eq!(behind, also);
                let head = case.strip_suffix(behind.as_slice()).expect("the end of what it said");
                assert!(head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n"));
                let mut lines = head.split(|byte| *byte == b'\n').rev();
                let status = lines.find(|line| line.starts_with(b"HTTP/1.")).expect("a status line");
                assert_eq!(status[b"HTTP/1.".len() + 1..][..2], *b" 2");
            }
            (Err(problem), Err(also)) => {
                assert_eq!(
                    std::mem::discriminant(problem),
                    std::mem::discriminant(also),
                    "{problem} or {also}"
                );
                let shown = problem.to_string();
                assert!(!shown.contains("sesame") && !shown.contains(char::is_control), "{shown:?}");
                let shown = hint(LOGIN, "a.example:8883", problem, None).unwrap_or_default();
                assert!(!shown.contains(char::is_control), "{shown:?}");
            }
            _ => panic!("{whole:?} whole, {in_pieces:?} in pieces"),
        }
    }
}
