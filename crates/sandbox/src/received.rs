//! What clients have published, for tests that count.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::mqtt::publish::Publish;

/// A message that a client has published and may publish.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// The client.
    pub client_id: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// The quality of service, 0 or 1.
    pub qos: u8,
}

/// All that clients publish to one topic, as long as this lives: also what comes twice, and over restarts of the sandbox.
/// A message is here before it is acknowledged.
#[derive(Debug)]
pub struct Recording(Arc<Recorder>);

impl Recording {
    /// The messages so far, in the order in which they came.
    pub fn messages(&self) -> Vec<Received> {
        self.0.messages.lock().clone()
    }
}

#[derive(Debug)]
struct Recorder {
    topic: String,
    messages: Mutex<Vec<Received>>,
}

/// The recordings that somebody still holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorders(Arc<Mutex<Vec<Weak<Recorder>>>>);

impl Recorders {
    pub(crate) fn start(&self, topic: &str) -> Recording {
        let recorder = Arc::new(Recorder { topic: topic.to_owned(), messages: Mutex::default() });
        let mut recorders = self.0.lock();
        recorders.retain(|recorder| recorder.strong_count() > 0);
        recorders.push(Arc::downgrade(&recorder));
        Recording(recorder)
    }

    /// A message that goes to the broker.
    pub(crate) fn note(&self, client_id: &str, publish: &Publish<'_>) {
        let recorders = self.0.lock();
        for recorder in recorders.iter().filter_map(Weak::upgrade) {
            if recorder.topic == publish.topic {
                recorder.messages.lock().push(Received {
                    client_id: client_id.to_owned(),
                    payload: publish.payload.to_vec(),
                    qos: publish.qos,
                });
            }
        }
    }
}
