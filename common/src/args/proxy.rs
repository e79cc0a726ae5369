use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command};
use iot_transport::proxy::parse_host;
use iot_transport::{InvalidProxy, Proxies, Proxy, ProxyScheme, Roots, Route};
use secrecy::{ExposeSecret, SecretString};

use super::error::usage_error;
use super::secret::Secret;
use crate::error::Error;

/// Which proxy to go through. Without any of these flags the environment says, as it does to curl.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Proxy")]
pub struct ProxyArgs {
    /// The proxy, as `SCHEME://[USER:PASSWORD@]HOST[:PORT]`: socks5 (names are looked up here), socks5h (by the
    /// proxy), http, or https (TLS with the proxy). User and password are percent-encoded; the port is 1080 by
    /// default, 443 for https. Without this flag HTTPS_PROXY, ALL_PROXY and NO_PROXY decide.
    #[arg(long, value_name = "URL", value_parser = Unquoted(Proxy::parse),
          conflicts_with_all = ["proxy_host", "no_proxy"])]
    pub proxy: Option<Proxy>,

    /// A file with USER:PASSWORD for the proxy, as they are [env: AWS_IOT_PROXY_USER]. Unlike a URL's, they do not
    /// show in process lists.
    #[arg(long, value_name = "FILE", alias = "proxy_user_file", conflicts_with = "no_proxy")]
    pub proxy_user_file: Option<PathBuf>,

    /// The CA certificates that an https:// proxy's own certificate comes from, instead of the operating system's
    /// (PEM).
    #[arg(long, value_name = "FILE", alias = "proxy_ca_file", conflicts_with = "no_proxy")]
    pub proxy_ca_file: Option<PathBuf>,

    /// Connect directly, whatever the environment says.
    #[arg(long, alias = "no_proxy")]
    pub no_proxy: bool,

    /// An HTTP proxy's host; --proxy says the same in one.
    #[arg(long, value_name = "HOST", alias = "proxy_host", value_parser = Unquoted(parse_host),
          conflicts_with = "no_proxy")]
    pub proxy_host: Option<String>,

    /// The port of --proxy-host.
    #[arg(long, value_name = "PORT", alias = "proxy_port", requires = "proxy_host", default_value_t = 8080,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub proxy_port: u16,

    /// The user name for --proxy-host.
    #[arg(
        long,
        value_name = "NAME",
        alias = "proxy_user_name",
        requires = "proxy_host",
        conflicts_with = "proxy_user_file"
    )]
    pub proxy_user_name: Option<String>,

    /// The password for --proxy-host; --proxy-user-file keeps it out of process lists.
    #[arg(long, value_name = "PASSWORD", alias = "proxy_password", requires = "proxy_user_name")]
    pub proxy_password: Option<SecretString>,
}

const USER: Secret = Secret {
    what: "user name and password of the proxy",
    flag: "--proxy-user",
    variable: "AWS_IOT_PROXY_USER",
};

impl ProxyArgs {
    /// The route that flags and environment describe, with `roots` for the broker and AWS.
    ///
    /// # Errors
    ///
    /// [`iot_transport::Error::File`] for a file that cannot be read, [`Error::Settings`] for one that is not USER:PASSWORD, for a
    /// flag that nothing would use, and for a variable that cannot be parsed.
    pub fn route(&self, roots: Roots) -> Result<Route, Error> {
        self.route_with(roots, |name| env::var_os(name))
    }

    fn route_with(&self, roots: Roots, variable: impl Fn(&str) -> Option<OsString>) -> Result<Route, Error> {
        let proxies = self.proxies(variable)?;
        let proxy_roots = match &self.proxy_ca_file {
            None => Roots::system(),
            Some(file) if proxies.proxy()?.is_some_and(|proxy| proxy.scheme() == ProxyScheme::Https) => {
                Roots::from_file(file)
            }
            Some(_) => {
                let text = "--proxy-ca-file is for a proxy with https://, and there is none";
                return Err(Error::Settings(text.to_owned()));
            }
        };
        Ok(Route::new(roots, proxies, proxy_roots))
    }

