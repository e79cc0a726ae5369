//! Peers that break the protocol, speak another one, or have limits: what the application is told.

#[allow(dead_code, reason = "each of the test files uses its part")]
#[path = "support/odd_broker.rs"]
mod odd_broker;
#[allow(dead_code, reason = "each of the test files uses its part")]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use iot_client::{BrokerLimit, Client, ClientOptions, Error, Event, Events, Message, MqttVersion, QoS};
use odd_broker::{CONNACK, OddBroker, connack, packet};
use support::connect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

const LIMIT: Duration = Duration::from_secs(60);

/// The error and its causes on one line.
fn chain(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |chain, cause| format!("{chain}: {cause}"))
}

/// The next event of a client that goes on.
async fn next(events: &mut Events) -> Event {
    timeout(LIMIT, events.next()).await.expect("in time").expect("the client goes on, or says why not")
}

/// Why the client stopped.
async fn stopped(events: &mut Events) -> Arc<Error> {
    loop {
        if let Event::Stopped { error } = next(events).await {
            return error.expect("with a reason");
        }
    }
}

/// Connects to a broker that answers CONNECT with these bytes, and leaves the connection open.
async fn refused(change: impl FnOnce(&mut ClientOptions), answer: &[u8]) -> Error {
    let broker = OddBroker::start().await;
    let mut options = broker.options();
    options.connect_timeout = LIMIT;
    change(&mut options);
    let began = Instant::now();
    let connecting = tokio::spawn(Client::connect(options));
    let mut stream = broker.connect().await;
    stream.write_all(answer).await.unwrap();
    let error = connecting.await.unwrap().expect_err("this is no broker");
    assert!(began.elapsed() < LIMIT / 2, "the answer ended the attempt, not its deadline");
    drop(stream);
    error
}

#[tokio::test]
async fn a_malformed_connack_is_a_protocol_error_that_names_what_is_malformed() {
    for (connack, problem) in [
        (connack(b"\x21\x00\x00"), "CONNACK has the Receive Maximum 0"),
        (connack(b"\x27\x00\x00\x00\x00"), "CONNACK has the Maximum Packet Size 0"),
        (connack(b"\x24\x02"), "CONNACK has the Maximum QoS 2"),
        (connack(b"\x24\x01\x24\x01"), "CONNACK has the property 0x24 twice"),
        (connack(b"\x7e\x00"), "CONNACK has a property 0x7e, which it cannot have"),
        (connack(b"\x1f\x00\x09short"), "CONNACK ends within a field"),
        (vec![0x20, 3, 1, 0, 0], "says that a session is present, and the client asked for a clean start"),
        (vec![0x20, 2, 0, 0], "CONNACK ends within a field"),
        (vec![0x40, 2, 0, 1], "sent a PUBACK before its CONNACK"),
    ] {
        let error = refused(|_| {}, &connack).await;
        assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
        let shown = chain(&error);
        assert!(shown.contains("broke the MQTT protocol") && shown.contains(problem), "{shown}");
    }
}

#[tokio::test]
async fn a_peer_that_is_no_broker_is_named_though_it_leaves_the_connection_open() {
    for (answer, shown) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"[..],
            "a web server answers here (HTTP 400)",
        ),
        (b"220 mail.example ESMTP \x1b[31m\r\n", "the answer is \"220 mail.example ESMTP \\u{1b}[31m\""),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is \"SSH-2.0-OpenSSH_9.2\""),
        (b"\x15\x03\x03\x00\x02\x02\x16", "a TLS server answers inside TLS"),
        (b"\x00\x00\x00\x04", "the answer begins with the byte 0x00"),
    ] {
        for version in [MqttVersion::V5, MqttVersion::V311] {
            let error = refused(|options| options.mqtt_version = version, answer).await;
            assert!(matches!(error, Error::NotMqtt { .. }), "{error:?}");
            assert!(error.to_string().contains(shown), "{error}");
            let hint = error.hint().unwrap();
            assert!(hint.contains("port") && hint.contains("endpoint") && hint.contains("ALPN"), "{hint}");
        }
    }
}

