//! The command lines of the documents of the C++ and the Python sample.

use sandbox::{Sandbox, Transport};
use testkit::official;

const BINARY: &str = env!("CARGO_BIN_EXE_pubsub");

/// aws-iot-device-sdk-cpp-v2, samples/mqtt5/mqtt5_pubsub; aws-iot-device-sdk-python-v2, samples/mqtt5_pubsub.md.
const COMMANDS: [&str; 3] = [
    "--endpoint E --cert F --key F --topic T",
    "--endpoint E --cert F --key F --topic T --ca_file F",
    "--endpoint E --cert F --key F --topic T --client_id test-official",
];

#[test]
fn each_command_of_the_documents_runs_as_pasted() {
    let sandbox = Sandbox::start().unwrap();
    for command in COMMANDS {
        println!("{command}");
        // Seconds between its five messages would only cost time.
        let sample = official::sample(BINARY, command, &sandbox).args(["--interval", "0"]);
        let outcome = sample.run().succeeded();
        assert_eq!(outcome.stdout.matches("Received on test/topic: ").count(), 5, "{outcome:#?}");
        assert_eq!(outcome.stderr, "");
        let connection = sandbox.connections().pop().unwrap();
        assert_eq!(connection.transport, Transport::MutualTls);
        let client_id = connection.client_id.unwrap();
        match command.ends_with("test-official") {
            true => assert_eq!(client_id, "test-official"),
            false => assert!(official::is_default_client_id(&client_id), "{client_id}"),
        }
    }
}
