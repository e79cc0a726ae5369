//! The way to the broker fails.

use std::time::{Duration, Instant};

use iot_client::{Error, MqttVersion};
use iot_transport::{Error as TransportError, Layer};
use sandbox::Sandbox;
use sandbox::relay::{Direction, Fault, Reach, Side};

use crate::journal::Journal;
use crate::row::{PAYLOAD, Row};
use crate::support::{connect, device_on};
use crate::{VERSIONS, attentive, quick, relay_to};

/// Within which a silent connection has to be given up: the keep-alive, half of it for the answer, and as much again for a
/// busy machine.
const NOTICED: Duration = Duration::from_secs(5);

/// The fault hits the connection and those that are tried, and is then gone.
async fn outage(name: &str, fault: Fault) {
    let [one, other] = VERSIONS.map(|version| outage_of(name, fault, version));
    // At the same time: most of it is waiting.
    tokio::join!(one, other);
}

async fn outage_of(name: &str, fault: Fault, version: MqttVersion) {
    let sandbox = Sandbox::start().unwrap();
    let relay = relay_to(sandbox.mqtt_port());
    let options = attentive(device_on(&sandbox, relay.port(), "test-1"), version);
    let mut row = Row::start(name, &sandbox, options).await;
    let injected = Instant::now();
    relay.inject(Reach::All, fault);
    let error = row.disconnected().await;
    assert!(injected.elapsed() < NOTICED, "{name}: noticed after {:?}", injected.elapsed());
    assert!(matches!(*error, Error::Disconnected { code: None, .. }), "{name}: {error:?}");
    for _ in 0..2 {
        let error = row.failed().await;
        assert!(matches!(error.layer(), Layer::Tcp | Layer::Tls), "{name}: {error:?}");
    }
    relay.heal();
    row.recovered(Instant::now()).await;
    row.finish().await;
    assert!(relay.connections() >= 4, "{name}: {} connections", relay.connections());
}

#[tokio::test]
async fn reset() {
    outage("reset", Fault::Reset).await;
}

#[tokio::test]
async fn end() {
    outage("end", Fault::End).await;
}

#[tokio::test]
async fn black_hole_under_load() {
    outage("black hole under load", Fault::BlackHole).await;
}

#[tokio::test]
async fn loss_to_the_server() {
    outage("one-way loss to the server", Fault::Loss(Direction::ToServer)).await;
}

#[tokio::test]
async fn loss_to_the_client() {
    outage("one-way loss to the client", Fault::Loss(Direction::ToClient)).await;
}

#[tokio::test]
async fn a_single_reset_and_a_single_end() {
    for version in VERSIONS {
        for fault in [Fault::Reset, Fault::End] {
            let sandbox = Sandbox::start().unwrap();
            let relay = relay_to(sandbox.mqtt_port());
            let options = quick(device_on(&sandbox, relay.port(), "test-1"), version);
            let mut row = Row::start(&format!("{fault:?} once"), &sandbox, options).await;
            let injected = Instant::now();
            relay.inject(Reach::Live, fault);
            let error = row.disconnected().await;
            assert!(matches!(*error, Error::Disconnected { code: None, .. }), "{error:?}");
            row.recovered(injected).await;
            row.finish().await;
            assert_eq!(relay.connections(), 2);
        }
    }
}

#[tokio::test]
async fn black_hole_while_idle() {
    for version in VERSIONS {
        let sandbox = Sandbox::start().unwrap();
        let relay = relay_to(sandbox.mqtt_port());
        let (client, events) = connect(attentive(device_on(&sandbox, relay.port(), "test-1"), version)).await;
        let mut journal = Journal::of(events);
        relay.inject(Reach::All, Fault::BlackHole);
        let error = journal.disconnected().await;
        let Error::Disconnected { source: Some(source), .. } = &*error else { panic!("{error:?}") };
        assert!(source.to_string().contains("silent"), "{error:?}");
        let error = journal.failed().await;
        assert!(
            matches!(
                *error,
                Error::Transport(TransportError::ConnectTimeout { waiting_for: Layer::Tls, .. })
            ),
            "{error:?}"
        );
        assert!(error.hint().is_some());
        relay.heal();
        journal.connected().await;
        client.disconnect().await.unwrap();
    }
}

