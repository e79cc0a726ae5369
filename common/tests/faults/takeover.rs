//! Another client connects with the same client ID.

use std::sync::Arc;
use std::time::{Duration, Instant};

use iot_client::{Client, Error, Event, MqttVersion};
use sandbox::Sandbox;

use crate::journal::Journal;
use crate::row::Row;
use crate::support::{connect, device};
use crate::{VERSIONS, quick};

/// A client of the same ID, which does not come back when it is pushed out itself.
async fn usurper(sandbox: &Sandbox, version: MqttVersion) -> Client {
    let mut options = quick(device(sandbox, "test-1"), version);
    options.reconnect_minimum = Duration::from_secs(3600);
    options.reconnect_maximum = Duration::from_secs(3600);
    connect(options).await.0
}

#[tokio::test]
async fn one_takeover_leads_to_another_connection() {
    for version in VERSIONS {
        let sandbox = Sandbox::start().unwrap();
        let options = quick(device(&sandbox, "test-1"), version);
        let mut row = Row::start("taken over once", &sandbox, options).await;
        let began = Instant::now();
        let usurper = usurper(&sandbox, version).await;
        let error = row.disconnected().await;
        let Error::Disconnected { code, .. } = &*error else { panic!("{error:?}") };
        if version == MqttVersion::V5 {
            assert_eq!(code.unwrap().code(), 0x8e);
            assert!(error.hint().unwrap().contains("same client ID"), "{error:?}");
        }
        // It may be pushed out already, and have stopped for that.
        let _ = usurper.disconnect().await;
        row.recovered(began).await;
        row.finish().await;
    }
}

#[tokio::test]
async fn takeovers_without_end_stop_the_client() {
    let sandbox = Sandbox::start().unwrap();
    let (_client, events) = connect(quick(device(&sandbox, "test-1"), MqttVersion::V5)).await;
    let mut journal = Journal::of(events);
    journal.connected().await;
    let mut takeovers = 0;
    let error = loop {
        let usurper = usurper(&sandbox, MqttVersion::V5).await;
        takeovers += 1;
        journal.disconnected().await;
        // It may be pushed out already.
        let _ = usurper.disconnect().await;
        let outcome = |event: &Event| match event {
            Event::Connected { .. } => Some(None),
            Event::Stopped { error } => Some(Some(Arc::clone(error.as_ref()?))),
            _ => None,
        };
        if let (_, Some(error)) = journal.next("Connected or Stopped", outcome).await {
            break error;
        }
        assert!(takeovers < 10, "no end of it");
    };
    assert!(takeovers >= 2, "one takeover is no war");
    assert!(matches!(&*error, Error::TakenOver { client_id, .. } if client_id == "test-1"), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("client ID")), "{error:?}");
}