#[tokio::test]
async fn a_broker_of_mqtt_3_1_1_only_says_so() {
    let error = refused(|_| {}, &[0x20, 2, 0, 1]).await;
    assert!(error.to_string().contains("unacceptable protocol version"), "{error}");
    assert!(error.hint().unwrap().contains("MQTT 3.1.1 only: MQTT version 3.1.1"), "{error}");
}

/// A WebSocket of MQTT's, by its name.
#[expect(clippy::unnecessary_wraps, clippy::result_large_err, reason = "the callback's type")]
fn subprotocol(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    response.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().unwrap());
    Ok(response)
}

#[tokio::test]
async fn a_websocket_that_carries_something_else_is_named() {
    for (frame, expected) in [
        (Frame::binary(&b"HTTP/1.1 502 Bad Gateway\r\n"[..]), "a web server answers here (HTTP 502)"),
        (
            Frame::text("{\"message\": \"Forbidden\"}\n"),
            "a WebSocket text message, \"{\"message\": \"Forbidden\"}\\n\"",
        ),
        (Frame::binary(&b"welcome\r\n"[..]), "the answer is \"welcome\""),
    ] {
        let broker = OddBroker::start().await;
        let mut options = broker.websocket_options();
        options.connect_timeout = LIMIT;
        let connecting = tokio::spawn(Client::connect(options));
        let mut socket = accept_hdr_async(broker.accept().await, subprotocol).await.unwrap();
        assert!(matches!(socket.next().await, Some(Ok(Frame::Binary(_)))), "CONNECT");
        socket.send(frame).await.unwrap();
        let error =
            timeout(LIMIT / 2, connecting).await.expect("the deadline is later").unwrap().unwrap_err();
        let Error::NotMqtt { answer, .. } = &error else { panic!("{error:?}") };
        assert!(answer.to_string().contains(expected), "{answer}");
        drop(socket);
    }
}

/// Accepts a connection and grants all that is asked, until the client disconnects; the sizes of the PUBLISHes.
async fn serve(mut stream: TlsStream<TcpStream>, properties: &[u8]) -> Vec<usize> {
    stream.write_all(&connack(properties)).await.unwrap();
    let mut sizes = Vec::new();
    loop {
        let (first, body, size) = packet(&mut stream).await;
        let answer = match first >> 4 {
            3 => {
                sizes.push(size);
                let topic = usize::from(body[0]) << 8 | usize::from(body[1]);
                match first & 6 {
                    0 => continue,
                    _ => vec![0x40, 2, body[2 + topic], body[3 + topic]],
                }
            }
            8 => vec![0x90, 4, body[0], body[1], 0, 1],
            10 => vec![0xb0, 4, body[0], body[1], 0, 0],
            12 => vec![0xd0, 0],
            _ => return sizes,
        };
        stream.write_all(&answer).await.unwrap();
    }
}

#[track_caller]
fn assert_beyond(outcome: Result<(), Error>, operation: &str, limit: &str) {
    let error = outcome.expect_err("the broker does not take this");
    assert!(matches!(error, Error::BeyondLimit { .. }), "{error:?}");
    let shown = error.to_string();
    assert!(shown.contains(&format!("cannot {operation}: localhost:")) && shown.contains(limit), "{shown}");
}

#[tokio::test]
async fn a_message_beyond_a_limit_fails_by_itself_and_the_queue_goes_on() {
    let broker = OddBroker::start().await;
    // Maximum Packet Size 100, Retain Available 0, neither wildcards nor shared subscriptions.
    let properties = b"\x27\x00\x00\x00\x64\x25\x00\x28\x00\x2a\x00";
    // The limits are known when all of these wait already.
    let (client, mut events) = Client::start(broker.options()).await.unwrap();
    let mut deliveries = Vec::new();
    for payload in [50, 1000, 50] {
        deliveries.push(client.enqueue(Message::new("test/topic", vec![b'x'; payload])).await.unwrap());
    }
    let server = tokio::spawn(async move { serve(broker.connect().await, properties).await });
    let [small, large, next]: [_; 3] = deliveries.try_into().unwrap();
    small.await.unwrap();
    assert_beyond(
        large.await,
        "publish to test/topic",
        "at most 100 bytes (Maximum Packet Size), and this one has 1018",
    );
    next.await.unwrap();
    let mut retained = Message::new("test/topic", "x");
    retained.retain = true;
    assert_beyond(client.publish(retained).await, "publish to test/topic", "Retain Available");
    let subscribe = |filter: &'static str| client.subscribe(filter, QoS::AtLeastOnce);
    assert_beyond(subscribe("test/#").await, "subscribe to test/#", "Wildcard Subscription Available");
    assert_beyond(
        subscribe("$share/g/test").await,
        "subscribe to $share/g/test",
        "Shared Subscription Available",
    );
    subscribe("test/topic").await.unwrap();
    client.unsubscribe("test/topic").await.unwrap();
    client.disconnect().await.unwrap();
    assert_eq!(server.await.unwrap().len(), 2);
    let mut connections = 0;
    while let Some(event) = events.next().await {
        assert!(!matches!(event, Event::Disconnected { .. }), "{event:?}");
        connections += usize::from(matches!(event, Event::Connected { .. }));
    }
    assert_eq!(connections, 1);
}

