//! A client that lasts: sessions, queue, quotas, properties, and when to stop.

#[path = "../support/mod.rs"]
mod support;

mod messages;
mod persistence;
mod queue;
mod reconnecting;
mod sessions;

use std::time::Duration;

use iot_client::{Event, Events, Message};
use tokio::time::timeout;

/// What takes longer never comes.
const LIMIT: Duration = Duration::from_secs(30);

/// The next event that `pick` makes something of.
async fn pick<T>(events: &mut Events, pick: impl Fn(Event) -> Option<T>) -> T {
    let found = async {
        loop {
            let event = events.next().await.expect("the client goes on");
            if let Some(found) = pick(event) {
                return found;
            }
        }
    };
    timeout(LIMIT, found).await.expect("the event comes")
}

/// The next message, on whatever topic.
async fn any_message(events: &mut Events) -> Message {
    pick(events, |event| if let Event::Message(message) = event { Some(message) } else { None }).await
}

/// The next message on `test/topic`.
async fn message(events: &mut Events) -> Message {
    events.message("test/topic", LIMIT).await.unwrap_or_else(|error| panic!("{error:?}"))
}

/// The payloads of the next messages.
async fn payloads(events: &mut Events, count: usize) -> Vec<String> {
    let mut payloads = Vec::new();
    while payloads.len() < count {
        payloads.push(String::from_utf8(message(events).await.payload).unwrap());
    }
    payloads
}
