//! SOCKS5: subscribe, publish and receive through a proxy, over mutual TLS or a signed WebSocket.
//!
//! - Against a local sandbox: `cargo xtask run socks5_connect`
//! - Against AWS IoT Core: `cargo run -p socks5_connect -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com
//!   --cert device.pem.crt --key private.pem.key --proxy socks5h://<host>:1080`
//! - What the device's policy, or that of the credentials, must allow: `policies/socks5_connect.json`

use std::io;
use std::time::Duration;

use clap::Parser;
use common::args::{ArgsError, ConnectionArgs, DeviceOrIamArgs, OutputArgs, parse};
use common::{Failure, until_interrupted, until_interrupted_twice};
use iot_client::{Client, Message, QoS};
use iot_transport::ProxyScheme;

const TOPIC: &str = "test/topic";

/// Subscribes to a topic through a SOCKS5 proxy, publishes to it and receives its own message.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    auth: DeviceOrIamArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Args = parse();
    args.output.start_logging();
    let mut out = args.output.to(io::stdout());

    // Authentication: a client certificate, or with --websocket AWS credentials, which sign the upgrade.
    let auth = args.auth.auth(&args.connection.endpoint).map_err(ArgsError::exit_on_usage)?;

    // The proxy of --proxy or the environment. Any sample takes one; this one warns where there is none.
    let options =
        args.connection.options_through(&ProxyScheme::SOCKS5, auth).map_err(ArgsError::exit_on_usage)?;
    out.watch(&options);
    let (client, mut events) = until_interrupted(Client::connect(options)).await?;
    out.connected(&client);

    let session = until_interrupted(async {
        client.subscribe(TOPIC, QoS::AtLeastOnce).await?;
        out.subscribed(TOPIC)?;
        let message = Message::new(TOPIC, "Hello through SOCKS5");
        client.publish(message.clone()).await?;
        out.published(&message)?;
        out.received(&events.message(TOPIC, Duration::from_secs(10)).await?)?;
        Ok::<(), Failure>(())
    });
    let outcome = session.await;

    let ended = until_interrupted_twice(client.disconnect()).await;
    let ended = ended.and_then(|()| Ok(out.disconnected()?));
    outcome?;
    ended
}