#[tokio::test]
async fn a_broker_without_qos_1_gets_none() {
    let broker = OddBroker::start().await;
    let options = broker.options();
    let server = tokio::spawn(async move { serve(broker.connect().await, b"\x24\x00").await });
    let (client, _events) = connect(options).await;
    let mut message = Message::new("test/topic", "x");
    assert_beyond(
        client.publish(message.clone()).await,
        "publish to test/topic",
        "QoS 0 at most (Maximum QoS)",
    );
    message.qos = QoS::AtMostOnce;
    client.publish(message).await.unwrap();
    client.disconnect().await.unwrap();
    assert_eq!(server.await.unwrap().len(), 1);
}

/// The client counts the bytes that paho sends.
#[tokio::test]
async fn the_largest_packet_that_the_broker_takes_is_sent() {
    let mut message = Message::new("test/topic", vec![b'x'; 300]);
    message.content_type = Some("text/plain".to_owned());
    message.response_topic = Some("test/answers".to_owned());
    message.correlation_data = Some(vec![0; 90]);
    message.expiry = Some(Duration::from_secs(60));
    message.user_properties = vec![("name".to_owned(), "value".to_owned()); 3];
    let size = publish_to_a_broker_with(message.clone(), 1000, 0).await.expect("it is taken");
    for topic_aliases in [0, 8] {
        // A topic alias would make it larger.
        let largest = publish_to_a_broker_with(message.clone(), size, topic_aliases).await;
        assert_eq!(largest.expect("it is taken"), size);
        let beyond = publish_to_a_broker_with(message.clone(), size - 1, topic_aliases).await;
        assert_beyond(beyond.map(drop), "publish to test/topic", "Maximum Packet Size");
    }
}

/// Publishes to a broker that takes packets of `maximum` bytes; the size of the packet that it got.
async fn publish_to_a_broker_with(message: Message, maximum: usize, aliases: u16) -> Result<usize, Error> {
    let broker = OddBroker::start().await;
    let mut options = broker.options();
    options.topic_aliases = aliases;
    let properties = [&b"\x22\x00\x08\x27"[..], &(maximum as u32).to_be_bytes()].concat();
    let server = tokio::spawn(async move { serve(broker.connect().await, &properties).await });
    let (client, _events) = connect(options).await;
    let outcome = client.publish(message).await;
    client.disconnect().await.unwrap();
    let sizes = server.await.unwrap();
    outcome.map(|()| sizes[0])
}

#[tokio::test]
async fn a_stored_message_beyond_a_limit_fails_and_leaves_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let persistent = |broker: &OddBroker| {
        let mut options = broker.options();
        options.persistence = Some(directory.path().to_owned());
        options.shutdown_timeout = Duration::from_millis(1);
        options
    };
    let small = Message::new("test/topic", "x");
    let large = Message::new("test/topic", vec![b'x'; 1000]);
    // An earlier run leaves two messages.
    let broker = OddBroker::start().await;
    let (client, _events) = Client::start(persistent(&broker)).await.unwrap();
    for message in [&large, &small] {
        client.enqueue(message.clone()).await.unwrap();
    }
    client.disconnect().await.unwrap();
    drop(broker);

    let broker = OddBroker::start().await;
    let options = persistent(&broker);
    let properties = b"\x27\x00\x00\x00\x64";
    let server = tokio::spawn(async move { serve(broker.connect().await, properties).await });
    let (client, _events) = connect(options).await;
    assert_beyond(client.publish(large).await, "publish to test/topic", "Maximum Packet Size");
    client.publish(small).await.unwrap();
    client.disconnect().await.unwrap();
    assert_eq!(server.await.unwrap().len(), 2, "the small ones of both runs");

    let broker = OddBroker::start().await;
    let (client, _events) = Client::start(persistent(&broker)).await.unwrap();
    assert_eq!(client.status().queued, 0, "none is left for later runs");
    client.disconnect().await.unwrap();
}

