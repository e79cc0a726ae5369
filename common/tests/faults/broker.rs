//! The broker goes, and comes back as it was or as another.

use std::time::Instant;

use iot_client::Error;
use iot_transport::{Error as TransportError, Layer};
use sandbox::{Sandbox, ServerCertificate};

use crate::row::Row;
use crate::support::{device, device_on};
use crate::{VERSIONS, quick, relay_to};

#[tokio::test]
async fn a_broker_that_is_stopped_for_a_while() {
    for version in VERSIONS {
        let mut sandbox = Sandbox::start().unwrap();
        let mut row =
            Row::start("broker stopped for a while", &sandbox, quick(device(&sandbox, "test-1"), version))
                .await;
        sandbox.stop();
        row.disconnected().await;
        for _ in 0..3 {
            let error = row.failed().await;
            assert!(matches!(*error, Error::Transport(TransportError::Tcp { .. })), "{error:?}");
            assert!(error.hint().unwrap().contains("nothing listens"), "{error:?}");
        }
        sandbox.restart().unwrap();
        let session_present = row.recovered(Instant::now()).await;
        assert!(!session_present, "the broker has forgotten everything");
        row.finish().await;
    }
}

#[tokio::test]
async fn a_broker_that_is_restarted() {
    for version in VERSIONS {
        let mut sandbox = Sandbox::start().unwrap();
        let mut row =
            Row::start("broker restarted", &sandbox, quick(device(&sandbox, "test-1"), version)).await;
        for _ in 0..3 {
            let began = Instant::now();
            sandbox.restart().unwrap();
            row.disconnected().await;
            row.recovered(began).await;
            row.progress(20).await;
        }
        row.finish().await;
    }
}

#[tokio::test]
async fn a_broker_with_a_new_certificate_of_the_same_ca() {
    let mut sandbox = Sandbox::start().unwrap();
    let relay = relay_to(sandbox.mqtt_port());
    let options = quick(device_on(&sandbox, relay.port(), "test-1"), VERSIONS[0]);
    let mut row = Row::start("broker with a new certificate, same CA", &sandbox, options).await;
    let began = Instant::now();
    sandbox.restart_with(ServerCertificate::Valid).unwrap();
    row.disconnected().await;
    row.recovered(began).await;
    row.finish().await;
    assert!(relay.connections() >= 2);
}

/// Whoever answers in the broker's place, a captive portal say, gets no connection, and no end of the client either: the
/// way leads to the broker again some day.
#[tokio::test]
async fn a_server_whose_certificate_is_not_to_be_trusted() {
    for (certificate, words) in [
        (ServerCertificate::UnknownIssuer, "is not trusted here"),
        (ServerCertificate::WrongHost, "is for another name"),
        (ServerCertificate::Expired, "has expired"),
    ] {
        let mut sandbox = Sandbox::start().unwrap();
        let options = quick(device(&sandbox, "test-1"), VERSIONS[0]);
        let mut row = Row::start(&format!("server certificate {certificate:?}"), &sandbox, options).await;
        sandbox.restart_with(certificate).unwrap();
        row.disconnected().await;
        for _ in 0..3 {
            // The first may still find the port closed.
            let error = loop {
                let error = row.failed().await;
                if error.layer() != Layer::Tcp {
                    break error;
                }
            };
            assert!(matches!(*error, Error::Transport(TransportError::Tls { .. })), "{error:?}");
            assert!(error.hint().unwrap().contains(words), "{error:?}");
        }
        sandbox.restart_with(ServerCertificate::Valid).unwrap();
        row.recovered(Instant::now()).await;
        row.finish().await;
    }
}
