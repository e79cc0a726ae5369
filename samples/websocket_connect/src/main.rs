//! MQTT 3.1.1 over WebSocket: connect and disconnect, with credentials from the environment or from files.
//!
//! - Against a local sandbox: `cargo xtask run websocket_connect`
//! - Against AWS IoT Core: `cargo run -p websocket_connect -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com
//!   --signing-region <region>`
//! - What the credentials' policy must allow: `policies/websocket_connect.json`

use std::io;

use clap::Parser;
use common::args::{ArgsError, ConnectionArgs, OutputArgs, SigV4Args, parse};
use common::{Failure, until_interrupted};
use iot_client::Client;

/// Connects over WebSocket, signed with AWS credentials, and disconnects.
#[derive(Parser)]
#[command(version)]
#[command(mut_arg("mqtt_version", |version| version.default_value("3.1.1")))]
struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    credentials: SigV4Args,
    #[command(flatten)]
    output: OutputArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Args = parse();
    args.output.start_logging();
    let mut out = args.output.to(io::stdout());

    // Authentication: AWS credentials sign the WebSocket upgrade. Without flags they come from the environment,
    // from ~/.aws, or from wherever else the AWS SDK looks.
    let auth = args.credentials.auth(&args.connection.endpoint).map_err(ArgsError::exit_on_usage)?;

    let options = args.connection.options(auth)?;
    out.watch(&options);
    let (client, _) = until_interrupted(Client::connect(options)).await?;
    out.connected(&client);

    client.disconnect().await?;
    out.disconnected()?;
    Ok(())
}
