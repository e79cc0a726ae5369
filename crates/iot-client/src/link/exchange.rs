use tokio::sync::Notify;

use super::answers::Unanswered;
use super::keep_alive::KeepAlive;
use crate::session::SessionStart;
use crate::version::MqttVersion;

/// The state of a connection that both directions of its link share.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) version: MqttVersion,
    /// The session that CONNECT asked for.
    pub(crate) session: SessionStart,
    pub(crate) keep_alive: KeepAlive,
    /// paho has sent a PINGREQ.
    pub(crate) pinged: Notify,
    pub(crate) unanswered: Unanswered,
}
