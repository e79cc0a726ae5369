//! The command lines of the C++ sample's document, and what it says of them.

use std::fs;

use sandbox::{CredentialEndpoint, Principal, Sandbox, Transport};
use testkit::{Mosquitto, Sample, official};

const BINARY: &str = env!("CARGO_BIN_EXE_socks5_connect");

/// aws-crt-cpp, bin/mqtt5_socks5_app: "MQTT5 SOCKS5 Example over WebSockets with IAM".
const COMMANDS: [&str; 6] = [
    "--broker-host E --websocket --region R --credential-source environment",
    "--broker-host E --websocket --region R --credential-source profile --profile P --config-file F \
     --credentials-file F",
    "--broker-host E --websocket --region R --credential-source static --access-key A --secret-key S \
     --session-token T",
    "--broker-host E --websocket --region R --proxy socks5h://HOST:1080",
    // By its section on options.
    "--broker-host E --websocket --region R",
    "--broker-host E --websocket --region R --ca-file F --verbose",
];

/// The same document, without the session token, which it calls optional.
const NO_TOKEN: &str = "--broker-host E --websocket --region R --credential-source static --access-key AKIDEXAMPLE \
                        --secret-key unchecked";

#[test]
fn each_command_of_the_document_runs_as_pasted() {
    let sandbox = Sandbox::start().unwrap();
    for command in COMMANDS {
        println!("{command}");
        let before = sandbox.proxied().len();
        let outcome = official::sample(BINARY, command, &sandbox).run().succeeded();
        assert!(outcome.stdout.ends_with("Disconnected\n"), "{outcome:#?}");
        let connection = sandbox.connections().pop().unwrap();
        assert_eq!(connection.transport, Transport::WebSocket);
        assert_eq!(connection.access_key_id.as_ref(), Some(&sandbox.credentials().access_key_id));
        assert!(official::is_default_client_id(&connection.client_id.unwrap()));
        let proxied = sandbox.proxied().len() - before;
        assert_eq!(proxied, usize::from(command.contains("--proxy")));
        assert_eq!(outcome.stderr.matches("no proxy is in use").count(), 1 - proxied, "{outcome:#?}");
    }
}

#[test]
fn each_command_runs_in_snake_case() {
    let sandbox = Sandbox::start().unwrap();
    for command in COMMANDS {
        let words = command.split(' ').map(|word| match word.strip_prefix("--") {
            Some(name) => format!("--{}", name.replace('-', "_")),
            None => word.to_owned(),
        });
        let command = words.collect::<Vec<_>>().join(" ");
        println!("{command}");
        official::sample(BINARY, &command, &sandbox).run().succeeded();
    }
}

#[test]
fn the_session_token_is_optional() {
    // A broker that does not look at the signature: those of the sandbox are of temporary credentials.
    let broker = Mosquitto::start();
    let sample = Sample::new(BINARY)
        .args(NO_TOKEN.replace(" E ", " localhost ").replace(" R ", " us-east-1 ").split_whitespace())
        .args(["--broker-port", &broker.websocket_port().to_string()])
        .args(["--ca-file".into(), broker.file("ca.pem")]);
    sample.run().succeeded();
}

#[test]
fn the_default_chain_is_environment_profile_containers_and_ec2() {
    let sandbox = Sandbox::start().unwrap();
    let metadata = sandbox.metadata();
    let bare = |command: &str| {
        let sample = official::sample(BINARY, command, &sandbox);
        let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
        names.into_iter().fold(sample, Sample::without_env)
    };
    for command in [COMMANDS[4], &format!("{} --credential-source default-chain", COMMANDS[4])] {
        official::sample(BINARY, command, &sandbox).run().succeeded();

        let by_file = bare(command);
        let folder = by_file.home().join(".aws");
        fs::create_dir(&folder).unwrap();
        fs::copy(sandbox.credentials_file(), folder.join("credentials")).unwrap();
        by_file.run().succeeded();

        let in_container = bare(command)
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata.container_credentials_uri)
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", &metadata.container_authorization_token);
        in_container.run().succeeded();
        let on_instance = bare(command)
            .without_env("AWS_EC2_METADATA_DISABLED")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.endpoint);
        on_instance.run().succeeded();

        bare(command).run().failed(1, &["no AWS credentials from the default chain", "hint:"]);
    }
    let asked: Vec<_> = sandbox.credential_requests().iter().map(|request| request.endpoint).collect();
    for endpoint in [CredentialEndpoint::Container, CredentialEndpoint::InstanceMetadata] {
        assert!(asked.contains(&endpoint), "{asked:?}");
    }
}

#[test]
fn a_source_is_known_in_any_case() {
    let sandbox = Sandbox::start().unwrap();
    let command = COMMANDS[0].replace("environment", "Environment");
    official::sample(BINARY, &command, &sandbox).run().succeeded();
}

#[test]
fn websocket_needs_a_region_even_where_one_is_to_be_known() {
    let sandbox = Sandbox::start().unwrap();
    for endpoint in ["E", "a1b2c3-ats.iot.us-east-1.amazonaws.com"] {
        let command = format!("--broker-host {endpoint} --websocket");
        let sample = official::sample(BINARY, &command, &sandbox).env("AWS_REGION", sandbox.region());
        sample.run().failed(2, &["--websocket needs --region"]);
    }
}

#[test]
fn the_port_is_443_with_websocket_and_8883_without() {
    let sandbox = Sandbox::start().unwrap();
    let sample = || {
        // The proxy tells the port. Nothing there is a broker that is trusted.
        let broker = ["--broker-host", "localhost", "--proxy", &sandbox.proxies().socks5];
        Sample::new(BINARY).args(broker).credentials(sandbox.credentials()).device(sandbox.device())
    };
    let websocket = sample().args(["--websocket", "--region", sandbox.region()]);
    websocket.run().failed(1, &["localhost:443"]);
    sample().run().failed(1, &["localhost:8883"]);
    let targets: Vec<_> = sandbox.proxied().into_iter().map(|proxied| proxied.target).collect();
    assert_eq!(targets, ["localhost:443", "localhost:8883"]);
}

#[test]
fn a_certificate_is_ignored_with_websocket() {
    let sandbox = Sandbox::start().unwrap();
    for files in ["--cert F --key F", "--cert /nowhere --key /nowhere", "--key /nowhere"] {
        let command = format!("{} {files}", COMMANDS[0]);
        let outcome = official::sample(BINARY, &command, &sandbox).run().succeeded();
        let flag = files.split(' ').next().unwrap();
        assert!(outcome.stderr.contains(&format!("{flag} is ignored")), "{outcome:#?}");
        assert_eq!(sandbox.connections().pop().unwrap().principal, Principal::Iam);
    }
}
