//! The options of a connection as paho has them.

use std::time::Duration;

use paho_mqtt as paho;
use secrecy::ExposeSecret;

use super::properties;
use crate::error::Error;
use crate::options::ClientOptions;
use crate::session::{SessionPolicy, SessionStart};
use crate::version::MqttVersion;
use crate::wire::frames::MAXIMUM_PACKET_SIZE;

/// The options of one client of paho's, which makes one connection.
pub(crate) struct SessionOptions {
    pub(super) create: paho::CreateOptions,
    pub(super) connect: paho::ConnectOptions,
    pub(super) version: MqttVersion,
}

impl SessionOptions {
    /// Options for a connection to the link at `uri` that asks for `session`.
    ///
    /// # Errors
    ///
    /// [`Error::Mqtt`] where paho cannot carry a property of the will or of CONNECT.
    pub(crate) fn new(options: &ClientOptions, session: SessionStart, uri: &str) -> Result<Self, Error> {
        Ok(Self {
            create: create_options(options),
            connect: connect_options(options, session, uri)?,
            version: options.mqtt_version,
        })
    }
}

fn create_options(options: &ClientOptions) -> paho::CreateOptions {
    let version = match options.mqtt_version {
        MqttVersion::V5 => paho::MQTT_VERSION_5,
        MqttVersion::V311 => paho::MQTT_VERSION_3_1_1,
    };
    // It counts messages in flight too; the outbox keeps far below it.
    let buffered = options.window().saturating_mul(10);
    paho::CreateOptionsBuilder::new()
        // A name only: the connect options hold the link.
        .server_uri(format!("tcp://{}", options.dialer.target()))
        .client_id(options.client_id.as_str())
        .mqtt_version(version)
        .persistence(None)
        .max_buffered_messages(i32::try_from(buffered).unwrap_or(i32::MAX))
        .finalize()
}

fn connect_options(
    options: &ClientOptions,
    session: SessionStart,
    uri: &str,
) -> Result<paho::ConnectOptions, Error> {
    let mut builder = match options.mqtt_version {
        MqttVersion::V5 => paho::ConnectOptionsBuilder::new_v5(),
        MqttVersion::V311 => paho::ConnectOptionsBuilder::with_mqtt_version(paho::MQTT_VERSION_3_1_1),
    };
    match options.mqtt_version {
        MqttVersion::V5 => {
            builder.clean_start(session == SessionStart::Clean);
            builder.properties(connect_properties(options)?);
        }
        MqttVersion::V311 => {
            builder.clean_session(session == SessionStart::Clean);
        }
    }
    if let Some(will) = &options.will {
        builder.will_message(properties::will(will).map_err(failed)?);
    }
    if let Some(authorizer) = &options.authorizer {
        builder.user_name(authorizer.connect_username().expose_secret());
        if let Some(password) = authorizer.connect_password() {
            builder.password(password.expose_secret());
        }
    }
    builder
        .server_uris(&[uri])
        .keep_alive_interval(options.keep_alive)
        .max_inflight(i32::try_from(options.window()).unwrap_or(i32::MAX))
        // The deadline is ours; paho's own, in steps of 3 s, must not come first.
        .connect_timeout(options.connect_timeout.min(LONGEST_CONNECT) + Duration::from_secs(30));
    Ok(builder.finalize())
}

/// The longest time that paho can count: it keeps milliseconds in 32 bits. Our own deadline may
/// then come later than paho's.
const LONGEST_CONNECT: Duration = Duration::from_secs(24 * 3600);

/// The properties of CONNECT (MQTT 5.0 §3.1.2.11).
fn connect_properties(options: &ClientOptions) -> Result<paho::Properties, Error> {
    let mut properties = session_expiry(match options.session {
        SessionPolicy::Clean => Duration::ZERO,
        SessionPolicy::Resume | SessionPolicy::ResumeAfterFirst => options.session_expiry,
    })?;
    properties
        .push_u16(paho::PropertyCode::ReceiveMaximum, RECEIVE_MAXIMUM)
        .and_then(|()| properties.push_u32(paho::PropertyCode::MaximumPacketSize, MAXIMUM_PACKET_SIZE))
        .map_err(failed)?;
    Ok(properties)
}

/// The number of QoS 1 messages that a broker may send before the first is acknowledged: AWS IoT Core's limit
/// (<https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits>), and ours for other brokers,
/// which would send up to 65,535 to an application that takes none.
const RECEIVE_MAXIMUM: u16 = 100;

/// A DISCONNECT that ends a session which nobody will resume: Session Expiry Interval 0 (MQTT 5.0 §3.14.2.2.2).
pub(super) fn disconnect_options(options: &ClientOptions) -> paho::DisconnectOptions {
    let mut disconnect = paho::DisconnectOptionsBuilder::new();
    if options.mqtt_version == MqttVersion::V5 && options.session == SessionPolicy::ResumeAfterFirst {
        match session_expiry(Duration::ZERO) {
            Ok(properties) => {
                disconnect.properties(properties);
            }
            Err(error) => log::warn!("the session will outlive the connection: {error}"),
        }
    }
    disconnect.finalize()
}

/// Ends the session with the connection, or keeps it: Session Expiry Interval (MQTT 5.0 §3.1.2.11.2).
fn session_expiry(expiry: Duration) -> Result<paho::Properties, Error> {
    let seconds = properties::seconds(expiry);
    let mut expiring = paho::Properties::new();
    expiring.push_u32(paho::PropertyCode::SessionExpiryInterval, seconds).map_err(failed)?;
    Ok(expiring)
}

pub(super) fn failed(error: paho::Error) -> Error {
    Error::Mqtt(Box::new(error))
}
