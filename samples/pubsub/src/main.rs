//! Mutual TLS: subscribe, publish, receive, unsubscribe.
//!
//! - Against a local sandbox: `cargo xtask run pubsub`
//! - Against AWS IoT Core: `cargo run -p pubsub -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com
//!   --cert device.pem.crt --key private.pem.key`
//! - What the device's policy must allow: `policies/pubsub.json`

use std::io;

use clap::Parser;
use common::args::{
    ArgsError, MutualTlsArgs, OutputArgs, PatientConnectionArgs, PublishArgs, SessionArgs, SessionName, parse,
};
use common::{Failure, Progress, Publisher, until_interrupted, until_interrupted_twice};
use iot_client::QoS;

/// Subscribes to a topic over mutual TLS, publishes to it and receives its own messages, and whatever others publish.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    publish: PublishArgs,
    #[command(flatten)]
    connection: PatientConnectionArgs,
    #[command(flatten)]
    mutual_tls: MutualTlsArgs,
    #[command(flatten)]
    session: SessionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Args = parse();
    args.output.start_logging();
    let mut out = args.output.to(io::stdout());

    // Authentication: the device's certificate and private key.
    let auth = args.mutual_tls.auth()?;

    let mut options = args.connection.options(auth)?;
    args.session.apply(&mut options).map_err(ArgsError::exit_on_usage)?;
    let messages = args.publish.messages(options.mqtt_version).map_err(ArgsError::exit_on_usage)?;
    let filter = messages.filter().to_owned();
    out.watch(&options);
    let (client, events) = until_interrupted(args.connection.connect(options)).await?;
    out.connected(&client);

    let mut publisher = Publisher::new(messages, &client, events);
    let progress = Progress::new(io::stderr());
    let session = until_interrupted(progress.during(&client, async {
        client.subscribe(&filter, QoS::AtLeastOnce).await?;
        out.subscribed(&filter)?;
        // A message that the broker has acknowledged, or one that it has sent.
        while let Some(traffic) = publisher.next().await? {
            out.traffic(&traffic)?;
        }
        // A session that is to be resumed keeps its subscription.
        if args.session.session != SessionName::Resume {
            client.unsubscribe(&filter).await?;
        }
        Ok::<(), Failure>(())
    }));
    let outcome = session.await;

    // Waits for acknowledgements, unless Ctrl-C comes a second time.
    let ended = until_interrupted_twice(publisher.disconnect(|traffic| out.traffic(traffic))).await;
    let ended = ended.and_then(|()| Ok(out.disconnected()?));
    // Ctrl-C is a failure only if messages that --count asks for are missing.
    publisher.outcome(outcome, ended)
}
