//! Mutual TLS with the private key on a PKCS#11 token: connect and disconnect.
//!
//! - Against a local sandbox, with a token of SoftHSM2: `cargo xtask run pkcs11_connect`
//! - Against AWS IoT Core: `cargo run -p pkcs11_connect -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com
//!   --pkcs11-lib <library> --token-label <token> --pin-file <file>`
//! - What the device's policy must allow: `policies/pkcs11_connect.json`

use std::io::{self, Write};

use clap::Parser;
use common::args::{ConnectionArgs, OutputArgs, Pkcs11Args, parse};
use common::{Error, Failure, until_interrupted};
use iot_client::Client;

/// Connects by mutual TLS with a private key that stays on a PKCS#11 token, and disconnects.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    connection: Option<ConnectionArgs>,
    #[command(flatten)]
    pkcs11: Pkcs11Args,
    #[command(flatten)]
    output: OutputArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Args = parse();
    args.output.start_logging();
    let mut out = args.output.to(io::stdout());
    let pkcs11 = args.pkcs11.settings().unwrap_or_else(|usage| usage.exit());

    // Without a place to connect to the flags ask for --list.
    let Some(connection) = &args.connection else {
        write!(io::stdout(), "{}", pkcs11.listing()?).map_err(Error::Output)?;
        return Ok(());
    };

    // Authentication: the private key stays on the token, which signs the TLS handshake with it. The certificate is on
    // the token, too, or in a file (--cert).
    let auth = pkcs11.auth()?;

    let options = connection.options(auth)?;
    out.watch(&options);
    let (client, _) = until_interrupted(Client::connect(options)).await?;
    out.connected(&client);

    client.disconnect().await?;
    out.disconnected()?;
    Ok(())
}
