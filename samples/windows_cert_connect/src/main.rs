//! Mutual TLS with a certificate from the Windows certificate store: connect and disconnect.
//!
//! - Against a local sandbox, on Windows: see the README, the certificate has to be imported first
//! - Against AWS IoT Core, on Windows: `cargo run -p windows_cert_connect -- --endpoint
//!   <prefix>-ats.iot.<region>.amazonaws.com --cert-store CurrentUser\MY\<thumbprint>`
//! - What the device's policy must allow: `policies/windows_cert_connect.json`

use std::io;

use clap::Parser;
use common::args::{ConnectionArgs, OutputArgs, WindowsStoreArgs, parse};
use common::{Failure, until_interrupted};
use iot_client::Client;

/// Connects over mutual TLS with a certificate from the Windows certificate store, and disconnects.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    windows_store: WindowsStoreArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Args = parse();
    args.output.start_logging();
    let mut out = args.output.to(io::stdout());

    // Authentication: a certificate in the store of Windows. Its private key stays there, and signs through CNG. On
    // any other system this fails.
    let auth = args.windows_store.auth()?;

    let options = args.connection.options(auth)?;
    out.watch(&options);
    let (client, _) = until_interrupted(Client::connect(options)).await?;
    out.connected(&client);

    client.disconnect().await?;
    out.disconnected()?;
    Ok(())
}
