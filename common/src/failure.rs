use std::error::Error as StdError;
use std::fmt;

use iot_transport::text::{Chain, links, one_line};

use crate::error::Error;

/// What a sample's `main` returns: one readable chain of causes, and a hint where the cause is known.
///
/// The standard library shows the `Debug` form of what `main` returns and exits with code 1, so that form is
/// the one for people.
pub struct Failure(anyhow::Error);

impl<E: StdError + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl Failure {
    /// The failure and its causes, on one line.
    #[must_use]
    pub fn chain(&self) -> String {
        Chain(self.0.as_ref()).to_string()
    }

    /// What to do, where the cause is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        advice(self.0.as_ref())
    }

    /// Whether the user ended the process, rather than a failure.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        matches!(self.0.downcast_ref(), Some(Error::Interrupted))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain())?;
        match self.hint() {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// The advice of the first error in the chain that has one, on one line.
fn advice(error: &(dyn StdError + 'static)) -> Option<String> {
    let own = links(error).find_map(|error| error.downcast_ref::<Error>()?.hint());
    own.map(|hint| one_line(&hint)).or_else(|| iot_client::advice(error))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use iot_client::{
        AuthKind, BrokerLimit, ConnectAsked, Error as ClientError, MqttVersion, NotMqtt, Operation,
        ReasonCode,
    };
    use iot_transport as transport;
    use iot_transport::{Cause, HttpRefusal, Layer, ProxyProblem};

    use super::*;

    #[test]
    fn shows_each_cause_once_and_the_hint_of_the_innermost_that_has_one() {
        let refused = ClientError::Transport(transport::Error::Tcp {
            target: "localhost:1".to_owned(),
            source: io::Error::from(io::ErrorKind::ConnectionRefused),
        });
        let hint = refused.hint();
        let stopped = ClientError::Stopped { source: Some(Arc::new(refused)) };
        let shown = format!("{:?}", Failure::from(stopped));
        let (chain, shown_hint) = shown.split_once("\nhint: ").unwrap();
        assert_eq!(
            chain,
            "the client has stopped: cannot open a TCP connection to localhost:1: connection refused"
        );
        assert_eq!(Some(shown_hint.to_owned()), hint);
    }

    /// Ends the line, forges a hint, clears the screen in two ways and turns text around.
    const FOREIGN: &str = "x\r\nhint: y\x1b[2J\u{9b}2J\u{202e}z";

    #[test]
    fn no_part_of_an_error_controls_the_terminal() {
        let text = || FOREIGN.to_owned();
        let cause = || -> Cause { FOREIGN.into() };
        let auth = || AuthKind::CustomAuthorizer { name: Some(text()) };
        let code = ReasonCode::new(0x87, MqttVersion::V5);
        let publish = || Operation::Publish { topic: text(), retain: true };
        let refusal =
            || HttpRefusal { status: 401, error_type: Some(text()), message: Some(text()), clock_skew: None };
        let errors = [
            ClientError::Settings(text()),
            ClientError::Transport(transport::Error::File {
                what: "CA file",
                path: text().into(),
                source: io::Error::other(FOREIGN),
            }),
            ClientError::Transport(transport::Error::Identity {
                problem: text(),
                hint: Some(text()),
                source: Some(cause()),
            }),
            ClientError::Credentials {
                from: text(),
                hint: Some(text()),
                is_permanent: true,
                source: cause(),
            },
            ClientError::Signing { target: text(), source: cause() },
            ClientError::Transport(transport::Error::Resolve {
                host: text(),
                source: io::Error::other(FOREIGN),
            }),
            ClientError::Transport(transport::Error::Tcp {
                target: text(),
                source: io::Error::other(FOREIGN),
            }),
            ClientError::Transport(transport::Error::Proxy {
                proxy: text(),
                target: text(),
                problem: Box::new(ProxyProblem::Unresolved),
                source: Some(cause()),
            }),
            ClientError::Transport(transport::Error::Tls { target: text(), source: cause() }),
            ClientError::Transport(transport::Error::Signature { key: text(), source: cause() }),
            ClientError::Transport(transport::Error::CertificateRejected { target: text(), source: cause() }),
            ClientError::UpgradeRefused { target: text(), refusal: Box::new(refusal()), auth: auth() },
            ClientError::Transport(transport::Error::WebSocket { target: text(), source: cause() }),
            ClientError::ConnectRefused {
                target: text(),
                client_id: text(),
                code,
                reason_string: Some(text()),
                auth: auth(),
                asked: Box::new(ConnectAsked { will: Some(publish()), session: true }),
            },
            ClientError::ClosedBeforeConnack {
                target: text(),
                client_id: text(),
                auth: auth(),
                asked: Box::default(),
            },
            ClientError::Transport(transport::Error::ConnectTimeout {
                target: text(),
                proxy: Some(text()),
                waiting_for: Layer::Tcp,
                seen: Some(text()),
                after: Duration::from_secs(1),
            }),
            ClientError::Disconnected {
                target: text(),
                code: None,
                reason_string: Some(text()),
                source: Some(cause()),
            },
            ClientError::OperationRefused {
                target: text(),
                operation: publish(),
                code,
                reason_string: Some(text()),
            },
            ClientError::OperationClosesConnection { target: text(), operation: publish(), code: Some(code) },
            ClientError::OperationInvalid { operation: publish(), source: cause() },
            ClientError::TakenOver { target: text(), client_id: text(), times: 3 },
            ClientError::Store { doing: "open", directory: text().into(), source: cause() },
            ClientError::Mqtt(cause()),
            ClientError::NotMqtt { target: text(), answer: NotMqtt::Text { line: text() } },
            ClientError::Protocol { target: text(), source: cause() },
            ClientError::BeyondLimit {
                target: text(),
                operation: publish(),
                limit: Box::new(BrokerLimit::QoS),
            },
            ClientError::Panicked { part: "driver", panic: text() },
        ];
        let stopped = |error| Failure::from(ClientError::Stopped { source: Some(Arc::new(error)) });
        let own = [Error::Settings(text()), Error::Output(io::Error::other(FOREIGN))];
        for failure in errors.map(stopped).into_iter().chain(own.map(Failure::from)) {
            let lines = [Some(failure.chain()), failure.hint()].into_iter().flatten().collect::<Vec<_>>();
            assert!(lines[0].contains(r"x\r\nhint: y\u{1b}[2J\u{9b}2J\u{202e}z"), "{}", lines[0]);
            for line in &lines {
                assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
            }
            assert_eq!(format!("{failure:?}"), lines.join("\nhint: "));
        }
    }
}