    fn proxies(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Proxies, Error> {
        if self.no_proxy {
            return Ok(Proxies::none());
        }
        let proxies = match self.given()? {
            Some(proxy) => Proxies::always(proxy),
            None => Proxies::from_environment(&variable)?,
        };
        let Some((user, from)) = self.user(variable)? else { return Ok(proxies) };
        match (proxies.proxy(), from) {
            (Ok(None), GivenIn::File) => Err(Error::Settings(
                "--proxy-user-file is given, but there is no proxy to log in to".to_owned(),
            )),
            (Ok(Some(proxy)), GivenIn::File) if proxy.has_credentials() && self.proxy.is_some() => {
                Err(Error::Settings(
                    "--proxy holds a user name already: leave it out there, or leave --proxy-user-file out"
                        .to_owned(),
                ))
            }
            // What is nearer to the proxy wins: its own URL.
            (Ok(Some(proxy)), GivenIn::Environment) if proxy.has_credentials() => Ok(proxies),
            (Ok(Some(_)), _) => proxies.map(|proxy| log_in(proxy, &user, from)),
            // An error comes when a connection would go that way.
            (Ok(None) | Err(_), _) => Ok(proxies),
        }
    }

    /// The proxy of the flags.
    fn given(&self) -> Result<Option<Proxy>, Error> {
        let Some(host) = &self.proxy_host else { return Ok(self.proxy.clone()) };
        let unfit =
            |invalid| Error::Settings(format!("--proxy-host and its companions do not fit: {invalid}"));
        let proxy = Proxy::http(host, self.proxy_port).map_err(unfit)?;
        match self.proxy_user_name.as_deref() {
            None | Some("") => Ok(Some(proxy)),
            Some(name) => {
                let password = self.proxy_password.clone().unwrap_or_default();
                proxy.with_credentials(name, password).map(Some).map_err(unfit)
            }
        }
    }

    /// USER:PASSWORD, from outside of a URL.
    fn user(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<(SecretString, GivenIn)>, Error> {
        if self.proxy_user_file.is_some() {
            let found = USER.find(None, self.proxy_user_file.as_deref())?;
            return Ok(found.map(|user| (user, GivenIn::File)));
        }
        match variable(USER.variable).filter(|value| !value.is_empty()).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(user)) if user.ends_with('\r') => Err(Error::Settings(format!(
                "{} ends in a carriage return, as the lines of a file with Windows line ends do",
                USER.variable
            ))),
            Some(Ok(user)) => Ok(Some((user.into(), GivenIn::Environment))),
            Some(Err(_)) => Err(Error::Settings(format!("{} is not UTF-8", USER.variable))),
        }
    }
}

/// Where USER:PASSWORD comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GivenIn {
    File,
    Environment,
}

/// Gives the proxy what stands before and behind the first colon (RFC 7617 §2).
fn log_in(proxy: Proxy, user: &SecretString, from: GivenIn) -> Result<Proxy, Error> {
    let problem = |problem: &dyn std::fmt::Display| {
        let place = match from {
            GivenIn::File => "the file of --proxy-user-file",
            GivenIn::Environment => USER.variable,
        };
        Error::Settings(format!("{place} does not hold USER:PASSWORD: {problem}"))
    };
    let Some((name, password)) = user.expose_secret().split_once(':') else {
        return Err(problem(&"it has no colon"));
    };
    proxy.with_credentials(name, password.to_owned().into()).map_err(|invalid| problem(&invalid))
}