/// The application counts on its subscriptions: a broker that does not renew one ends the client, as a SUBACK that says
/// so does.
#[tokio::test]
async fn a_subscription_that_a_later_broker_rules_out_ends_the_client() {
    let broker = OddBroker::start().await;
    let options = broker.options();
    let server = tokio::spawn(async move {
        let mut stream = broker.connect().await;
        stream.write_all(&CONNACK).await.unwrap();
        let (_, subscribe, _) = packet(&mut stream).await;
        stream.write_all(&[0x90, 4, subscribe[0], subscribe[1], 0, 1]).await.unwrap();
        drop(stream);
        let mut stream = broker.connect().await;
        stream.write_all(&connack(b"\x28\x00")).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let (client, mut events) = connect(options).await;
    client.subscribe("test/#", QoS::AtLeastOnce).await.unwrap();
    let stopped = stopped(&mut events).await;
    let Error::BeyondLimit { limit, .. } = &*stopped else { panic!("{stopped:?}") };
    assert_eq!(**limit, BrokerLimit::Wildcard);
    server.await.unwrap();
}

/// paho reads past the end of some of these, and takes others for what was asked.
#[tokio::test]
async fn a_malformed_answer_ends_the_connection_as_a_protocol_error() {
    for (answer, problem) in [
        (&[0xb0, 3, 0, 0][..], "UNSUBACK ends within a field"),
        (&[0x90, 3, 0], "SUBACK ends within a field"),
        (&[0x90, 5, 0, 0, 1], "SUBACK has 2 codes for one topic filter"),
        (&[0x90, 4, 0, 3], "SUBACK has the code 0x03"),
        (&[0x40, 6, 0, 2, 0x21, 1], "PUBACK ends within a field"),
        (&[0x40, 6, 0, 2, 1, 0], "PUBACK has a property 0x01"),
    ] {
        let broker = OddBroker::start().await;
        let options = broker.options();
        let server = tokio::spawn(async move {
            let mut stream = broker.connect().await;
            stream.write_all(&CONNACK).await.unwrap();
            let (_, asked, _) = packet(&mut stream).await;
            let [kind, length, rest @ ..] = answer else { unreachable!() };
            // The packet identifier comes behind a PUBLISH's topic.
            let packet_id = if *kind == 0x40 { [asked[3], asked[4]] } else { [asked[0], asked[1]] };
            stream.write_all(&[&[*kind, *length][..], &packet_id, rest].concat()).await.unwrap();
            serve(broker.connect().await, b"").await
        });
        let (client, mut events) = connect(options).await;
        // The next connection repeats the request.
        match answer[0] {
            0x40 => client.publish(Message::new("t", "x")).await.unwrap(),
            0x90 => client.subscribe("t", QoS::AtLeastOnce).await.unwrap(),
            _ => client.unsubscribe("t").await.unwrap(),
        }
        let ended = loop {
            if let Event::Disconnected { error } = next(&mut events).await {
                break error;
            }
        };
        assert!(matches!(*ended, Error::Protocol { .. }), "{ended:?}");
        assert!(chain(&ended).contains(problem), "{}", chain(&ended));
        client.disconnect().await.unwrap();
        server.await.unwrap();
    }
}

#[tokio::test]
async fn the_code_of_a_disconnect_with_malformed_properties_is_told() {
    let broker = OddBroker::start().await;
    let options = broker.options();
    let server = tokio::spawn(async move {
        let mut stream = broker.connect().await;
        stream.write_all(&CONNACK).await.unwrap();
        stream.write_all(&[0xe0, 3, 0x9d, 0x7f, 0x1f]).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let (_client, mut events) = connect(options).await;
    let error = stopped(&mut events).await.to_string();
    assert!(error.contains("server moved"), "{error}");
    server.await.unwrap();
}
