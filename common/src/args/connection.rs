use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use iot_client::{Auth, ClientOptions, MqttVersion};
use iot_transport::{Endpoint, ProxyScheme, Roots, Route};
use uuid::Uuid;

use super::ProxyArgs;
use super::error::{ArgsError, usage};
use super::values::parse_seconds;
use crate::error::Error;

/// The flags below, and those of [`ProxyArgs`].
const FLAGS: [&str; 16] = [
    "endpoint",
    "port",
    "ipv6",
    "ca_file",
    "client_id",
    "mqtt_version",
    "keep_alive",
    "connect_timeout",
    "proxy",
    "proxy_user_file",
    "proxy_ca_file",
    "no_proxy",
    "proxy_host",
    "proxy_port",
    "proxy_user_name",
    "proxy_password",
];

/// Where to connect, and how MQTT is spoken there.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
// clap leaves the group empty where it holds another one. Who says "none of these", as --list does, means them all.
#[group(args = FLAGS)]
pub struct ConnectionArgs {
    /// The account's endpoint: `aws iot describe-endpoint --endpoint-type iot:Data-ATS` prints it.
    #[arg(long, value_name = "HOST", aliases = ["broker-host", "broker_host"],
          value_parser = Endpoint::parse)]
    pub endpoint: Endpoint,

    /// The broker's port; by default the one that AWS IoT Core has for the authentication method (8883 for
    /// mutual TLS, 443 for WebSocket and custom authorizers).
    #[arg(long, aliases = ["port-override", "port_override", "broker-port", "broker_port"],
          value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,

    /// Connect over IPv6 only: to the broker, or to the proxy where there is one.
    #[arg(long)]
    pub ipv6: bool,

    /// The CA certificates to trust instead of the operating system's (PEM).
    #[arg(long, value_name = "FILE", alias = "ca_file")]
    pub ca_file: Option<PathBuf>,

    /// The MQTT client ID. Two connections with the same one push each other out. [default: test-UUID]
    #[arg(long, value_name = "ID", alias = "client_id", value_parser = parse_client_id)]
    pub client_id: Option<String>,

    /// The version of MQTT to speak: 5 or 3.1.1.
    #[arg(long, value_name = "VERSION", alias = "mqtt_version", default_value = "5")]
    pub mqtt_version: MqttVersion,

    /// After how many seconds of silence to ask whether the broker is still there.
    #[arg(long, value_name = "SECONDS", alias = "keep_alive", default_value_t = 30,
          value_parser = clap::value_parser!(u16).range(30..=1200))]
    pub keep_alive: u16,

    /// How many seconds one connection attempt may take, from name resolution to CONNACK.
    #[arg(long, value_name = "SECONDS", alias = "connect_timeout", default_value = "20",
          value_parser = parse_seconds)]
    pub connect_timeout: Duration,

    /// Which proxy to go through.
    #[command(flatten)]
    pub proxy: ProxyArgs,
}

impl ConnectionArgs {
    /// The client's settings, for one way to authenticate.
    ///
    /// # Errors
    ///
    /// [`iot_transport::Error::File`] or [`iot_transport::Error::Identity`] when the CA file cannot be used, and those of
    /// [`ProxyArgs::route`].
    pub fn options(&self, auth: Auth) -> Result<ClientOptions, Error> {
        self.options_over(self.route()?, auth)
    }

    /// As [`options`](Self::options), for a program that is about proxies of `schemes`: the log warns where there is none
    /// on the way to the endpoint, or where the environment names one of another kind.
    ///
    /// # Errors
    ///
    /// Wrong usage where a flag names a proxy of another kind, and those of [`options`](Self::options).
    pub fn options_through(&self, schemes: &[ProxyScheme], auth: Auth) -> Result<ClientOptions, ArgsError> {
        let route = self.route()?;
        let choice = route.choose(self.endpoint.host())?;
        let wanted: Vec<_> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
        let wanted = wanted.join(" or ");
        let why = choice.why.unwrap_or_default();
        match choice.proxy {
            Some(proxy) if schemes.contains(&proxy.scheme()) => {}
            Some(_) if choice.is_from_environment => {
                log::warn!("the proxy is {why}; {wanted} was expected");
            }
            Some(_) => return Err(usage(format!("the proxy is {why}; {wanted} was expected")).into()),
            None => log::warn!(
                "no proxy is in use, the connection is direct ({why}); --proxy or the environment can name one with \
                 {wanted}"
            ),
        }
        Ok(self.options_over(route, auth)?)
    }

    /// The way out of this machine.
    ///
    /// # Errors
    ///
    /// Those of [`ProxyArgs::route`].
    pub fn route(&self) -> Result<Route, Error> {
        let roots = self.ca_file.as_ref().map_or_else(Roots::system, Roots::from_file);
        let route = self.proxy.route(roots)?;
        Ok(if self.ipv6 { route.over_ipv6() } else { route })
    }

    fn options_over(&self, route: Route, auth: Auth) -> Result<ClientOptions, Error> {
        let endpoint = match self.port {
            Some(port) => self.endpoint.clone().with_port(port),
            None => self.endpoint.clone(),
        };
        if endpoint.host().parse::<IpAddr>().is_ok() {
            log::warn!(
                "{} is an address: AWS IoT Core, and the sandbox, want the endpoint's name in the TLS handshake",
                endpoint.host()
            );
        }
        if endpoint.is_legacy() {
            log::warn!(
                "{} is a legacy endpoint, whose CA newer trust stores lack; the current one ends in -ats",
                endpoint.host()
            );
        }
        let client_id = self.client_id.clone().unwrap_or_else(|| format!("test-{}", Uuid::new_v4()));
        let mut options = ClientOptions::new(endpoint, auth, route, client_id)?;
        options.mqtt_version = self.mqtt_version;
        options.keep_alive = Duration::from_secs(self.keep_alive.into());
        options.connect_timeout = self.connect_timeout;
        Ok(options)
    }
}

/// AWS IoT Core's rules for client IDs (<https://docs.aws.amazon.com/general/latest/gr/iot-core.html>).
fn parse_client_id(text: &str) -> Result<String, String> {
    const MAXIMUM: usize = 128;
    match text {
        "" => Err("a client ID cannot be empty".to_owned()),
        _ if text.len() > MAXIMUM => {
            Err(format!("{} bytes, and AWS IoT Core takes at most {MAXIMUM}", text.len()))
        }
        _ if text.starts_with('$') => Err("AWS IoT Core reserves client IDs that begin with $".to_owned()),
        _ if text.contains(char::is_control) => Err("a client ID cannot hold control characters".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_follow_the_rules_of_aws() {
        assert_eq!(parse_client_id("test-1").as_deref(), Ok("test-1"));
        assert!(parse_client_id(&"é".repeat(64)).is_ok());
        for bad in ["", "$aws", "a\nb", "a\0b", &"x".repeat(129)] {
            assert!(parse_client_id(bad).is_err(), "{bad:?}");
        }
    }
}
