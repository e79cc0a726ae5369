use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Dante, Login, Microsocks, Server, Squid, Stunnel, Tinyproxy};
use crate::{Outcome, Sample};

/// A running proxy, and what a sample is told of it.
#[derive(Debug)]
pub struct Way {
    /// For the messages of tests.
    name: &'static str,
    server: Server,
    /// The proxy behind one that only adds TLS.
    behind: Option<Server>,
    url: String,
    user: Option<&'static str>,
    ca_file: Option<PathBuf>,
    logged: Logged,
    _folder: Option<TempDir>,
}

/// In which form the proxy's log has a target.
#[derive(Debug, Clone, Copy)]
enum Logged {
    /// Dante: the address that the name led to.
    Address,
    /// The others: the name, as it was asked for.
    Name,
}

/// A password with everything that a URL has to encode.
const AWKWARD: Login<'_> = Login { user: "user", password: "p@ss:/% word" };
const AWKWARD_IN_URL: &str = "user:p%40ss%3A%2F%25%20word";
const PLAIN: Login<'_> = Login { user: "user", password: "secret" };

/// Every proxy that there is a real server for, with a password and without one. The broker's name is looked up by the
/// proxy with all of them.
///
/// # Panics
///
/// When one of them is not installed or does not start.
#[must_use]
pub fn ways() -> Vec<Way> {
    let mut ways = socks5_ways();
    ways.extend(http_ways());
    ways
}

/// Those of [`ways`] that speak SOCKS5.
///
/// # Panics
///
/// As [`ways`].
#[must_use]
pub fn socks5_ways() -> Vec<Way> {
    let dante_login = Dante { login: Some(AWKWARD), ..Dante::default() }.start();
    let microsocks_login = Microsocks { login: Some(AWKWARD) }.start();
    let way = |name, server, logged| Way::new(name, "socks5h", server, logged);
    vec![
        way("Dante", Dante::default().start(), Logged::Address),
        way("Dante with a login", dante_login, Logged::Address).with_user_in_url(AWKWARD_IN_URL),
        way("microsocks", Microsocks::default().start(), Logged::Name),
        way("microsocks with a login", microsocks_login, Logged::Name).with_user("user:p@ss:/% word"),
    ]
}

/// Those of [`ways`] that speak HTTP.
///
/// # Panics
///
/// As [`ways`].
#[must_use]
pub fn http_ways() -> Vec<Way> {
    let squid_login = Squid { login: Some(AWKWARD), ..Squid::default() }.start();
    let tinyproxy_login = Tinyproxy { login: Some(PLAIN), ..Tinyproxy::default() }.start();
    let way = |name, server| Way::new(name, "http", server, Logged::Name);
    vec![
        way("Squid", Squid::default().start()),
        way("Squid with a login", squid_login).with_user("user:p@ss:/% word"),
        way("Tinyproxy", Tinyproxy::default().start()),
        way("Tinyproxy with a login", tinyproxy_login).with_user_in_url("user:secret"),
        behind_tls(),
    ]
}

fn behind_tls() -> Way {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a name is enough");
    fs::write(&cert_file, own.cert.pem()).expect("the folder is writable");
    fs::write(&key_file, own.signing_key.serialize_pem()).expect("the folder is writable");
    let tinyproxy = Tinyproxy::default().start();
    let server =
        Stunnel { target_port: tinyproxy.port(), cert_file: &cert_file, key_file: &key_file }.start();
    Way {
        // The name that the certificate is for.
        url: format!("https://localhost:{}", server.port()),
        behind: Some(tinyproxy),
        ca_file: Some(cert_file),
        _folder: Some(folder),
        ..Way::new("stunnel before Tinyproxy", "https", server, Logged::Name)
    }
}

impl Way {
    fn new(name: &'static str, scheme: &str, server: Server, logged: Logged) -> Self {
        let url = format!("{scheme}://{}", server.address());
        Way { name, server, behind: None, url, user: None, ca_file: None, logged, _folder: None }
    }

    fn with_user(self, user: &'static str) -> Self {
        Way { user: Some(user), ..self }
    }

    fn with_user_in_url(self, user: &str) -> Self {
        Way { url: self.url.replace("://", &format!("://{user}@")), ..self }
    }

    /// The sample with the flags for this proxy. A user that is not in the URL is in a file.
    ///
    /// # Panics
    ///
    /// When that file cannot be written.
    #[must_use]
    pub fn through(&self, sample: Sample) -> Sample {
        let mut flags = vec!["--proxy".into(), self.url.clone()];
        if let Some(user) = self.user {
            let file = sample.home().join("proxy-user");
            fs::write(&file, format!("{user}\n")).expect("the home folder is writable");
            flags.extend(["--proxy-user-file".into(), file.display().to_string()]);
        }
        if let Some(file) = &self.ca_file {
            flags.extend(["--proxy-ca-file".into(), file.display().to_string()]);
        }
        sample.args(flags)
    }

    /// Runs the sample through this proxy. It has to succeed, the proxy to have led it to `localhost:port`, and nobody
    /// but the proxy to have been contacted: no name server, and not the broker.
    ///
    /// # Panics
    ///
    /// When this is not so.
    #[cfg(target_os = "linux")]
    pub fn leads(&self, sample: Sample, port: u16) -> Outcome {
        let (outcome, capture) = self.through(sample).run_captured();
        assert_eq!(outcome.code, Some(0), "{}: {outcome:#?}\n{}", self.name, self.server.log());
        let others: Vec<_> =
            capture.contacts().iter().filter(|contact| !self.is_contacted_by(contact)).collect();
        assert!(others.is_empty(), "{}: {others:?}", self.name);
        self.behind.as_ref().unwrap_or(&self.server).logs(&match self.logged {
            Logged::Address => format!("127.0.0.1.{port}"),
            Logged::Name => format!("localhost:{port}"),
        });
        outcome
    }

    /// A proxy that is named by name may have several addresses.
    #[cfg(target_os = "linux")]
    fn is_contacted_by(&self, contact: &crate::Contact) -> bool {
        let port = self.server.port();
        matches!(contact, crate::Contact::Internet(address) if address.ip().is_loopback() && address.port() == port)
    }
}
