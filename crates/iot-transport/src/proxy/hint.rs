//! What to do about a proxy that did not let us through.

use std::error::Error as StdError;
use std::io::ErrorKind;

use super::{HttpAnswer, ProxyAnswer, ProxyProblem};
use crate::cause::Cause;
use crate::error::Error;
use crate::setting::Setting;
use crate::tls::tls_cause;

/// `proxy` is its URL, `target` the `host:port` that it was asked for.
pub(crate) fn hint(
    proxy: &str,
    target: &str,
    problem: &ProxyProblem,
    source: Option<&Cause>,
) -> Option<String> {
    let source: Option<&(dyn StdError + 'static)> = source.map(|cause| &**cause as _);
    match problem {
        ProxyProblem::Unreachable => unreachable(proxy, source?),
        ProxyProblem::Unresolved => {
            Some("with socks5h:// in place of socks5:// the proxy looks the name up".to_owned())
        }
        ProxyProblem::Refused(answer) => refused(target, answer),
        ProxyProblem::CredentialsWanted(ProxyAnswer::SocksMethod(_)) => Some(how_to_log_in()),
        ProxyProblem::CredentialsWanted(answer) | ProxyProblem::CredentialsRefused(answer)
            if offers_no_basic(answer) =>
        {
            Some(
                "the proxy takes none of the schemes known here, which is Basic alone: a local relay such as px or \
                 cntlm can log in for you"
                    .to_owned(),
            )
        }
        ProxyProblem::CredentialsWanted(_) => Some(how_to_log_in()),
        ProxyProblem::CredentialsRefused(_) => Some(
            "check the user name and the password; in a URL, characters such as @ : / % are written as %40 %3A %2F \
             %25, in a file as they are"
                .to_owned(),
        ),
        ProxyProblem::Protocol { said, .. } => Some(protocol(proxy, said)),
        ProxyProblem::Tls => Some(match source.and_then(tls_cause) {
            Some(rustls::Error::InvalidCertificate(_)) => format!(
                "what answers through the proxy is not {target} as its CA knows it: if the proxy inspects TLS, have \
                 the endpoint exempted from that; else name the endpoint's CA ({})",
                Setting::CaFile
            ),
            _ => "what answers through the proxy does not speak TLS as the broker does: check the port, and that the \
                  proxy lets its bytes through unchanged"
                .to_owned(),
        }),
    }
}

fn how_to_log_in() -> String {
    format!("put user:password into a file ({}) or into AWS_IOT_PROXY_USER", Setting::ProxyUserFile)
}

fn unreachable(proxy: &str, source: &(dyn StdError + 'static)) -> Option<String> {
    let hint = match tls_cause(source) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            return Some(format!(
                "the certificate of the proxy itself is not trusted here: name its CA ({}), and write the proxy's \
                 name as the certificate has it",
                Setting::ProxyCaFile
            ));
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            "the proxy does not speak TLS on this port: try http:// in place of https://"
        }
        Some(_) => {
            "TLS with the proxy itself failed: a proxy that wants a client certificate is not supported"
        }
        None => match source.downcast_ref() {
            // There is no IPv6 address.
            Some(error @ Error::Resolve { source, .. }) if source.kind() == ErrorKind::AddrNotAvailable => {
                return error.hint();
            }
            Some(Error::Resolve { .. }) => "check the spelling of the proxy's name",
            Some(Error::Tcp { source, .. }) if source.kind() == ErrorKind::ConnectionRefused => {
                "nothing listens there: check the proxy's port (1080 where none is given, 443 for https://), and that \
                 it runs"
            }
            Some(Error::Tls { .. }) if proxy.starts_with("https://") => {
                "the proxy does not speak TLS on this port: try http:// in place of https://"
            }
            _ => "check the proxy's host and port, and the way to it",
        },
    };
    Some(hint.to_owned())
}

fn refused(target: &str, answer: &ProxyAnswer) -> Option<String> {
    let (host, port) = target.rsplit_once(':').unwrap_or((target, ""));
    let hint = match answer {
        ProxyAnswer::SocksReply(0x02) => format!("the proxy's rules must allow {host} and port {port}"),
        ProxyAnswer::SocksReply(0x01 | 0x03..=0x06) => {
            format!("the proxy cannot get through to {host} on port {port}: check both, and the proxy's own network")
        }
        ProxyAnswer::SocksReply(0x07) => "the proxy does not let its clients connect (CONNECT)".to_owned(),
        ProxyAnswer::SocksReply(0x08) => {
            "the proxy does not take this kind of address: try socks5h:// in place of socks5://, or the reverse"
                .to_owned()
        }
        ProxyAnswer::SocksMethod(_) => {
            "the proxy takes neither a user name with a password nor a client without: it may want GSSAPI".to_owned()
        }
        ProxyAnswer::Http(answer) => http_refusal(host, port, answer)?,
        _ => return None,
    };
    Some(hint)
}

fn http_refusal(host: &str, port: &str, answer: &HttpAnswer) -> Option<String> {
    Some(match answer.status {
        400 | 405 | 501 => {
            "what answers may be a web server rather than a proxy, or a proxy without CONNECT".to_owned()
        }
        403 => format!(
            "the proxy's rules must allow CONNECT to {host} and port {port}; many allow 443 only, which AWS IoT Core \
             serves, too ({} 443)",
            Setting::Port
        ),
        301..=308 => {
            "the proxy sends to another page, as a captive portal does: log in with a browser".to_owned()
        }
        500 | 502..=504 => {
            format!(
                "the proxy cannot get through to {host} on port {port}: check both, and the proxy's own network"
            )
        }
        _ => return None,
    })
}

fn protocol(proxy: &str, said: &[u8]) -> String {
    let is_socks = proxy.starts_with("socks");
    let hint = match said {
        [b'H', b'T', b'T', b'P', ..] if is_socks => {
            "an HTTP server answers: try http:// in place of socks5://"
        }
        // Alert or handshake (RFC 8446 §5.1).
        [0x15 | 0x16, 3, ..] => "the proxy speaks TLS on this port: try https://",
        // Version 5, or 0 in a reply of SOCKS4.
        [5, ..] | [0, 0x5a..=0x5d, ..] if !is_socks => "a SOCKS server answers: try socks5h://",
        [0, 0x5a..=0x5d, ..] => "the proxy speaks SOCKS4, which is not supported",
        _ => {
            "check the proxy's scheme (socks5h://, http:// or https://) and port: what answers there speaks \
              something else"
        }
    };
    hint.to_owned()
}

/// Whether the proxy asks for a login and names schemes, Basic not among them (RFC 9110 §11.7.1).
fn offers_no_basic(answer: &ProxyAnswer) -> bool {
    let ProxyAnswer::Http(answer) = answer else { return false };
    let mut offers = answer.headers_of("proxy-authenticate").peekable();
    offers.peek().is_some() && !offers.any(|offer| offer.to_ascii_lowercase().contains("basic"))
}
