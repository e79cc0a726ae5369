//! Which proxy a connection goes through, and why.

use std::ffi::OsString;
use std::net::IpAddr;

use super::no_proxy::NoProxy;
use super::{InvalidProxy, Proxy};
use crate::error::Error;
use crate::setting::Setting;

/// Where curl looks for the proxy of an `https://` URL, in this order. An empty variable counts as unset.
const PROXY_VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const NO_PROXY_VARIABLES: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The rule by which connections find their proxy. MQTT over TLS counts as `https://`.
#[derive(Debug, Clone)]
pub struct Proxies(Rule);

#[derive(Debug, Clone)]
enum Rule {
    /// Nobody asked for a rule: there is nothing to report.
    None,
    Off,
    Given(Proxy),
    Environment {
        /// The variable, and what it holds.
        proxy: Option<(&'static str, Result<Proxy, InvalidProxy>)>,
        no_proxy: Option<(&'static str, NoProxy)>,
    },
}

/// What was chosen for one host.
#[derive(Debug)]
#[non_exhaustive]
pub struct Choice<'a> {
    /// The proxy to go through; `None` is a direct connection.
    pub proxy: Option<&'a Proxy>,
    /// For people; `None` where nobody asked for a proxy.
    pub why: Option<String>,
    /// Whether a variable of the environment named the proxy.
    pub is_from_environment: bool,
}

impl Proxies {
    /// No proxy, whatever the environment says.
    #[must_use]
    pub fn none() -> Self {
        Self(Rule::Off)
    }

    /// One proxy for all hosts.
    #[must_use]
    pub fn always(proxy: Proxy) -> Self {
        Self(Rule::Given(proxy))
    }

    /// What `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say, as curl reads them
    /// (<https://curl.se/docs/manpage.html#ENVIRONMENT>): lower case first, an empty variable is none.
    ///
    /// `variable` looks a variable up, so that a test need not have any. The log warns of the entries of `NO_PROXY` that
    /// match nothing.
    ///
    /// # Errors
    /// [`Error::Settings`] for a `NO_PROXY` that is not UTF-8. A proxy that cannot be parsed is an error when a
    /// connection would go through it, never a direct connection.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| {
                variable(name).filter(|value| !value.is_empty()).map(|value| (*name, value.into_string()))
            })
        };
        let proxy = first(&PROXY_VARIABLES).map(|(name, value)| {
            (name, value.map_err(|_| InvalidProxy::not_utf8()).and_then(|value| Proxy::parse(&value)))
        });
        let no_proxy = match first(&NO_PROXY_VARIABLES) {
            None => None,
            Some((name, Ok(list))) => {
                let list = NoProxy::parse(&list);
                for complaint in list.complaints(name) {
                    log::warn!("{complaint}");
                }
                Some((name, list))
            }
            Some((name, Err(_))) => return Err(Error::Settings(format!("{name} is not UTF-8"))),
        };
        Ok(Self(Rule::Environment { proxy, no_proxy }))
    }

    /// The proxy that this rule knows, whether or not a host goes through it.
    ///
    /// # Errors
    /// [`Error::Settings`], naming the variable that cannot be parsed.
    pub fn proxy(&self) -> Result<Option<&Proxy>, Error> {
        match &self.0 {
            Rule::Given(proxy) => Ok(Some(proxy)),
            Rule::Environment { proxy: Some((name, proxy)), .. } => {
                proxy.as_ref().map(Some).map_err(|invalid| unusable(name, invalid))
            }
            Rule::None | Rule::Off | Rule::Environment { proxy: None, .. } => Ok(None),
        }
    }

    /// The same rule with `change` made to its proxy.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn map<E>(self, change: impl FnOnce(Proxy) -> Result<Proxy, E>) -> Result<Self, E> {
        Ok(Self(match self.0 {
            Rule::Given(proxy) => Rule::Given(change(proxy)?),
            Rule::Environment { proxy: Some((name, Ok(proxy))), no_proxy } => {
                Rule::Environment { proxy: Some((name, Ok(change(proxy)?))), no_proxy }
            }
            other => other,
        }))
    }

    /// The proxy for `host`, a name or an address without brackets.
    ///
    /// # Errors
    /// [`Error::Settings`], naming the variable that cannot be parsed.
    pub(crate) fn choose(&self, host: &str) -> Result<Choice<'_>, Error> {
        let is_from_environment = matches!(self.0, Rule::Environment { .. });
        let choice = |proxy: Option<_>, why: String| {
            let is_from_environment = proxy.is_some() && is_from_environment;
            Ok(Choice { proxy, why: Some(why), is_from_environment })
        };
        match &self.0 {
            Rule::None => Ok(Choice { proxy: None, why: None, is_from_environment: false }),
            Rule::Off => choice(None, format!("no proxy, as {} says", Setting::NoProxy)),
            Rule::Given(proxy) => choice(Some(proxy), format!("{proxy}, as {} says", Setting::Proxy)),
            Rule::Environment { proxy: None, .. } => {
                choice(None, "no proxy: HTTPS_PROXY and ALL_PROXY are not set".to_owned())
            }
            Rule::Environment { proxy: Some((name, proxy)), no_proxy } => {
                if let Some((no_name, list)) = no_proxy
                    && let Some(entry) = list.matching(host)
                {
                    return choice(None, format!("no proxy: {host} is under {entry:?} in {no_name}"));
                }
                let proxy = proxy.as_ref().map_err(|invalid| unusable(name, invalid))?;
                choice(Some(proxy), format!("{proxy}, as {name} says"))
            }
        }
    }
}

fn unusable(variable: &str, invalid: &InvalidProxy) -> Error {
    Error::Settings(format!("{variable} does not name a proxy: {invalid}"))
}

