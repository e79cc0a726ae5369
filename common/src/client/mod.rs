//! The client: connect, subscribe, publish, receive, disconnect, and a stream of events.

mod broker_limit;
mod check;
#[expect(clippy::module_inception, reason = "it is the root of a crate of its own soon")]
mod client;
mod delivery;
mod driver;
mod event;
mod events;
mod link;
mod message;
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
mod status;
pub(crate) mod store;
mod version;
mod will;
mod wire;

pub use self::broker_limit::BrokerLimit;
pub use self::client::Client;
pub use self::delivery::Delivery;
pub use self::event::Event;
pub use self::events::Events;
pub use self::message::{Message, QoS};
pub use self::operation::{ConnectAsked, Operation};
pub use self::options::ClientOptions;
pub use self::plan::ConnectionPlan;
pub use self::queue::{QueueLimits, WhenFull};
pub use self::quotas::Quotas;
pub use self::reason::ReasonCode;
pub use self::session::SessionPolicy;
pub use self::status::Status;
pub use self::version::MqttVersion;
pub use self::will::Will;
