//! The command lines of the Swift sample's document.

use sandbox::Sandbox;
use testkit::official;

const BINARY: &str = env!("CARGO_BIN_EXE_sigv4_websocket_connect");

/// aws-iot-device-sdk-swift, Samples/Sigv4WebsocketConnect.
const COMMANDS: [&str; 4] = [
    "--endpoint E --region R",
    "--endpoint E --region R --access-key A --secret S --session-token T",
    "--endpoint E --region R --client-id test-swift",
    "--endpoint E --region R --client_id test-swift",
];

#[test]
fn each_command_of_the_document_runs_as_pasted() {
    let sandbox = Sandbox::start().unwrap();
    for command in COMMANDS {
        println!("{command}");
        let outcome = official::sample(BINARY, command, &sandbox).run().succeeded();
        assert_eq!(outcome.stderr, "");
        let connection = sandbox.connections().pop().unwrap();
        assert_eq!(connection.access_key_id.as_ref(), Some(&sandbox.credentials().access_key_id));
        let client_id = connection.client_id.unwrap();
        match command.ends_with("test-swift") {
            true => assert_eq!(client_id, "test-swift"),
            false => assert!(official::is_default_client_id(&client_id), "{client_id}"),
        }
    }
}
