//! HTTP proxy: connect and disconnect over mutual TLS, through a tunnel that the proxy opens (HTTP CONNECT).
//!
//! - Against a local sandbox: `cargo xtask run http_proxy_connect`
//! - Against AWS IoT Core: `cargo run -p http_proxy_connect -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com
//!   --cert device.pem.crt --key private.pem.key --proxy http://<host>:<port>`
//! - What the device's policy must allow: `policies/http_proxy_connect.json`

use std::io;

use clap::Parser;
use common::args::{ArgsError, ConnectionArgs, MutualTlsArgs, OutputArgs, parse};
use common::{Failure, until_interrupted};
use iot_client::Client;
use iot_transport::ProxyScheme;

/// Connects over mutual TLS through an HTTP proxy, and disconnects.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    mutual_tls: MutualTlsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Args = parse();
    args.output.start_logging();
    let mut out = args.output.to(io::stdout());

    // Authentication: the device's certificate and private key. The proxy sees neither: TLS is with the broker, within
    // the tunnel.
    let auth = args.mutual_tls.auth()?;

    // The proxy of --proxy, --proxy-host or the environment. Any sample takes one; this one warns where there is none.
    let options =
        args.connection.options_through(&ProxyScheme::HTTP, auth).map_err(ArgsError::exit_on_usage)?;
    out.watch(&options);
    let (client, _) = until_interrupted(Client::connect(options)).await?;
    out.connected(&client);

    client.disconnect().await?;
    out.disconnected()?;
    Ok(())
}
