//! MQTT over a signed WebSocket.

use sandbox::{Credentials, Sandbox};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::support::mqtt::Connect;
use crate::support::signer::Signer;
use crate::support::tls::{Answer, Options, Tls, connect, http};

pub(crate) fn open(sandbox: &Sandbox, signer: &Signer) -> WebSocket<Tls> {
    let mut request = format!("wss://{}{}", signer.host, signer.target()).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "mqtt".parse().unwrap());
    let tls = connect(&Options::https(sandbox)).unwrap();
    let (socket, response) = tungstenite::client(request, tls).unwrap();
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "mqtt");
    socket
}

pub(crate) fn receive(socket: &mut WebSocket<Tls>) -> Vec<u8> {
    loop {
        if let Message::Binary(bytes) = socket.read().unwrap() {
            return bytes.to_vec();
        }
    }
}

/// The answer to an upgrade that is signed with these credentials.
pub(crate) fn upgrade(sandbox: &Sandbox, credentials: &Credentials) -> Answer {
    http(sandbox, &Signer { credentials: credentials.clone(), ..Signer::new(sandbox) }.request())
}

/// Opens a WebSocket with these credentials and connects; the reason code of the CONNACK.
pub(crate) fn connack(sandbox: &Sandbox, credentials: &Credentials, client_id: &str) -> u8 {
    let mut socket = open(sandbox, &Signer { credentials: credentials.clone(), ..Signer::new(sandbox) });
    socket.send(Message::binary(Connect::v5(client_id).packet())).unwrap();
    receive(&mut socket)[3]
}
