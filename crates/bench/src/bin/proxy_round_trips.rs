//! How many round trips a proxy adds to a connection, over a path to the proxy on which each takes 100 ms.
//!
//! The delay is a relay's in front of the proxy. Behind it everything is near, so what is counted are the turns that
//! the client waits for.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use iot_client::{Auth, Client, ClientOptions};
use iot_transport::{Endpoint, Identity, Proxies, Proxy, Roots, Route};
use sandbox::Sandbox;
use sandbox::relay::{Options, Relay};

const ROUND_TRIP: Duration = Duration::from_millis(100);
const RUNS: usize = 10;

#[tokio::main]
async fn main() -> Result<()> {
    let sandbox = Sandbox::start()?;
    let roots = Roots::from_file(sandbox.ca_file());
    let direct = Relay::start(sandbox.mqtt_port(), Options { one_way_delay: ROUND_TRIP / 2 })?;
    let base = median(&sandbox, Route::from(roots.clone()), direct.port()).await?;

    println!("{:<28} {:>12} {:>8} {:>8}", "to CONNACK, mutual TLS", "median ms", "added", "needed");
    println!("{:<28} {:>12.1}", "direct", base.as_secs_f64() * 1000.0);
    let proxies = sandbox.proxies();
    // The name is resolved here instead of there.
    let socks5 = proxies.socks5.replace("socks5h://", "socks5://");
    for (name, url, needed) in [
        ("socks5h", &proxies.socks5, 2),
        ("socks5h with a login", &proxies.socks5_auth, 3),
        ("socks5", &socks5, 2),
        ("http", &proxies.http, 1),
        ("http with a login", &proxies.http_auth, 1),
        // One round trip for TLS 1.3 and one for CONNECT.
        ("https", &proxies.https, 2),
    ] {
        let (host, port) = url.rsplit_once(':').context("a proxy has a port")?;
        let relay = Relay::start(port.parse()?, Options { one_way_delay: ROUND_TRIP / 2 })?;
        let proxy = Proxy::parse(&format!("{host}:{}", relay.port()))?;
        let route = Route::new(roots.clone(), Proxies::always(proxy), roots.clone());
        let before = sandbox.proxied().len();
        let time = median(&sandbox, route, sandbox.mqtt_port()).await?;
        print(name, time, base, needed);
        ensure!(sandbox.proxied().len() == before + RUNS, "{name}: the proxy was not asked each time");
    }
    Ok(())
}

fn print(name: &str, time: Duration, base: Duration, needed: u32) {
    let added = (time.as_secs_f64() - base.as_secs_f64()) / ROUND_TRIP.as_secs_f64();
    println!("{name:<28} {:>12.1} {added:>8.2} {needed:>8}", time.as_secs_f64() * 1000.0);
}

async fn median(sandbox: &Sandbox, route: Route, port: u16) -> Result<Duration> {
    let device = sandbox.device();
    let identity = Identity::from_pem_files(&device.cert_file, &device.key_file)?;
    let mut times = Vec::new();
    for run in 0..RUNS {
        let endpoint = Endpoint::parse("localhost")?.with_port(port);
        let auth = Auth::MutualTls(identity.clone());
        let options = ClientOptions::new(endpoint, auth, route.clone(), format!("test-{run}"))?;
        let began = Instant::now();
        let (client, _events) = Client::connect(options).await?;
        times.push(began.elapsed());
        client.disconnect().await?;
    }
    times.sort_unstable();
    Ok(times[RUNS / 2])
}