/// Parses a value without showing it in the message: it may hold a password.
#[derive(Debug, Clone)]
struct Unquoted<T>(fn(&str) -> Result<T, InvalidProxy>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Unquoted<T> {
    type Value = T;

    fn parse_ref(&self, _: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let Unquoted(parse) = self;
        value.to_str().ok_or_else(InvalidProxy::not_utf8).and_then(parse).map_err(|invalid| {
            let arg = arg.map_or_else(String::new, |arg| format!(" for '{arg}'"));
            usage_error(ErrorKind::ValueValidation, format!("invalid value{arg}: {invalid}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        proxy: ProxyArgs,
    }

    fn parse(flags: &[&str]) -> Result<ProxyArgs, String> {
        match Cli::try_parse_from([&["cli"], flags].concat()) {
            Ok(cli) => Ok(cli.proxy),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The rule for these flags and variables.
    fn proxies(flags: &[&str], variables: &[(&str, &str)]) -> Result<Proxies, String> {
        let variable = |name: &str| {
            variables.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value))
        };
        parse(flags)?.proxies(variable).map_err(|error| error.to_string())
    }

    /// The proxy, with what `Debug` shows of it.
    fn proxy(flags: &[&str], variables: &[(&str, &str)]) -> String {
        match proxies(flags, variables) {
            Ok(proxies) => format!("{:?}", proxies.proxy().unwrap()),
            Err(error) => panic!("{flags:?}: {error}"),
        }
    }

    #[test]
    fn flags_and_variables() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "bob:p@ss: w/%\n").unwrap();
        let file = file.path().to_str().unwrap();
        let environment = [("HTTPS_PROXY", "http://env")];
        for (flags, variables, expected) in [
            (&[][..], &[][..], "None"),
            (&["--proxy", "socks5h://a"][..], &environment[..], "Some(Proxy(socks5h://a:1080))"),
            (&["--no-proxy"], &environment, "None"),
            (&["--no_proxy"], &environment, "None"),
            (&["--no-proxy"], &[("HTTPS_PROXY", "\"ftp://p\"\r"), ("AWS_IOT_PROXY_USER", "bob\r")], "None"),
            (&[], &environment, "Some(Proxy(http://env:1080))"),
            (&["--proxy-host", "a"], &environment, "Some(Proxy(http://a:8080))"),
            (&["--proxy_host", "::1", "--proxy_port", "3128"], &[], "Some(Proxy(http://[::1]:3128))"),
            (
                &["--proxy_host", "a", "--proxy_user_name", "bob", "--proxy_password", "p"],
                &[],
                "Some(Proxy(http://a:8080, with credentials))",
            ),
            (
                &["--proxy", "a", "--proxy-user-file", file],
                &[],
                "Some(Proxy(http://a:1080, with credentials))",
            ),
            (&["--proxy-user-file", file], &environment, "Some(Proxy(http://env:1080, with credentials))"),
            (
                &["--proxy", "https://a"],
                &[("AWS_IOT_PROXY_USER", "bob:p")],
                "Some(Proxy(https://a:443, with credentials))",
            ),
            (&[], &[("AWS_IOT_PROXY_USER", "bob:p")], "None"),
        ] {
            assert_eq!(proxy(flags, variables), expected, "{flags:?} {variables:?}");
        }
    }

    #[test]
    fn what_does_not_fit() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\n").unwrap();
        let file = file.path().to_str().unwrap();
        for (flags, words) in [
            (&["--proxy", "ftp://u:hunter2@a"][..], "invalid value for '--proxy <URL>': the scheme ftp://"),
            (&["--proxy", "http://u:hunter2@"], "names no host"),
            (&["--proxy-host", "http://u:hunter2@a"], "neither a host name nor"),
            (&["--proxy-host", "fe80::1%lo"], "an IPv6 address with a zone ID is not supported"),
            (&["--proxy", "a", "--no-proxy"], "cannot be used with"),
            (&["--proxy", "a", "--proxy-host", "b"], "cannot be used with"),
            (&["--proxy-port", "1"], "--proxy-host"),
            (&["--proxy-host", "a", "--proxy-password", "hunter2"], "--proxy-user-name"),
            (&["--proxy", "a", "--proxy-user-file", file], "does not hold USER:PASSWORD: it has no colon"),
            (&["--proxy", "u@a", "--proxy-user-file", file], "holds a user name already"),
            (&["--proxy-user-file", file], "no proxy to log in to"),
            (
                &["--proxy", "a", "--proxy-user-file", "/nowhere/user"],
                "cannot read the user name and password",
            ),
        ] {
            let error = proxies(flags, &[]).map(|found| format!("{found:?}")).expect_err(words);
            assert!(error.contains(words) && !error.contains("hunter2"), "{flags:?}: {error}");
        }
        let no_colon = [("HTTPS_PROXY", "a"), ("AWS_IOT_PROXY_USER", "hunter2")];
        let error = proxies(&[], &no_colon).unwrap_err();
        assert_eq!(error, "AWS_IOT_PROXY_USER does not hold USER:PASSWORD: it has no colon");
        let windows = [("HTTPS_PROXY", "socks5h://a"), ("AWS_IOT_PROXY_USER", "bob:hunter2\r")];
        let error = proxies(&[], &windows).unwrap_err();
        assert!(error.starts_with("AWS_IOT_PROXY_USER ends in a carriage return"), "{error}");
    }

    #[test]
    fn a_ca_file_needs_an_https_proxy() {
        for (url, accepted) in [("https://a", true), ("http://a", false), ("socks5h://a", false)] {
            let args = parse(&["--proxy", url, "--proxy-ca-file", "ca.pem"]).unwrap();
            assert_eq!(args.route_with(Roots::system(), |_| None).is_ok(), accepted, "{url}");
        }
        let args = parse(&["--proxy-ca-file", "ca.pem"]).unwrap();
        assert!(args.route_with(Roots::system(), |_| None).is_err());
    }

    #[test]
    fn no_secret_in_debug() {
        let args = parse(&["--proxy", "http://bob:hunter2@a"]).unwrap();
        assert!(!format!("{args:?}").contains("hunter2"));
        let args = ["--proxy-host", "a", "--proxy-user-name", "b", "--proxy-password", "hunter2"];
        assert!(!format!("{:?}", parse(&args).unwrap()).contains("hunter2"));
    }
}
