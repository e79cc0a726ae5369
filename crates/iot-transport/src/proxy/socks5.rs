//! SOCKS5 (RFC 1928) with user name and password (RFC 1929): what is sent, what is answered, and the conversation.
//!
//! Two round trips, three with a login.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::server::ProxyCredentials;
use super::{Failure, Listening, ProxyAnswer, ProxyProblem};

const VERSION: u8 = 5;
/// RFC 1929 §2.
const LOGIN_VERSION: u8 = 1;
const METHOD_NONE: u8 = 0;
const METHOD_LOGIN: u8 = 2;
const COMMAND_CONNECT: u8 = 1;
const ADDRESS_V4: u8 = 1;
const ADDRESS_NAME: u8 = 3;
const ADDRESS_V6: u8 = 4;

/// How long the rest of an answer in another protocol is waited for, only to show it.
const CURIOSITY: Duration = Duration::from_millis(250);

/// Where the proxy is to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// At most 255 bytes.
    Name(String),
}

impl Destination {
    /// A name, which the proxy looks up, or an address in text form.
    ///
    /// # Errors
    /// A name that is longer than SOCKS5 can say.
    pub(crate) fn new(host: &str, port: u16) -> Result<Self, Failure> {
        let host = match host.parse() {
            Ok(address) => Host::Address(address),
            Err(_) if u8::try_from(host.len()).is_ok() => Host::Name(host.to_owned()),
            Err(_) => return Err(protocol("the name is longer than the 255 bytes that SOCKS5 carries")),
        };
        Ok(Self { host, port })
    }
}

impl From<std::net::SocketAddr> for Destination {
    fn from(address: std::net::SocketAddr) -> Self {
        Self { host: Host::Address(address.ip()), port: address.port() }
    }
}

/// Has the proxy connect to `destination`. Reads not a byte beyond the proxy's answers.
///
/// # Errors
/// What the proxy answered, or that it did not answer as a SOCKS5 server does.
pub(crate) async fn connect(
    stream: &mut Listening,
    credentials: Option<&ProxyCredentials>,
    destination: &Destination,
) -> Result<(), Failure> {
    send(stream, greeting(credentials.is_some())).await?;
    let method = receive(stream, |answer| decode_method(answer, credentials.is_some())).await?;
    match (method, credentials) {
        (Method::Login, Some(credentials)) => {
            send(stream, &login(credentials)).await?;
            receive(stream, decode_login).await.map_err(closed_at_login)?;
        }
        (Method::Login | Method::None, _) => {}
    }
    send(stream, &request(destination)).await?;
    receive(stream, decode_reply).await
}

/// What to do with the bytes that have arrived.
#[derive(Debug, PartialEq, Eq)]
enum Progress<T> {
    /// So many bytes, at least one, belong to the answer that are not there yet.
    Missing(usize),
    Done(T),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    None,
    Login,
}

/// RFC 1928 §3. With a login both methods are offered, and the proxy chooses.
fn greeting(with_login: bool) -> &'static [u8] {
    if with_login { &[VERSION, 2, METHOD_NONE, METHOD_LOGIN] } else { &[VERSION, 1, METHOD_NONE] }
}

fn decode_method(answer: &[u8], with_login: bool) -> Result<Progress<Method>, Failure> {
    let &[version, ref rest @ ..] = answer else { return Ok(Progress::Missing(2)) };
    if version != VERSION {
        return Err(protocol("it does not speak SOCKS5"));
    }
    let Some(&method) = rest.first() else { return Ok(Progress::Missing(1)) };
    match method {
        METHOD_NONE => Ok(Progress::Done(Method::None)),
        METHOD_LOGIN if with_login => Ok(Progress::Done(Method::Login)),
        method => {
            let answer = ProxyAnswer::SocksMethod(method);
            // What is left for a proxy that takes neither is a method that we do not have, such as GSSAPI.
            let problem = if with_login { ProxyProblem::Refused } else { ProxyProblem::CredentialsWanted };
            Err(problem(answer).into())
        }
    }
}

/// RFC 1929 §2. The lengths were checked when the credentials were made.
fn login(credentials: &ProxyCredentials) -> Vec<u8> {
    let mut bytes = vec![LOGIN_VERSION];
    for field in [credentials.user(), credentials.password()] {
        push_short(&mut bytes, field.as_bytes());
    }
    bytes
}

/// The password as it is sent.
pub(super) fn sent_password(credentials: &ProxyCredentials) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_short(&mut bytes, credentials.password().as_bytes());
    bytes
}

fn decode_login(answer: &[u8]) -> Result<Progress<()>, Failure> {
    match *answer {
        [] => Ok(Progress::Missing(2)),
        [version, ..] if version != LOGIN_VERSION => {
            Err(protocol("its answer to the user name and the password is not SOCKS5's"))
        }
        [_] => Ok(Progress::Missing(1)),
        [_, 0, ..] => Ok(Progress::Done(())),
        [_, status, ..] => Err(ProxyProblem::CredentialsRefused(ProxyAnswer::SocksLogin(status)).into()),
    }
}

