//! Mutual TLS: subscribe, publish, receive, unsubscribe.
//!
//! - Against a local sandbox: `cargo xtask run pubsub`
//! - Against AWS IoT Core: `cargo run -p pubsub -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com
//!   --cert device.pem.crt --key private.pem.key`
//! - What the device's policy must allow: `policies/pubsub.json`

use std::io;
use std::time::Duration;

use clap::Parser;
use common::args::{ConnectionArgs, MutualTlsArgs, OutputArgs};
use common::{Client, Failure, Message, QoS, until_interrupted};

/// Subscribes to a topic over mutual TLS, publishes to it and receives its own messages.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The topic to subscribe and publish to.
    #[arg(long, default_value = "test/topic")]
    topic: String,
    /// What to publish, followed by the message's number.
    #[arg(long, default_value = "Hello from Rust")]
    message: String,
    /// How many messages to publish; 0 goes on until Ctrl-C.
    #[arg(long, default_value_t = 5)]
    count: u64,
    /// Seconds between two messages.
    #[arg(long, default_value_t = 1)]
    interval: u64,
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

    // Authentication: the device's certificate and private key.
    let auth = args.mutual_tls.auth()?;

    let options = args.connection.options(auth)?;
    out.watch(&options);
    let (client, mut events) = until_interrupted(Client::connect(options)).await?;
    out.connected(&client)?;

    let session = until_interrupted(async {
        client.subscribe(&args.topic, QoS::AtLeastOnce).await?;
        out.subscribed(&args.topic)?;
        for number in 1.. {
            let message = Message::new(&args.topic, format!("{} [{number}]", args.message));
            client.publish(message.clone()).await?;
            out.published(&message)?;
            out.received(&events.message(&args.topic, Duration::from_secs(10)).await?)?;
            if number == args.count {
                break;
            }
            tokio::time::sleep(Duration::from_secs(args.interval)).await;
        }
        client.unsubscribe(&args.topic).await?;
        Ok::<(), Failure>(())
    });
    let outcome = session.await;

    client.disconnect().await?;
    out.disconnected()?;
    match outcome {
        // With --count 0 Ctrl-C is how it is meant to end.
        Err(failure) if args.count == 0 && failure.is_interruption() => Ok(()),
        outcome => outcome,
    }
}
