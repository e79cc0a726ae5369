//! Shared subscription: the broker gives each message of a topic to one of two subscribers.
//!
//! - Against a local sandbox: `cargo xtask run shared_subscription`
//! - Against AWS IoT Core: `cargo run -p shared_subscription -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com
//!   --cert device.pem.crt --key private.pem.key`
//! - What the device's policy must allow: `policies/shared_subscription.json`

use std::io;

use clap::Parser;
use common::args::{MutualTlsArgs, OutputArgs, PatientConnectionArgs, SharedArgs, parse};
use common::{Failure, Messages, until_interrupted, until_interrupted_twice};
use iot_client::QoS;

/// Publishes to a topic over mutual TLS with one client, and receives with two that share the subscription.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    shared: SharedArgs,
    #[command(flatten)]
    connection: PatientConnectionArgs,
    #[command(flatten)]
    mutual_tls: MutualTlsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Args = parse();
    args.output.start_logging();
    let mut out = args.output.to(io::stdout());

    // Authentication: the device's certificate and private key, for each of the three connections.
    let auth = args.mutual_tls.auth()?;

    let [first, second, third] = args.connection.options_of_each(auth)?;
    out.watch(&first);
    let (publisher, _) = until_interrupted(args.connection.connect(first)).await?;
    out.connected(&publisher);
    let (one, mut events_of_one) = until_interrupted(args.connection.connect(second)).await?;
    out.connected(&one);
    let (two, mut events_of_two) = until_interrupted(args.connection.connect(third)).await?;
    out.connected(&two);

    let mut messages = args.shared.messages();
    let session = until_interrupted(async {
        // $share/<group>/<topic>: whoever subscribes with the same group and topic is a member.
        let filter = messages.filter().to_owned();
        for member in [&one, &two] {
            member.subscribe(&filter, QoS::AtLeastOnce).await?;
            out.of(member)?.subscribed(&filter)?;
        }
        while let Some(message) = messages.next().await? {
            publisher.publish(message.clone()).await?;
            out.of(&publisher)?.published(&message)?;
            // The broker chooses the member. Others may publish to the topic, too.
            let mut back = None;
            while back.as_ref() != Some(&message.payload) {
                let (member, received) = tokio::select! {
                    received = events_of_one.message(&message.topic, Messages::PATIENCE) => (&one, received?),
                    received = events_of_two.message(&message.topic, Messages::PATIENCE) => (&two, received?),
                };
                out.of(member)?.received(&received)?;
                back = Some(received.payload);
            }
        }
        tokio::try_join!(one.unsubscribe(&filter), two.unsubscribe(&filter))?;
        Ok::<(), Failure>(())
    });
    let outcome = session.await;

    let [first, second, third] = [&publisher, &one, &two].map(|client| client.clone().disconnect());
    let ended = until_interrupted_twice(async {
        let (first, second, third) = tokio::join!(first, second, third);
        first.and(second).and(third)
    });
    let mut ended = ended.await;
    for client in [&publisher, &one, &two] {
        ended = ended.and_then(|()| Ok(out.of(client)?.disconnected()?));
    }
    // Ctrl-C is a failure only if messages that --count asks for are missing.
    messages.outcome(outcome)?;
    ended
}
