//! One message there and back.

use std::io::Write;
use std::time::{Duration, Instant};

use iot_client::{Client, Error, Events, Message, QoS};
use tokio::time::timeout_at;
use uuid::Uuid;

use crate::case::Case;
use crate::check::{Check, milliseconds};
use crate::report::Report;

pub(crate) const NAMES: [&str; 5] = [SUBSCRIBE, PUBLISH, RECEIVE, UNSUBSCRIBE, DISCONNECT];

const SUBSCRIBE: &str = "subscribe";
const PUBLISH: &str = "publish";
const RECEIVE: &str = "receive";
const UNSUBSCRIBE: &str = "unsubscribe";
const DISCONNECT: &str = "disconnect";

/// How long a message may take that the broker has acknowledged already.
const ARRIVAL: Duration = Duration::from_secs(10);

/// A connection that was accepted.
pub(crate) type Session = (Client, Events);

/// Subscribes, publishes and receives, each checked whether or not the other is allowed; then takes leave.
pub(crate) async fn check<W: Write>(
    case: &Case,
    (client, mut events): Session,
    topic: &str,
    report: &mut Report<W>,
) -> Result<(), common::Error> {
    let began = Instant::now();
    let outcome = client.subscribe(topic, QoS::AtLeastOnce).await;
    let subscribed = report.add(check_of(SUBSCRIBE, outcome, topic, began))?;

    let payload = format!("doctor {}", Uuid::new_v4());
    let began = Instant::now();
    let outcome = client.publish(Message::new(topic, payload.clone())).await;
    let published = report.add(check_of(PUBLISH, outcome, topic, began))?;

    let missing = [&subscribed, &published].into_iter().find(|check| !check.is_passed());
    let received = match missing {
        Some(check) => Check::not_reached(RECEIVE, check.name),
        None => {
            let limit = ARRIVAL.min(case.limit);
            // Others may publish on the same topic.
            let arrival = async {
                loop {
                    let message = events.message(topic, limit).await?;
                    if *message.payload == *payload.as_bytes() {
                        return Ok(());
                    }
                }
            };
            let deadline = tokio::time::Instant::now() + limit + Duration::from_secs(1);
            let outcome = timeout_at(deadline, arrival).await.unwrap_or_else(|_| {
                Err(Error::OperationTimeout {
                    target: client.target(),
                    operation: iot_client::Operation::Receive { topic: topic.to_owned() },
                    after: limit,
                })
            });
            check_of(RECEIVE, outcome, topic, began)
        }
    };
    report.add(received)?;
    // What arrives from now on is nobody's.
    drop(events);

    let began = Instant::now();
    let unsubscribed = match subscribed.is_passed() {
        true => check_of(UNSUBSCRIBE, client.unsubscribe(topic).await, topic, began),
        false => Check::not_reached(UNSUBSCRIBE, SUBSCRIBE),
    };
    report.add(unsubscribed)?;
    let began = Instant::now();
    let outcome = client.disconnect().await;
    report.add(check_of(DISCONNECT, outcome, "with a DISCONNECT", began))?;
    Ok(())
}

fn check_of(name: &'static str, outcome: Result<(), Error>, what: &str, began: Instant) -> Check {
    match outcome {
        Ok(()) => Check::ok(name, format!("{what} in {}", milliseconds(began.elapsed()))),
        Err(Error::Stopped { .. }) => {
            Check::unreached(name, "the connection had ended, for the reason above")
        }
        Err(error) => Check::failed(name, error),
    }
}