/// No rule at all: direct connections.
impl Default for Proxies {
    fn default() -> Self {
        Self(Rule::None)
    }
}

/// Whether a plain HTTP request to `host` asks this very machine: itself, or the metadata services of EC2, ECS and
/// EKS, whose answer depends on who asks and holds credentials
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html>,
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).
pub(crate) fn is_metadata(host: &str) -> bool {
    match host.parse().map(|address: IpAddr| address.to_canonical()) {
        // 169.254.169.254, 169.254.170.2 and 169.254.170.23: nothing link-local is behind a proxy.
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        // fd00:ec2::254 and fd00:ec2::23.
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.segments()[..2] == [0xfd00, 0x0ec2],
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is chosen for `a.example` with these variables.
    fn chosen(variables: &[(&str, &str)]) -> Result<(Option<String>, String), String> {
        let variable = |name: &str| {
            variables.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value))
        };
        let proxies = Proxies::from_environment(variable).map_err(|error| error.to_string())?;
        let choice = proxies.choose("a.example").map_err(|error| error.to_string())?;
        Ok((choice.proxy.map(ToString::to_string), choice.why.unwrap_or_default()))
    }

    #[test]
    fn the_order_is_curls() {
        for (variables, proxy, why) in [
            (&[][..], None, "not set"),
            (&[("HTTPS_PROXY", "p:1")][..], Some("http://p:1"), "HTTPS_PROXY"),
            (&[("HTTPS_PROXY", "p:1"), ("https_proxy", "q:1")], Some("http://q:1"), "https_proxy"),
            (&[("https_proxy", ""), ("HTTPS_PROXY", "p:1")], Some("http://p:1"), "HTTPS_PROXY"),
            (&[("ALL_PROXY", "p:1"), ("all_proxy", "q:1")], Some("http://q:1"), "all_proxy"),
            (&[("ALL_PROXY", "socks5h://p"), ("https_proxy", "")], Some("socks5h://p:1080"), "ALL_PROXY"),
            (&[("all_proxy", "q:1"), ("HTTPS_PROXY", "p:1")], Some("http://p:1"), "HTTPS_PROXY"),
            // Not ours.
            (&[("http_proxy", "p:1"), ("HTTP_PROXY", "p:1")], None, "not set"),
            (&[("HTTPS_PROXY", "p:1"), ("NO_PROXY", ".example")], None, "\".example\" in NO_PROXY"),
            (
                &[("HTTPS_PROXY", "p:1"), ("NO_PROXY", "*"), ("no_proxy", "x")],
                Some("http://p:1"),
                "HTTPS_PROXY",
            ),
            (&[("HTTPS_PROXY", "p:1"), ("NO_PROXY", "*"), ("no_proxy", "")], None, "\"*\" in NO_PROXY"),
            // As with curl, a variable that is not needed is not read.
            (&[("HTTPS_PROXY", "ftp://p"), ("NO_PROXY", "*")], None, "NO_PROXY"),
            (&[("ALL_PROXY", "ftp://p"), ("HTTPS_PROXY", "p:1")], Some("http://p:1"), "HTTPS_PROXY"),
        ] {
            let (found, reason) = chosen(variables).unwrap_or_else(|error| panic!("{variables:?}: {error}"));
            assert_eq!(found.as_deref(), proxy, "{variables:?}");
            assert!(reason.contains(why), "{variables:?}: {reason}");
        }
    }

    #[test]
    fn what_cannot_be_parsed_is_no_direct_connection() {
        for (name, value) in [
            ("HTTPS_PROXY", "ftp://p"),
            ("https_proxy", " "),
            ("ALL_PROXY", "http://bob:hunter2"),
            ("all_proxy", "//p:1"),
            ("HTTPS_PROXY", "http://bob:hunter2@p:1\r"),
            ("ALL_PROXY", "\"http://bob:hunter2@p:1\""),
        ] {
            let error = chosen(&[(name, value)]).expect_err(value);
            assert!(error.starts_with(&format!("{name} does not name a proxy: ")), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_not_utf8() {
        use std::os::unix::ffi::OsStringExt;

        let bytes = |wanted: &'static str| {
            move |name: &str| (name == wanted).then(|| OsString::from_vec(b"http://\xff".to_vec()))
        };
        let proxies = Proxies::from_environment(bytes("HTTPS_PROXY")).expect("is lazy");
        let error = proxies.choose("a.example").expect_err("not UTF-8").to_string();
        assert_eq!(error, "HTTPS_PROXY does not name a proxy: it is not UTF-8");
        let error = Proxies::from_environment(bytes("NO_PROXY")).expect_err("not UTF-8").to_string();
        assert_eq!(error, "NO_PROXY is not UTF-8");
    }

    #[test]
    fn fixed_rules() {
        let proxy = Proxy::parse("socks5h://user:hunter2@p").expect("a proxy");
        let given = Proxies::always(proxy);
        assert!(!format!("{given:?}").contains("hunter2"), "{given:?}");
        assert_eq!(given.choose("::1").expect("chooses").proxy.map(Proxy::port), Some(1080));
        let off = Proxies::none();
        let off = off.choose("a").expect("chooses");
        assert!(off.proxy.is_none() && off.why.is_some());
        let default = Proxies::default();
        assert!(default.choose("a").expect("chooses").why.is_none());
    }

    #[test]
    fn metadata_services() {
        for own in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "127.0.0.1",
            "::1",
            "::ffff:169.254.169.254",
            "localhost",
        ] {
            assert!(is_metadata(own), "{own}");
        }
        for other in ["10.0.0.1", "fd00::1", "sts.us-east-1.amazonaws.com", ""] {
            assert!(!is_metadata(other), "{other}");
        }
    }
}
