//! How many round trips a proxy adds to a connection, over a path to the proxy on which each takes 100 ms.
//!
//! The delay is a relay's in front of the proxy. Behind it everything is near, so what is counted are the turns that
//! the client waits for.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use common::{Auth, Client, ClientOptions, Endpoint, Identity, Proxies, Proxy, Roots, Route};
use sandbox::Sandbox;
use sandbox::relay::{Options, Relay};

#[path = "../tests/support/proxy.rs"]
mod proxy;

use proxy::{Protocol, TestProxy};

const ROUND_TRIP: Duration = Duration::from_millis(100);
const RUNS: usize = 10;
const LOGIN: &str = "user:password";

#[tokio::main]
async fn main() -> Result<()> {
    let sandbox = Sandbox::start()?;
    let roots = Roots::from_file(sandbox.ca_file());
    let direct = Relay::start(sandbox.mqtt_port(), Options { one_way_delay: ROUND_TRIP / 2 })?;
    let base = median(&sandbox, Route::from(roots.clone()), direct.port()).await?;

    println!("{:<28} {:>12} {:>8} {:>8}", "to CONNACK, mutual TLS", "median ms", "added", "needed");
    println!("{:<28} {:>12.1}", "direct", base.as_secs_f64() * 1000.0);
    for (scheme, protocol, login, needed) in [
        ("socks5h", Protocol::Socks5, None, 2),
        ("socks5h", Protocol::Socks5, Some(LOGIN), 3),
        ("socks5", Protocol::Socks5, None, 2),
        ("http", Protocol::Http, None, 1),
        ("http", Protocol::Http, Some(LOGIN), 1),
    ] {
        let proxy = TestProxy::start(protocol, login, sandbox.mqtt_port()).await;
        let relay = Relay::start(proxy.address.port(), Options { one_way_delay: ROUND_TRIP / 2 })?;
        let user_info = login.map(|login| format!("{login}@")).unwrap_or_default();
        let url = format!("{scheme}://{user_info}127.0.0.1:{}", relay.port());
        let route = Route::new(roots.clone(), Proxies::always(Proxy::parse(&url)?), Roots::system());
        let time = median(&sandbox, route, sandbox.mqtt_port()).await?;
        let name = format!("{scheme}{}", if login.is_some() { " with a login" } else { "" });
        print(&name, time, base, needed);
        anyhow::ensure!(!proxy.asked().is_empty(), "{name}: the proxy was not asked");
    }

    // The sandbox's own, which has a certificate. One round trip for TLS 1.3 and one for CONNECT.
    let own = sandbox.proxies().https.parse::<http::Uri>()?;
    let port = own.port_u16().context("the proxy has no port")?;
    let relay = Relay::start(port, Options { one_way_delay: ROUND_TRIP / 2 })?;
    let proxy = Proxy::parse(&format!("https://localhost:{}", relay.port()))?;
    let route = Route::new(roots.clone(), Proxies::always(proxy), roots);
    let time = median(&sandbox, route, sandbox.mqtt_port()).await?;
    print("https", time, base, 2);
    anyhow::ensure!(sandbox.proxied().len() == RUNS, "https: the proxy was not asked each time");
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
