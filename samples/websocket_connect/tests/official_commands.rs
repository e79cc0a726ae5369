//! The command line of the Node sample's document.

use std::fs;

use sandbox::Sandbox;
use testkit::official;

const BINARY: &str = env!("CARGO_BIN_EXE_websocket_connect");

/// aws-iot-device-sdk-js-v2, samples/node/websocket_connect.
const COMMAND: &str = "--endpoint E --ca_file F --signing_region R";

#[test]
fn the_command_of_the_document_runs_as_pasted_with_credentials_of_the_environment_and_of_files() {
    let sandbox = Sandbox::start().unwrap();
    official::sample(BINARY, COMMAND, &sandbox).run().succeeded();

    let by_file = official::sample(BINARY, COMMAND, &sandbox);
    let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let by_file = names.into_iter().fold(by_file, testkit::Sample::without_env);
    let folder = by_file.home().join(".aws");
    fs::create_dir(&folder).unwrap();
    fs::copy(sandbox.credentials_file(), folder.join("credentials")).unwrap();
    by_file.run().succeeded();

    let connections = sandbox.connections();
    assert_eq!(connections.len(), 2);
    for connection in connections {
        assert_eq!(connection.protocol_level, Some(4), "MQTT 3.1.1");
        let client_id = connection.client_id.unwrap();
        assert!(official::is_default_client_id(&client_id), "{client_id}");
    }
}
