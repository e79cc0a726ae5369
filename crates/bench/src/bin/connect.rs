//! Connects by mutual TLS and disconnects: the least that a program can do with `common`.

use clap::Parser;
use common::Failure;
use common::args::{ConnectionArgs, MutualTlsArgs};
use iot_client::Client;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    mutual_tls: MutualTlsArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let options = args.connection.options(args.mutual_tls.auth()?)?;
    let (client, _events) = Client::connect(options).await?;
    client.disconnect().await?;
    Ok(())
}
