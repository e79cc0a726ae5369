//! Shared subscription: the broker gives each message of a topic to one of two subscribers.
//!
//! - Against a local sandbox: `cargo xtask run shared_subscription`
//! - Against AWS IoT Core: `cargo run -p shared_subscription -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com
//!   --cert device.pem.crt --key private.pem.key`
//! - What the device's policy must allow: `policies/shared_subscription.json`

use std::io;
use std::time::Duration;

use clap::Parser;
use common::args::{ConnectionArgs, MutualTlsArgs, OutputArgs, SharedGroup};
use common::{Client, Failure, Message, QoS, until_interrupted};
use tokio::time::sleep;

/// How long a message may take from one client to another.
const PATIENCE: Duration = Duration::from_secs(10);

/// Publishes to a topic over mutual TLS with one client, and receives with two that share the subscription.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The topic to publish to.
    #[arg(long, default_value = "test/topic")]
    topic: String,
    /// What to publish, followed by the message's number.
    #[arg(long, default_value = "Hello from Rust")]
    message: String,
    /// How many messages to publish; 0 goes on until Ctrl-C.
    #[arg(long, default_value_t = 10)]
    count: u64,
    /// Seconds between two messages.
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    interval: u64,
    /// The group that the two subscribers are members of.
    #[arg(long, value_name = "GROUP", default_value = "rust-sample",
          aliases = ["group_identifier", "shared-group", "shared_group"])]
    group_identifier: SharedGroup,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    mutual_tls: MutualTlsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    args.output.start_logging();
    let mut out = args.output.to(io::stdout());

    // Authentication: the device's certificate and private key, for each of the three connections.
    let auth = args.mutual_tls.auth()?;

    let options = args.connection.options(auth)?;
    out.watch(&options);
    let connect = |number: u8| {
        let mut options = options.clone();
        options.client_id.push_str(&number.to_string());
        until_interrupted(Client::connect(options))
    };
    let (publisher, _) = connect(1).await?;
    out.connected(&publisher)?;
    let (one, mut events_of_one) = connect(2).await?;
    out.connected(&one)?;
    let (two, mut events_of_two) = connect(3).await?;
    out.connected(&two)?;

    let session = until_interrupted(async {
        // Whoever subscribes with the same group and topic is a member.
        let filter = args.group_identifier.filter(&args.topic);
        for subscriber in [&one, &two] {
            subscriber.subscribe(&filter, QoS::AtLeastOnce).await?;
            out.of(subscriber)?.subscribed(&filter)?;
        }
        for number in 1.. {
            let message = Message::new(&args.topic, format!("{} [{number}]", args.message));
            publisher.publish(message.clone()).await?;
            out.of(&publisher)?.published(&message)?;
            loop {
                // The broker chooses the member.
                let (subscriber, received) = tokio::select! {
                    received = events_of_one.message(&args.topic, PATIENCE) => (&one, received?),
                    received = events_of_two.message(&args.topic, PATIENCE) => (&two, received?),
                };
                out.of(subscriber)?.received(&received)?;
                // Others may publish to the topic, too.
                if received.payload == message.payload {
                    break;
                }
            }
            if number == args.count {
                break;
            }
            sleep(Duration::from_secs(args.interval)).await;
        }
        for subscriber in [&one, &two] {
            subscriber.unsubscribe(&filter).await?;
        }
        Ok::<(), Failure>(())
    });
    let outcome = session.await;

    for client in [publisher, one, two] {
        until_interrupted(client.clone().disconnect()).await?;
        out.of(&client)?.disconnected()?;
    }
    match outcome {
        // With --count 0 Ctrl-C is how it is meant to end.
        Err(failure) if args.count == 0 && failure.is_interruption() => Ok(()),
        outcome => outcome,
    }
}
