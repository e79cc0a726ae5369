//! A connection to AWS IoT Core that is kept up: connect, subscribe, publish, receive, disconnect, and a stream of events.
//!
//! MQTT 5 and 3.1.1, with the way to the broker of [`iot_transport`]. Nothing in here knows the AWS SDK or a command line.
//!
//! | module | holds |
//! |---|---|
//! | `client`, `options`, `event`, `events`, `message`, `error`, `hint` | what an application sees |
//! | `auth`, `sign_upgrade`, [`custom_auth`], `dialer` | the ways to authenticate, and the connections opened with them |
//! | `driver` | one connection after another: back-off, takeovers, connect rate |
//! | `outbox` | requests that wait or are in flight, subscriptions, quotas |
//! | `store` | messages on disk, over the end of the process; with the feature `store` |
//! | `link` | the private link between the MQTT library and the transport: up, down, keep-alive, inbox |
//! | `wire` | MQTT's packets: frames, CONNACK, PUBLISH, one parser each |
//! | `paho` | the MQTT library: session, options, operations, properties; nothing else names it |

#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod accepted;
mod auth;
mod auth_kind;
mod broker_limit;
mod broker_limits;
mod check;
mod client;
pub mod custom_auth;
mod delivery;
mod dialer;
mod driver;
mod error;
mod event;
mod events;
mod hint;
mod link;
mod message;
mod not_mqtt;
mod operation;
mod options;
mod outbox;
mod paho;
mod plan;
mod queue;
mod quotas;
mod reason;
mod request;
mod session;
mod sign_upgrade;
mod status;
#[cfg(feature = "store")]
mod store;
mod version;
mod will;
mod wire;

pub use self::accepted::Accepted;
pub use self::auth::{Auth, CustomAuthTransport};
pub use self::auth_kind::AuthKind;
pub use self::broker_limit::BrokerLimit;
pub use self::broker_limits::BrokerLimits;
pub use self::client::Client;
pub use self::delivery::Delivery;
pub use self::error::Error;
pub use self::event::Event;
pub use self::events::Events;
pub use self::hint::advice;
pub use self::message::{Message, QoS};
pub use self::not_mqtt::NotMqtt;
pub use self::operation::{ConnectAsked, Operation};
pub use self::options::ClientOptions;
pub use self::plan::ConnectionPlan;
pub use self::queue::{QueueLimits, WhenFull};
pub use self::quotas::Quotas;
pub use self::reason::ReasonCode;
pub use self::session::SessionPolicy;
pub use self::sign_upgrade::{Prepared, Sign, SignUpgrade, WEBSOCKET_PATH};
pub use self::status::Status;
pub use self::version::MqttVersion;
pub use self::will::Will;