/// RFC 1928 §4.
fn request(destination: &Destination) -> Vec<u8> {
    let mut bytes = vec![VERSION, COMMAND_CONNECT, 0];
    match &destination.host {
        Host::Address(IpAddr::V4(address)) => {
            bytes.push(ADDRESS_V4);
            bytes.extend_from_slice(&address.octets());
        }
        Host::Address(IpAddr::V6(address)) => {
            bytes.push(ADDRESS_V6);
            bytes.extend_from_slice(&address.octets());
        }
        Host::Name(name) => {
            bytes.push(ADDRESS_NAME);
            push_short(&mut bytes, name.as_bytes());
        }
    }
    bytes.extend_from_slice(&destination.port.to_be_bytes());
    bytes
}

/// RFC 1928 §6. A refusal is known by its second byte; servers differ in what they send behind it.
fn decode_reply(answer: &[u8]) -> Result<Progress<()>, Failure> {
    const HEAD: usize = 4;
    const PORT: usize = 2;
    let length = match *answer {
        [version, ..] if version != VERSION => return Err(protocol("its reply is not SOCKS5's")),
        [_, code, ..] if code != 0 => {
            return Err(ProxyProblem::Refused(ProxyAnswer::SocksReply(code)).into());
        }
        [] | [_] => 2,
        [_, _] | [_, _, _] => HEAD,
        [_, _, _, ADDRESS_V4, ..] => HEAD + 4 + PORT,
        [_, _, _, ADDRESS_V6, ..] => HEAD + 16 + PORT,
        [_, _, _, ADDRESS_NAME] => HEAD + 1,
        [_, _, _, ADDRESS_NAME, length, ..] => HEAD + 1 + usize::from(length) + PORT,
        [_, _, _, kind, ..] => {
            return Err(protocol(&format!("its reply holds an address of the unknown type {kind:#04x}")));
        }
    };
    Ok(match length.checked_sub(answer.len()) {
        None | Some(0) => Progress::Done(()),
        Some(missing) => Progress::Missing(missing),
    })
}

/// A length in one byte, and what it is the length of, cut to what one byte can count.
fn push_short(bytes: &mut Vec<u8>, field: &[u8]) {
    let length = u8::try_from(field.len()).unwrap_or(u8::MAX);
    bytes.push(length);
    bytes.extend_from_slice(&field[..usize::from(length)]);
}

async fn send(stream: &mut Listening, bytes: &[u8]) -> Result<(), Failure> {
    let sent = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    sent.await.map_err(broken)
}

async fn receive<T>(
    stream: &mut Listening,
    decode: impl Fn(&[u8]) -> Result<Progress<T>, Failure>,
) -> Result<T, Failure> {
    let mut answer = Vec::new();
    loop {
        match decode(&answer) {
            Ok(Progress::Done(outcome)) => return Ok(outcome),
            Ok(Progress::Missing(count)) => read_up_to(stream, count, &mut answer).await?,
            Err(Failure { problem: ProxyProblem::Protocol { complaint, .. }, source }) => {
                read_on(stream, &mut answer).await;
                return Err(Failure { problem: ProxyProblem::Protocol { complaint, said: answer }, source });
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Appends what has arrived, `count` bytes at most.
async fn read_up_to(stream: &mut Listening, count: usize, answer: &mut Vec<u8>) -> Result<(), Failure> {
    let begin = answer.len();
    answer.resize(begin + count, 0);
    let outcome = stream.read(&mut answer[begin..]).await;
    answer.truncate(begin + outcome.as_ref().map_or(0, |count| *count));
    match outcome {
        Ok(0) if begin == 0 => Err(protocol("it closed the connection without an answer")),
        Ok(0) => {
            let complaint = "it closed the connection in the middle of its answer".to_owned();
            Err(ProxyProblem::Protocol { complaint, said: answer.clone() }.into())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(broken(error)),
    }
}

/// Reads a little more of what is not SOCKS5.
async fn read_on(stream: &mut Listening, answer: &mut Vec<u8>) {
    const ENOUGH: usize = 100;
    let reading = async {
        let mut more = [0; ENOUGH];
        while answer.len() < ENOUGH && !answer.contains(&b'\n') {
            match stream.read(&mut more).await {
                Ok(count) if count > 0 => answer.extend_from_slice(&more[..count]),
                _ => break,
            }
        }
    };
    // Whatever has arrived by then is shown.
    let _ = tokio::time::timeout(CURIOSITY, reading).await;
}

fn protocol(complaint: &str) -> Failure {
    ProxyProblem::Protocol { complaint: complaint.to_owned(), said: Vec::new() }.into()
}

fn broken(error: io::Error) -> Failure {
    Failure { source: Some(error.into()), ..protocol("the connection to it broke") }
}

/// A server must close the connection after a login that failed (RFC 1929 §2); some do so without their status.
fn closed_at_login(failure: Failure) -> Failure {
    match failure.problem {
        ProxyProblem::Protocol { said, .. } if said.is_empty() => {
            Failure { problem: ProxyProblem::CredentialsRefused(ProxyAnswer::Closed), source: failure.source }
        }
        problem => Failure { problem, source: failure.source },
    }
}

#[cfg(test)]
#[path = "socks5_tests.rs"]
mod tests;
