//! An Amazon Cognito identity: connect and disconnect over WebSocket, signed with the identity's credentials.
//!
//! - Against a local sandbox: `cargo xtask run cognito_connect`
//! - Against AWS IoT Core: `cargo run -p cognito_connect -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com
//!   --cognito-identity <region>:<UUID>`
//! - What the identity pool's role must allow: `policies/cognito_connect.json`

use std::io;

use clap::Parser;
use common::args::{ArgsError, CognitoArgs, ConnectionArgs, OutputArgs, RegionArgs, parse};
use common::{Failure, until_interrupted};
use iot_client::Client;

/// Connects over WebSocket with the credentials of an Amazon Cognito identity, and disconnects.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    cognito: CognitoArgs,
    #[command(flatten)]
    region: RegionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Args = parse();
    args.output.start_logging();
    let mut out = args.output.to(io::stdout());

    // Authentication: Amazon Cognito gives temporary credentials for an identity, or for the one that an identity
    // pool gives first. They are asked for, and the upgrade is signed, anew when they have expired.
    let auth =
        args.cognito.auth(&args.region, &args.connection.endpoint).map_err(ArgsError::exit_on_usage)?;

    let options = args.connection.options(auth)?;
    out.watch(&options);
    let (client, _) = until_interrupted(Client::connect(options)).await?;
    out.connected(&client);

    client.disconnect().await?;
    out.disconnected()?;
    Ok(())
}
