//! Mutual TLS with certificate and key from a PKCS#12 file: connect and disconnect.
//!
//! - Against a local sandbox: `cargo xtask run pkcs12_connect`
//! - Against AWS IoT Core: `cargo run -p pkcs12_connect -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com
//!   --pkcs12-file device.p12 --pkcs12-password-file device.p12.password`
//! - What the device's policy must allow: `policies/pkcs12_connect.json`

use std::io;

use clap::Parser;
use common::args::{ConnectionArgs, OutputArgs, Pkcs12Args, parse};
use common::{Failure, until_interrupted};
use iot_client::Client;

/// Connects over mutual TLS with a PKCS#12 file, and disconnects.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    pkcs12: Pkcs12Args,
    #[command(flatten)]
    output: OutputArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Args = parse();
    args.output.start_logging();
    let mut out = args.output.to(io::stdout());

    // Authentication: the device's certificate and private key, both from one file, which its password opens. They
    // stay in memory.
    let auth = args.pkcs12.auth()?;

    let options = args.connection.options(auth)?;
    out.watch(&options);
    let (client, _) = until_interrupted(Client::connect(options)).await?;
    out.connected(&client);

    client.disconnect().await?;
    out.disconnected()?;
    Ok(())
}
