//! Custom authorizer: connect and disconnect, directly or over WebSocket, with a password or a signed token.
//!
//! - Against a local sandbox: `cargo xtask run custom_auth_connect`
//! - Against AWS IoT Core: `cargo run -p custom_auth_connect -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com
//!   --authorizer-name <name> --auth-username <user> --auth-password-file password.txt`
//! - What the policy that the authorizer answers with must allow: `policies/custom_auth_connect.json`

use std::io;

use clap::Parser;
use common::args::{ArgsError, ConnectionArgs, CustomAuthArgs, OutputArgs, parse};
use common::{Failure, until_interrupted};
use iot_client::Client;

/// Connects with what a custom authorizer asks for, and disconnects.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    custom_auth: CustomAuthArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Args = parse();
    args.output.start_logging();
    let mut out = args.output.to(io::stdout());

    // Authentication: a user name and a password, or a signed token, in CONNECT. The account's own Lambda function, the
    // custom authorizer, looks at them.
    let auth = args.custom_auth.auth().map_err(ArgsError::exit_on_usage)?;

    let options = args.connection.options(auth)?;
    out.watch(&options);
    if args.custom_auth.dry_run {
        out.plan(&options.plan())?;
        return Ok(());
    }
    let (client, _) = until_interrupted(Client::connect(options)).await?;
    out.connected(&client);

    client.disconnect().await?;
    out.disconnected()?;
    Ok(())
}
