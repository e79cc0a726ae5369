use std::time::Duration;

use iot_transport::timeline::Timelines;
use iot_transport::{Endpoint, Route};

use super::check::message_problem;
use super::{ConnectAsked, ConnectionPlan, MqttVersion, Operation, QueueLimits, Quotas, SessionPolicy, Will};
use crate::auth::Auth;
use crate::custom_auth::CustomAuthorizer;
use crate::dialer::Dialer;
use crate::error::Error;

/// Everything that a [`Client`](super::Client) needs to know.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientOptions {
    /// The way to the broker, and our identity.
    pub(crate) dialer: Dialer,
    /// User name and password for a custom authorizer.
    pub(super) authorizer: Option<CustomAuthorizer>,
    /// The record of the attempts.
    pub(super) timelines: Timelines,
    /// The client ID, at most 128 bytes on AWS IoT Core. Two clients with the same one push each other out.
    pub client_id: String,
    /// The protocol version; 5 by default.
    pub mqtt_version: MqttVersion,
    /// After how much silence the client asks whether the broker is still there; 30 s by default. AWS IoT Core
    /// takes 30 s to 1200 s.
    pub keep_alive: Duration,
    /// The time that one connection attempt may take, from name resolution to CONNACK; 20 s by default.
    pub connect_timeout: Duration,
    /// The time that an operation waits for its acknowledgement, reconnects included; 60 s by default.
    pub operation_timeout: Duration,
    /// The session that a connection asks for.
    pub session: SessionPolicy,
    /// The time for which the broker keeps the session of a connection that was lost (MQTT 5); 1 h by default.
    pub session_expiry: Duration,
    /// The message that the broker publishes when the connection ends without our DISCONNECT; none by default.
    pub will: Option<Will>,
    /// The directory that keeps QoS 1 messages until they are acknowledged, so that they outlive the process; one
    /// for each client ID. `None`, the default, keeps them in memory.
    #[cfg(feature = "store")]
    pub persistence: Option<std::path::PathBuf>,
    /// The limits of the messages that wait to be published.
    pub queue: QueueLimits,
    /// The quotas that this side of the connection keeps to; AWS IoT Core's by default.
    pub quotas: Quotas,
    /// The number of topics to send as a number after the first time (MQTT 5 topic alias), up to what the broker takes;
    /// AWS IoT Core takes 8. 0, the default, sends names only.
    pub topic_aliases: u16,
    /// The first ceiling of the reconnect delay, which is spread evenly below it; 1 s by default.
    pub reconnect_minimum: Duration,
    /// The highest ceiling of the reconnect delay; 120 s by default.
    pub reconnect_maximum: Duration,
    /// The least time from one connection attempt of this process's to the next with the same client ID; 1 s by
    /// default, AWS IoT Core's limit.
    pub connect_interval: Duration,
    /// The time that a disconnect waits for acknowledgements; 5 s by default.
    pub shutdown_timeout: Duration,
    /// The number of QoS 1 messages that may be unacknowledged at a time; 100, AWS IoT Core's limit, by default. A lower
    /// Receive Maximum of the broker's takes precedence.
    pub max_in_flight: usize,
}

impl ClientOptions {
    /// The defaults, for one endpoint, way to authenticate, route, and client ID. [`Roots`](iot_transport::Roots) alone are
    /// a direct route.
    ///
    /// # Errors
    ///
    /// [`iot_transport::Error::File`] or [`iot_transport::Error::Identity`] when the roots cannot be loaded, [`Error::Settings`] when the
    /// settings do not fit together.
    pub fn new(
        endpoint: Endpoint,
        auth: Auth,
        route: impl Into<Route>,
        client_id: impl Into<String>,
    ) -> Result<Self, Error> {
        let client_id = client_id.into();
        check_client_id(&client_id)?;
        let authorizer = match &auth {
            Auth::CustomAuthorizer { authorizer, .. } => Some(authorizer.clone()),
            _ => None,
        };
        let dialer = Dialer::new(endpoint, auth, route.into())?;
        Ok(Self {
            authorizer,
            timelines: Timelines::new(dialer.target()),
            dialer,
            client_id,
            mqtt_version: MqttVersion::V5,
            keep_alive: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(20),
            operation_timeout: Duration::from_secs(60),
            session: SessionPolicy::default(),
            session_expiry: Duration::from_secs(3600),
            will: None,
            #[cfg(feature = "store")]
            persistence: None,
            queue: QueueLimits::default(),
            quotas: Quotas::aws(),
            topic_aliases: 0,
            reconnect_minimum: Duration::from_secs(1),
            reconnect_maximum: Duration::from_secs(120),
            connect_interval: Duration::from_secs(1),
            shutdown_timeout: Duration::from_secs(5),
            max_in_flight: 100,
        })
    }

    /// Refuses what CONNECT cannot carry, and a will that the broker would refuse: it does so by closing the
    /// connection.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_client_id(&self.client_id)?;
        if self.keep_alive.as_secs() > u16::MAX.into() {
            let seconds = self.keep_alive.as_secs();
            return Err(Error::Settings(format!(
                "a keep-alive of {seconds} s: MQTT has at most 65,535 s (MQTT 5.0 §3.1.2.10)"
            )));
        }
        let problem = self.will.as_ref().and_then(|will| {
            let delayed = will.delay > Duration::ZERO && self.mqtt_version == MqttVersion::V311;
            let delay = delayed.then(|| "MQTT 3.1.1 knows no delay of a will".to_owned());
            message_problem(&will.message, &self.quotas, self.mqtt_version).or(delay)
        });
        problem.map_or(Ok(()), |problem| Err(Error::Settings(format!("the will cannot be used: {problem}"))))
    }

    /// The permissions that CONNECT asks for beside the connection itself.
    pub(super) fn asked(&self) -> ConnectAsked {
        ConnectAsked {
            will: self.will.as_ref().map(|will| Operation::publish(&will.message)),
            session: self.session == SessionPolicy::Resume,
        }
    }

    /// Describes the connection, without making one.
    #[must_use]
    pub fn plan(&self) -> ConnectionPlan {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        ConnectionPlan {
            target: self.dialer.target(),
            alpn: self.dialer.alpn().map(text),
            websocket_path: self.dialer.websocket_path(),
            mqtt_version: self.mqtt_version,
            client_id: self.client_id.clone(),
            username: self.authorizer.as_ref().map(CustomAuthorizer::shown_username),
            has_password: self.authorizer.as_ref().is_some_and(|login| login.connect_password().is_some()),
        }
    }

    /// The record of the connection attempts, from the first on; there even when [`Client::connect`]
    /// fails or is dropped. Clones of the options share it.
    ///
    /// [`Client::connect`]: super::Client::connect
    #[must_use]
    pub fn timelines(&self) -> Timelines {
        self.timelines.clone()
    }

    /// [`max_in_flight`](Self::max_in_flight); with none nothing could ever be sent.
    pub(super) fn window(&self) -> usize {
        self.max_in_flight.max(1)
    }
}

fn check_client_id(client_id: &str) -> Result<(), Error> {
    // The MQTT library keeps it as a C string, and no broker takes it (MQTT 5.0 §1.5.4).
    if client_id.contains('\0') {
        return Err(Error::Settings("the client ID contains U+0000".to_owned()));
    }
    if client_id.len() > usize::from(u16::MAX) {
        return Err(Error::Settings(
            "the client ID is longer than 65,535 bytes (MQTT 5.0 §1.5.4)".to_owned(),
        ));
    }
    Ok(())
}
