//! Processes that are killed while they publish or receive, and what they leave behind: nothing is lost.

#[path = "../support/mod.rs"]
mod support;

mod process;
mod publishing;
mod receiving;

use std::time::Duration;

use iot_client::{Event, Events, Message};
use tokio::time::timeout;

const TOPIC: &str = "test/topic";
/// Nothing takes so long, on a busy machine either.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first number of a round: rounds are told apart, and none knows how far the one before really came.
fn first(round: u64) -> u64 {
    round * 1_000_000
}

fn numbered(number: u64) -> Message {
    Message::new(TOPIC, number.to_string())
}

/// The number of the next message.
async fn number(events: &mut Events) -> u64 {
    let arrival = async {
        loop {
            match events.next().await {
                Some(Event::Message(message)) => {
                    return String::from_utf8(message.payload).unwrap().parse().unwrap();
                }
                Some(Event::Stopped { error }) => panic!("{error:?}"),
                Some(_) => {}
                None => panic!("the client has ended"),
            }
        }
    };
    timeout(PATIENCE, arrival).await.expect("a message comes")
}
