//! Signature Version 4 over WebSocket: connect and disconnect, with static credentials or the default chain.
//!
//! - Against a local sandbox: `cargo xtask run sigv4_connect`
//! - Against AWS IoT Core: `cargo run -p sigv4_websocket_connect -- --endpoint
//!   <prefix>-ats.iot.<region>.amazonaws.com --region <region>`
//! - What the credentials' policy must allow: `policies/sigv4_connect.json`

use std::io;

use clap::Parser;
use common::args::{ArgsError, ConnectionArgs, OutputArgs, SigV4Args, parse};
use common::{Failure, until_interrupted};
use iot_client::Client;

/// Connects over WebSocket, signed with AWS credentials (SigV4), and disconnects.
#[derive(Parser)]
#[command(version)]
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

    // Authentication: --access-key, --secret and --session-token, or what the AWS SDK's default chain finds. The
    // credentials are resolved, and the upgrade signed, anew for each connection.
    let auth = args.credentials.auth(&args.connection.endpoint).map_err(ArgsError::exit_on_usage)?;

    let options = args.connection.options(auth)?;
    out.watch(&options);
    let (client, _) = until_interrupted(Client::connect(options)).await?;
    out.connected(&client);

    client.disconnect().await?;
    out.disconnected()?;
    Ok(())
}