/// The broker's end is closed and the client is not told: by a firewall that forgets, say.
#[tokio::test]
async fn half_open_at_the_server() {
    for version in VERSIONS {
        let sandbox = Sandbox::start().unwrap();
        let relay = relay_to(sandbox.mqtt_port());
        let options = attentive(device_on(&sandbox, relay.port(), "test-1"), version);
        let mut row = Row::start("half-open, closed at the broker", &sandbox, options).await;
        let injected = Instant::now();
        relay.inject(Reach::Live, Fault::HalfOpen(Side::Server));
        let error = row.disconnected().await;
        assert!(injected.elapsed() < NOTICED, "noticed after {:?}", injected.elapsed());
        assert!(matches!(*error, Error::Disconnected { code: None, source: Some(_), .. }), "{error:?}");
        row.recovered(injected).await;
        row.finish().await;
        assert_eq!(relay.connections(), 2);
    }
}

/// The client's end is closed and the broker is not told: it has to let the new connection take over.
#[tokio::test]
async fn half_open_at_the_client() {
    for version in VERSIONS {
        let sandbox = Sandbox::start().unwrap();
        let relay = relay_to(sandbox.mqtt_port());
        let options = quick(device_on(&sandbox, relay.port(), "test-1"), version);
        let mut row = Row::start("half-open, closed at the client", &sandbox, options).await;
        let injected = Instant::now();
        relay.inject(Reach::Live, Fault::HalfOpen(Side::Client));
        row.disconnected().await;
        row.recovered(injected).await;
        row.progress(20).await;
        // The end of the old connection, as the broker sees it now, is nothing to the new one.
        relay.heal();
        row.finish().await;
        assert_eq!(relay.connections(), 2);
    }
}

#[tokio::test]
async fn a_slow_link_costs_time_and_no_connection() {
    const BYTES_PER_SECOND: u32 = 40_000;
    const MESSAGES: usize = 200;
    for version in VERSIONS {
        let sandbox = Sandbox::start().unwrap();
        let relay = relay_to(sandbox.mqtt_port());
        let mut options = quick(device_on(&sandbox, relay.port(), "test-1"), version);
        options.keep_alive = Duration::from_secs(4);
        let mut row = Row::start("slow link", &sandbox, options).await;
        relay.inject(Reach::All, Fault::Slow { bytes_per_second: BYTES_PER_SECOND });
        let began = Instant::now();
        row.progress(MESSAGES).await;
        let least = (MESSAGES - 20) * PAYLOAD / usize::try_from(BYTES_PER_SECOND).unwrap();
        assert!(began.elapsed().as_secs() >= least as u64, "not slow: {:?}", began.elapsed());
        relay.heal();
        row.finish().await;
        assert_eq!(relay.connections(), 1);
    }
}

#[tokio::test]
async fn a_link_too_slow_for_a_handshake_is_tried_again() {
    for version in VERSIONS {
        let sandbox = Sandbox::start().unwrap();
        let relay = relay_to(sandbox.mqtt_port());
        let options = attentive(device_on(&sandbox, relay.port(), "test-1"), version);
        let mut row = Row::start("link too slow for a handshake", &sandbox, options).await;
        relay.inject(Reach::New, Fault::Slow { bytes_per_second: 100 });
        relay.cut();
        row.disconnected().await;
        let error = row.failed().await;
        assert!(
            matches!(
                *error,
                Error::Transport(TransportError::ConnectTimeout { waiting_for: Layer::Tls, .. })
            ),
            "{error:?}"
        );
        relay.heal();
        row.recovered(Instant::now()).await;
        row.finish().await;
    }
}
