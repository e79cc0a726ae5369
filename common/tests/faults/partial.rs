//! The connection ends within a packet, or packets come in pieces.

use std::collections::HashSet;
use std::time::Instant;

use iot_client::Error;
use iot_transport::Layer;
use sandbox::Sandbox;
use sandbox::relay::{Direction, Fault, Reach, Relay};

use crate::journal::Journal;
use crate::row::Row;
use crate::support::{connect, device_on};
use crate::{VERSIONS, quick, relay_to};

fn bytes(relay: &Relay) -> [u64; 2] {
    [Direction::ToClient, Direction::ToServer].map(|direction| relay.bytes(direction))
}

/// How many bytes a connection takes up to CONNACK, to the client and to the server. A resumed TLS session needs fewer
/// than the first one: measured on the second connection, so `journal` has to be at the first.
async fn needed(relay: &Relay, journal: &mut Journal) -> [usize; 2] {
    let before = bytes(relay);
    relay.cut();
    journal.connected().await;
    [0, 1].map(|way| usize::try_from(bytes(relay)[way] - before[way]).unwrap())
}

/// The places are counted from the start of the connection: in the TLS handshake, and within CONNECT and CONNACK, which are
/// the last that a connection needs.
#[tokio::test]
async fn a_reset_anywhere_before_connack_is_tried_again() {
    for version in VERSIONS {
        let sandbox = Sandbox::start().unwrap();
        let relay = relay_to(sandbox.mqtt_port());
        let options = quick(device_on(&sandbox, relay.port(), "test-1"), version);
        let (client, events) = connect(options).await;
        let mut journal = Journal::of(events);
        journal.connected().await;
        let mut failed_at = HashSet::new();
        let [down, up] = needed(&relay, &mut journal).await;
        for (direction, all) in [(Direction::ToClient, down), (Direction::ToServer, up)] {
            for bytes in [0, 1, 4, 5, 50, all / 2, all - 20, all - 3] {
                let fault = Fault::ResetAfter { direction, bytes };
                relay.inject(Reach::New, fault);
                relay.cut();
                journal.disconnected().await;
                let error = journal.failed().await;
                assert!(error.hint().is_none_or(|hint| !hint.contains("policy")), "{fault:?}: {error:?}");
                failed_at.insert(error.layer());
                relay.heal();
                journal.connected().await;
            }
        }
        assert!(failed_at.contains(&Layer::Tls) && failed_at.contains(&Layer::Mqtt), "{failed_at:?}");
        client.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_reset_within_publish_or_puback_loses_nothing() {
    for version in VERSIONS {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let sandbox = Sandbox::start().unwrap();
            let relay = relay_to(sandbox.mqtt_port());
            let options = quick(device_on(&sandbox, relay.port(), "test-1"), version);
            let mut row =
                Row::start(&format!("reset within a packet {direction:?}"), &sandbox, options).await;
            for bytes in [1, 4, 10, 30, 100, 250, 400, 1000] {
                let injected = Instant::now();
                relay.inject(Reach::Live, Fault::ResetAfter { direction, bytes });
                let error = row.disconnected().await;
                assert!(
                    matches!(*error, Error::Disconnected { code: None, source: Some(_), .. }),
                    "{bytes}: {error:?}"
                );
                row.recovered(injected).await;
                row.progress(5).await;
            }
            row.finish().await;
            assert_eq!(relay.connections(), 9);
        }
    }
}

/// Nothing is ever acknowledged, and that is the network's doing: no message may be blamed for it and given up, as one may
/// that the broker closes the connection for.
#[tokio::test]
async fn a_reset_within_the_first_publish_of_each_connection_is_no_refusal() {
    for version in VERSIONS {
        let sandbox = Sandbox::start().unwrap();
        let relay = relay_to(sandbox.mqtt_port());
        let options = |client_id| quick(device_on(&sandbox, relay.port(), client_id), version);
        let (client, events) = connect(options("test-0")).await;
        let mut journal = Journal::of(events);
        journal.connected().await;
        let [_, up] = needed(&relay, &mut journal).await;
        client.disconnect().await.unwrap();

        let mut row = Row::start("reset within each first PUBLISH", &sandbox, options("test-1")).await;
        let fault = Fault::ResetAfter { direction: Direction::ToServer, bytes: up + 100 };
        relay.inject(Reach::New, fault);
        relay.cut();
        for _ in 0..6 {
            row.disconnected().await;
        }
        relay.heal();
        row.recovered(Instant::now()).await;
        row.finish().await;
        assert!(relay.connections() >= 9);
    }
}

#[tokio::test]
async fn packets_in_single_bytes_are_packets() {
    for version in VERSIONS {
        let sandbox = Sandbox::start().unwrap();
        let relay = relay_to(sandbox.mqtt_port());
        let options = quick(device_on(&sandbox, relay.port(), "test-1"), version);
        let mut row = Row::start("single bytes", &sandbox, options).await;
        relay.inject(Reach::All, Fault::Chop);
        row.progress(50).await;
        assert_eq!(relay.connections(), 1, "no connection was lost by it");
        // A handshake comes in pieces as well.
        relay.cut();
        row.disconnected().await;
        row.recovered(Instant::now()).await;
        row.finish().await;
    }
}
