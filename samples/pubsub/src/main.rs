//! Mutual TLS: subscribe, publish, receive, unsubscribe.
//!
//! - Against a local sandbox: `cargo xtask run pubsub`
//! - Against AWS IoT Core: `cargo run -p pubsub -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com
//!   --cert device.pem.crt --key private.pem.key`
//! - What the device's policy must allow: `policies/pubsub.json`

use std::io;
use std::pin::pin;

use clap::Parser;
use common::args::{
    ArgsError, ConnectionArgs, MutualTlsArgs, OutputArgs, PublishArgs, SessionArgs, SharedGroup, WillArgs,
};
use common::{Client, Failure, Progress, QoS, Returns, SessionPolicy, Window, until_interrupted};

/// Subscribes to a topic over mutual TLS, publishes to it and receives its own messages, and whatever others publish.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    publish: PublishArgs,
    /// Share the subscription with the other members of this group: each message goes to one of them.
    #[arg(long, value_name = "GROUP", alias = "shared_group", help_heading = "Messages")]
    shared_group: Option<SharedGroup>,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    mutual_tls: MutualTlsArgs,
    #[command(flatten)]
    session: SessionArgs,
    #[command(flatten)]
    will: WillArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    args.output.start_logging();
    let mut out = args.output.to(io::stdout());
    let version = args.connection.mqtt_version;
    let mut messages = args.publish.messages(version).map_err(ArgsError::exit_on_usage)?;

    // Authentication: the device's certificate and private key.
    let auth = args.mutual_tls.auth()?;

    let mut options = args.connection.options(auth)?;
    args.session.apply(&mut options).map_err(ArgsError::exit_on_usage)?;
    args.will.apply(&mut options).map_err(ArgsError::exit_on_usage)?;
    let (filter, returns) = match &args.shared_group {
        Some(group) => (group.filter(messages.topic()), Returns::Elsewhere),
        None => (messages.topic().to_owned(), Returns::Awaited),
    };
    let mut window = Window::new(&options, messages.pace(), returns);
    let leaves_session = options.session == SessionPolicy::Resume;
    out.watch(&options);
    let (client, mut events) = until_interrupted(Client::connect(options)).await?;
    out.connected(&client)?;

    let is_endless = messages.is_endless();
    let session = until_interrupted(async {
        client.subscribe(&filter, QoS::AtLeastOnce).await?;
        out.subscribed(&filter)?;
        let mut progress = Progress::new(io::stderr());
        while !(messages.is_done() && window.is_empty()) {
            tokio::select! {
                biased;
                acknowledged = window.acknowledged() => {
                    let (message, back) = acknowledged?;
                    out.published(&message)?;
                    back.map_or(Ok(()), |message| out.received(&message))?;
                }
                message = messages.next(), if !messages.is_done() && window.has_room() => {
                    if let Some(message) = message? {
                        window.publish(&client, message).await?;
                    }
                }
                () = progress.tick(&client) => {}
                event = events.next() => {
                    if let Some(message) = window.event(event)? {
                        out.received(&message)?;
                    }
                }
            }
        }
        if !leaves_session {
            client.unsubscribe(&filter).await?;
        }
        Ok::<(), Failure>(())
    });
    let outcome = session.await;

    // Waits for acknowledgements, unless Ctrl-C comes again.
    let ended = until_interrupted(async {
        let mut disconnect = pin!(client.disconnect());
        loop {
            tokio::select! {
                ended = &mut disconnect => return ended.map_err(Failure::from),
                // Unread messages would hold acknowledgements up.
                Some(event) = events.next() => {
                    if let Ok(Some(message)) = window.event(Some(event)) {
                        out.received(&message)?;
                    }
                }
            }
        }
    });
    let ended = ended.await;
    for (message, back) in window.settle() {
        out.published(&message)?;
        back.map_or(Ok(()), |message| out.received(&message))?;
    }
    if ended.is_ok() {
        out.disconnected()?;
    }
    match outcome {
        Err(failure) if !failure.is_interruption() => Err(failure),
        // Where there is no other end Ctrl-C is how it is meant to end.
        _ if is_endless => ended,
        outcome => ended.and(outcome),
    }
}
