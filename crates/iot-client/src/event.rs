use std::sync::Arc;

use iot_transport::timeline::Timeline;

use super::Message;
use crate::error::Error;

/// Something that happens to a client.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A connection attempt begins.
    Attempting,
    /// The broker accepted the connection.
    Connected {
        /// The broker still had the session of an earlier connection.
        session_present: bool,
        /// The steps of the attempt.
        timeline: Timeline,
    },
    /// An attempt to reconnect failed; another follows unless [`Stopped`](Event::Stopped) does.
    ConnectionFailed {
        /// Why.
        error: Arc<Error>,
    },
    /// An established connection ended without being asked to.
    Disconnected {
        /// Why.
        error: Arc<Error>,
    },
    /// A message arrived. [`Events`](super::Events) says when it is acknowledged.
    Message(Message),
    /// A message was given up before it was sent, because the queue was full and
    /// [`WhenFull::DropOldest`](super::WhenFull::DropOldest) asked for it.
    Dropped {
        /// The topic name.
        topic: String,
    },
    /// The client has ended for good.
    Stopped {
        /// Why; `None` after [`Client::disconnect`](super::Client::disconnect).
        error: Option<Arc<Error>>,
    },
}
