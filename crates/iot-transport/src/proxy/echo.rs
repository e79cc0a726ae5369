//! What a proxy repeats of its own password: the pages of some web servers show the request that they refuse, and an
//! echo server shows everything.

use super::{Failure, HttpAnswer, Proxy, ProxyAnswer, ProxyProblem, ProxyScheme, http, socks5};
use crate::error::Error;

/// How many bytes tell the password, as it is sent, from other text; of fewer there may be no more at the end.
const TELLING: usize = 8;
const TELLING_AT_THE_END: usize = 4;

impl Proxy {
    /// The error for what came in the way to `target`.
    pub(crate) fn error(&self, target: &str, failure: Failure) -> Error {
        let failure = self.hide_login(failure);
        Error::Proxy {
            proxy: self.to_string(),
            target: target.to_owned(),
            problem: Box::new(failure.problem),
            source: failure.source,
        }
    }

    /// What the proxy said, up to where it repeats what it was sent to log in.
    pub(crate) fn without_login(&self, said: &[u8]) -> Vec<u8> {
        said[..self.repeats_login(said).unwrap_or(said.len())].to_vec()
    }

    fn hide_login(&self, failure: Failure) -> Failure {
        use ProxyProblem::{CredentialsRefused, CredentialsWanted, Protocol, Refused};

        let problem = match failure.problem {
            Refused(answer) => Refused(self.hide_in(answer)),
            CredentialsWanted(answer) => CredentialsWanted(self.hide_in(answer)),
            CredentialsRefused(answer) => CredentialsRefused(self.hide_in(answer)),
            Protocol { complaint, said } => Protocol { complaint, said: self.without_login(&said) },
            other => other,
        };
        Failure { problem, ..failure }
    }

    fn hide_in(&self, answer: ProxyAnswer) -> ProxyAnswer {
        let ProxyAnswer::Http(answer) = answer else { return answer };
        let hide = |mut text: String| {
            // What is looked for is ASCII.
            text.truncate(self.repeats_login(text.as_bytes()).unwrap_or(text.len()));
            text
        };
        let HttpAnswer { status, reason, headers, body } = *answer;
        ProxyAnswer::Http(Box::new(HttpAnswer {
            status,
            reason: hide(reason),
            headers: headers.into_iter().map(|(name, value)| (name, hide(value))).collect(),
            body: hide(body),
        }))
    }

    /// Where the password begins, as it is sent.
    fn repeats_login(&self, said: &[u8]) -> Option<usize> {
        let credentials = self.credentials()?;
        let sent = match self.scheme() {
            ProxyScheme::Socks5 | ProxyScheme::Socks5h => socks5::sent_password(credentials),
            ProxyScheme::Http | ProxyScheme::Https => http::sent_login(credentials).into_bytes(),
        };
        let telling = &sent[..sent.len().min(TELLING)];
        said.windows(telling.len()).position(|window| window == telling).or_else(|| {
            let lengths = (TELLING_AT_THE_END..telling.len()).rev();
            lengths
                .into_iter()
                .find(|&length| said.ends_with(&telling[..length]))
                .map(|length| said.len() - length)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "bob:hunter2" in Base64 is "Ym9iOmh1bnRlcjI=".
    fn shown(proxy: &str, said: &str) -> String {
        let proxy = Proxy::parse(proxy).expect("a proxy");
        String::from_utf8(proxy.without_login(said.as_bytes())).expect("text")
    }

    #[test]
    fn a_password_that_is_repeated_is_not_shown() {
        for (proxy, said, expected) in [
            ("http://bob:hunter2@a", "no: Basic Ym9iOmh1bnRlcjI= at all", "no: Basic "),
            ("http://bob:hunter2@a", "cut: Basic Ym9iO", "cut: Basic "),
            ("http://bob:hunter2@a", "bob may not", "bob may not"),
            ("http://a", "Basic Ym9iOmh1bnRlcjI=", "Basic Ym9iOmh1bnRlcjI="),
            ("socks5h://bob:hunter2@a", "\x01\x03bob\x07hunter2", "\x01\x03bob"),
            ("socks5h://bob:hunter2@a", "\x01\x03bob\x07hun", "\x01\x03bob"),
            ("socks5h://bob:x@a", "\x01\x03bob\x01x", "\x01\x03bob"),
            ("socks5h://bob@a", "HTTP/1.1 400\r\n", "HTTP/1.1 400\r\n"),
            ("socks5h://bob:hunter2@a", "", ""),
        ] {
            assert_eq!(shown(proxy, said), expected, "{proxy} {said:?}");
        }
    }

    #[test]
    fn no_part_of_an_answer_repeats_it() {
        let echo = "x Basic Ym9iOmh1bnRlcjI=".to_owned();
        let answer = ProxyAnswer::Http(Box::new(HttpAnswer {
            status: 403,
            reason: echo.clone(),
            headers: vec![("x-request".to_owned(), echo.clone())],
            body: format!("é{echo}é"),
        }));
        let proxy = Proxy::parse("http://bob:hunter2@a").expect("a proxy");
        for problem in [
            ProxyProblem::Refused(answer.clone()),
            ProxyProblem::CredentialsWanted(answer.clone()),
            ProxyProblem::CredentialsRefused(answer),
            ProxyProblem::Protocol { complaint: "no".to_owned(), said: echo.into_bytes() },
        ] {
            let error = proxy.error("b:1", problem.into());
            let shown = format!("{error} {error:?} {:?}", error.hint());
            assert!(!shown.contains("Ym9i") && !shown.contains("89, 109, 57"), "{shown}");
        }
    }
}
