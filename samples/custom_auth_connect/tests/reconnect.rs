//! A connection that comes back is authenticated as the first one was.

use std::time::Duration;

use iot_client::custom_auth::{CustomAuthorizer, SignedToken};
use iot_client::{Auth, Client, ClientOptions, CustomAuthTransport, Event};
use iot_transport::{Endpoint, Roots};
use sandbox::Sandbox;

#[tokio::test]
async fn a_reconnect_authenticates_anew() {
    let sandbox = Sandbox::start().unwrap();
    let example = &sandbox.authorizers().signed;
    for transport in [CustomAuthTransport::Mqtt, CustomAuthTransport::WebSocket] {
        let (value, signature) = (example.token_value.as_str(), example.token_signature.as_str());
        let token = SignedToken::new(&example.token_key_name, value.into(), &signature.into()).unwrap();
        let password = Some(example.password.as_str().into());
        let (name, username) = (Some(example.name.clone()), Some(example.username.clone()));
        let authorizer = CustomAuthorizer::new(name, username, password, Some(token)).unwrap();
        let endpoint = Endpoint::parse(sandbox.endpoint()).unwrap().with_port(sandbox.https_port());
        let auth = Auth::CustomAuthorizer { authorizer, transport };
        let roots = Roots::from_file(sandbox.ca_file());
        let mut options = ClientOptions::new(endpoint, auth, roots, "test-1").unwrap();
        options.reconnect_minimum = Duration::from_millis(50);
        let calls = sandbox.authorizer_calls().len();
        let (client, mut events) = Client::connect(options).await.unwrap();
        // "Server shutting down" (MQTT 5.0 §3.14.2.1): a client may come back.
        assert!(sandbox.disconnect("test-1", 0x8b, None));
        let connected_again = async {
            let mut disconnected = false;
            loop {
                match events.next().await.expect("the client goes on") {
                    Event::Disconnected { .. } => disconnected = true,
                    Event::Connected { .. } if disconnected => break,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), connected_again).await.unwrap();
        assert_eq!(sandbox.authorizer_calls().len(), calls + 2);
        client.disconnect().await.unwrap();
    }
}
