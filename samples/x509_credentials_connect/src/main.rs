//! AWS IoT's credentials provider: a client certificate becomes temporary AWS credentials, which sign a WebSocket
//! connection; connect and disconnect.
//!
//! - Against a local sandbox: `cargo xtask run x509_credentials_connect`
//! - Against AWS IoT Core: `cargo run -p x509_credentials_connect -- --endpoint
//!   <prefix>-ats.iot.<region>.amazonaws.com --x509-endpoint <prefix>.credentials.iot.<region>.amazonaws.com
//!   --x509-role-alias <alias> --x509-thing-name <thing> --x509-cert <file> --x509-key <file>`
//! - What the certificate and the role must be allowed: `policies/x509_credentials_connect.json`

use std::io;

use clap::Parser;
use common::args::{ArgsError, ConnectionArgs, OutputArgs, RegionArgs, X509CredentialsArgs, parse};
use common::{Failure, until_interrupted};
use iot_client::Client;

/// Connects over WebSocket with credentials that a client certificate was traded for, and disconnects.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    x509: X509CredentialsArgs,
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

    // Authentication: the credentials provider takes the client certificate and gives temporary credentials of the
    // role behind the alias. They are asked for, and the upgrade is signed, anew when they have expired.
    let auth = args.x509.auth(&args.region, &args.connection.endpoint).map_err(ArgsError::exit_on_usage)?;

    let options = args.connection.options(auth)?;
    out.watch(&options);
    let (client, _) = until_interrupted(Client::connect(options)).await?;
    out.connected(&client);

    client.disconnect().await?;
    out.disconnected()?;
    Ok(())
}
