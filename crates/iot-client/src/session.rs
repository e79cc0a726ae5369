/// The session that a connection asks for: the broker's memory of subscriptions and of messages under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SessionPolicy {
    /// A new one with each connection. Messages for the client are lost while it is away.
    Clean,
    /// The one that an earlier connection, or an earlier process with this client ID, has left; disconnecting keeps it.
    Resume,
    /// A new one with the first connection, that one again with each reconnect; disconnecting ends it. On MQTT 3.1.1,
    /// whose sessions end with the connection or not at all, this is [`Clean`](Self::Clean).
    #[default]
    ResumeAfterFirst,
}

/// The fate of an earlier session (MQTT 5 Clean Start).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionStart {
    Clean,
    Resume,
}
