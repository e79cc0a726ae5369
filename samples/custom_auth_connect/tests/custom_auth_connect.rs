//! The sample against a sandbox: both kinds of authorizer by both transports, and each of their refusals.

use std::fs;
use std::path::Path;
use std::process::Command;

use sandbox::{
    Authorizer, AuthorizerExample, Principal, Sandbox, SignedAuthorizerExample, TokenSigning, Transport,
};
use testkit::{Outcome, Sample, policy, readme};

const BINARY: &str = env!("CARGO_BIN_EXE_custom_auth_connect");

const TRANSPORTS: [&[&str]; 2] = [&[], &["--websocket"]];
const VERSIONS: [&str; 2] = ["5", "3.1.1"];

fn custom_auth_connect(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY).https(sandbox)
}

fn unsigned(sample: Sample, example: &AuthorizerExample) -> Sample {
    sample
        .args(["--authorizer-name", &example.name, "--auth-username", &example.username])
        .env("AWS_IOT_AUTH_PASSWORD", &example.password)
}

/// What the signed authorizer looks at, except for the token.
fn named(sandbox: &Sandbox) -> Sample {
    let signed = &sandbox.authorizers().signed;
    custom_auth_connect(sandbox)
        .args(["--authorizer-name", &signed.name, "--auth-username", &signed.username])
        .env("AWS_IOT_AUTH_PASSWORD", &signed.password)
}

fn with_token(sample: Sample, signed: &SignedAuthorizerExample, signature: &str) -> Sample {
    sample
        .args(["--auth-token-key-name", &signed.token_key_name])
        .env("AWS_IOT_AUTH_TOKEN_VALUE", &signed.token_value)
        .env("AWS_IOT_AUTH_SIGNATURE", signature)
}

fn signed(sandbox: &Sandbox) -> Sample {
    let signed = &sandbox.authorizers().signed;
    with_token(named(sandbox), signed, &signed.token_signature)
}

fn encoded(text: &str) -> String {
    text.replace('%', "%25").replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

#[test]
fn connects_unsigned_and_signed_by_both_transports_and_versions() {
    let sandbox = Sandbox::start().unwrap();
    let expected = format!("Connected to localhost:{} as test-1\nDisconnected\n", sandbox.https_port());
    let mut how = Vec::new();
    for transport in TRANSPORTS {
        for version in VERSIONS {
            for sample in
                [unsigned(custom_auth_connect(&sandbox), &sandbox.authorizers().unsigned), signed(&sandbox)]
            {
                let flags = ["--client-id", "test-1", "--mqtt-version", version];
                let outcome = sample.args(transport).args(flags).run().succeeded();
                assert_eq!((outcome.stdout, outcome.stderr), (expected.clone(), String::new()));
                how.push(match transport.is_empty() {
                    true => (Transport::Tls, Some("mqtt"), if version == "5" { 5 } else { 4 }),
                    false => (Transport::WebSocket, Some("http/1.1"), if version == "5" { 5 } else { 4 }),
                });
            }
        }
    }
    let connections = sandbox.connections();
    let seen: Vec<_> = connections
        .iter()
        .map(|c| (c.transport, c.alpn.as_deref(), c.protocol_level.unwrap_or_default()))
        .collect();
    assert_eq!(seen, how);
    assert!(connections.iter().all(|c| c.principal == Principal::Authorizer && c.connack == Some(0)));
    assert!(connections.iter().all(|c| c.clean_disconnect && c.amz_date.is_none()));
    let calls = sandbox.authorizer_calls();
    assert_eq!(calls.len(), 8);
    let verified = |call: &sandbox::AuthorizerCall| call.input["signatureVerified"] == true;
    assert_eq!(calls.iter().filter(|call| verified(call)).count(), 4);
    // Over WebSocket, too, all of it is in CONNECT.
    assert!(calls.iter().all(|call| call.input["protocolData"]["http"]["queryString"].is_null()));
}

#[test]
fn secrets_come_from_flags_files_or_the_environment_under_any_name() {
    let sandbox = Sandbox::start().unwrap();
    let example = &sandbox.authorizers().signed;
    let flags = |[name, user, password, key, value, signature]: [&str; 6]| {
        custom_auth_connect(&sandbox)
            .args([name, &example.name, user, &example.username, password, &example.password])
            .args([key, &example.token_key_name, value, &example.token_value])
            .args([signature, &example.token_signature])
    };
    let ours = [
        "--authorizer-name",
        "--auth-username",
        "--auth-password",
        "--auth-token-key-name",
        "--auth-token-value",
        "--auth-signature",
    ];
    let official = [
        "--custom_auth_authorizer_name",
        "--custom_auth_username",
        "--custom_auth_password",
        "--custom_auth_token_name",
        "--custom_auth_token_value",
        "--custom_auth_authorizer_signature",
    ];
    flags(ours).run().succeeded();
    flags(official).run().succeeded();
    // A flag wins over the environment.
    flags(ours).env("AWS_IOT_AUTH_PASSWORD", "wrong").run().succeeded();

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    // In lines, as `openssl base64` writes it.
    let lines: Vec<_> = example.token_signature.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let files = [
        ["--auth-password-file", &file("password", &format!("{}\n", example.password))],
        ["--auth-token-value-file", &file("token", &format!("{}\r\n", example.token_value))],
        ["--auth-signature-file", &file("signature", &format!("{}\n", lines.join("\n")))],
    ];
    custom_auth_connect(&sandbox)
        .args(["--authorizer-name", &example.name, "--auth-username", &example.username])
        .args(["--auth-token-key-name", &example.token_key_name])
        .args(files.concat())
        .run()
        .succeeded();
    named(&sandbox)
        .args(["--auth-password-file", "missing-file"])
        .run()
        .failed(1, &["cannot read the password of the custom authorizer missing-file", "hint:"]);
}

#[test]
fn a_signature_passes_in_the_forms_that_people_have_it_in() {
    let sandbox = Sandbox::start().unwrap();
    let example = &sandbox.authorizers().signed;
    let raw = &example.token_signature;
    for signature in [raw.clone(), encoded(raw), encoded(raw).replace("%2F", "/"), format!(" {raw}\n")] {
        with_token(named(&sandbox), example, &signature).run().succeeded();
    }
    let connections = sandbox.connections().len();
    for (signature, words) in [
        (encoded(&encoded(raw)), "the token signature was URI-encoded twice"),
        (raw[..raw.len() - 1].to_owned(), "the token signature is not base64"),
        (raw.replacen('+', "%2B", 1).replacen('/', "+", 1), "URI-encoded only in part"),
    ] {
        with_token(named(&sandbox), example, &signature).run().failed(2, &[words]);
    }
    assert_eq!(sandbox.connections().len(), connections, "none of these connected");
}

#[test]
fn what_cannot_work_is_refused_before_connecting() {
    let sandbox = Sandbox::start().unwrap();
    let key = ["--auth-token-key-name", "k"];
    let value = ("AWS_IOT_AUTH_TOKEN_VALUE", "v");
    let signature = ("AWS_IOT_AUTH_SIGNATURE", "abcd");
    let incomplete = "a signed token is incomplete without";
    let with = |(name, value): (&str, &str)| named(&sandbox).env(name, value);
    for (sample, missing) in [
        (named(&sandbox).args(key), "--auth-token-value-file"),
        (named(&sandbox).args(key), "--auth-signature-file"),
        (with(value), "--auth-token-key-name"),
        (with(signature), "--auth-token-key-name"),
        (with(value).args(key), "without its signature"),
        (with(signature).args(key), "without the token"),
        (with(value).env(signature.0, signature.1), "without --auth-token-key-name"),
    ] {
        sample.run().failed(2, &[incomplete, missing]);
    }
    let value = ["--auth-token-value", "a&b", "--auth-signature", "abcd"];
    named(&sandbox).args(key).args(value).run().failed(2, &["token value holds &", "URI-encode"]);
    let both = ["--auth-password", "a", "--auth-password-file", "b"];
    named(&sandbox).args(both).run().failed(2, &["cannot be used with"]);
    let sample = Sample::new(BINARY).args(["--endpoint", "localhost", "--port", "8883"]);
    sample.args(["--authorizer-name", "a"]).run().failed(1, &["8883", "client certificates only", "443"]);
    assert!(sandbox.connections().is_empty());
}

#[test]
fn refusals_name_what_to_check() {
    let sandbox = Sandbox::start().unwrap();
    let authorizers = sandbox.authorizers();
    let example = &authorizers.signed;
    let user = |name: &str| {
        let mut authorizer = Authorizer::new(name);
        authorizer.users.insert("alice".to_owned(), "secret".to_owned());
        authorizer
    };
    let inactive = Authorizer { active: false, ..user("inactive") };
    let denying = user("denying");
    for authorizer in [inactive, denying] {
        sandbox.set_authorizer(authorizer).unwrap();
    }
    let other_signature = {
        let (start, rest) = example.token_signature.split_at(1);
        format!("{}{rest}", if start == "A" { "B" } else { "A" })
    };
    let alice = |name: &str| {
        custom_auth_connect(&sandbox)
            .args(["--authorizer-name", name, "--auth-username", "alice"])
            .env("AWS_IOT_AUTH_PASSWORD", "secret")
    };
    let unsigned = || unsigned(custom_auth_connect(&sandbox), &authorizers.unsigned);
    let refused: [(&str, &dyn Fn() -> Sample); 9] = [
        ("wrong password", &|| unsigned().env("AWS_IOT_AUTH_PASSWORD", "wrong")),
        ("no password", &|| unsigned().env("AWS_IOT_AUTH_PASSWORD", "")),
        ("wrong signature", &|| with_token(named(&sandbox), example, &other_signature)),
        ("no token", &|| named(&sandbox)),
        ("another token", &|| signed(&sandbox).env("AWS_IOT_AUTH_TOKEN_VALUE", "other")),
        ("unknown authorizer", &|| alice("unknown")),
        ("inactive authorizer", &|| alice("inactive")),
        // Its answer has no policy.
        ("the answer allows nothing", &|| alice("denying")),
        ("no authorizer and no default", &|| Sample::new(BINARY).https(&sandbox)),
    ];
    for transport in TRANSPORTS {
        for version in VERSIONS {
            for (what, sample) in refused {
                let flags = ["--mqtt-version", version, "--client-id", "test-1"];
                let outcome = sample().args(transport).args(flags).run();
                println!("{what} over {transport:?}, MQTT {version}: {outcome:?}");
                let code = if version == "5" { "0x87" } else { "0x05" };
                let hint =
                    ["hint: check in this order", "iot:Connect on client/test-1", "test-invoke-authorizer"];
                outcome.failed(1, &[&["not authorized", code], &hint[..]].concat());
            }
        }
    }
    // This one asks for a client certificate, whatever its number.
    let wrong_port = Sample::new(BINARY).mqtt(&sandbox).args(["--authorizer-name", "a"]).run();
    wrong_port.failed(1, &["rejected the client certificate", "hint:", "custom authorizers on 443"]);
    let elsewhere = unsigned().args(["--client-id", "other-1"]).run();
    elsewhere.failed(1, &["not authorized", "iot:Connect on client/other-1"]);
}

#[test]
fn a_dry_run_shows_all_but_the_secrets_without_a_network() {
    let endpoint = "a1b2c3d4e5f6g7-ats.iot.eu-west-1.amazonaws.com";
    let run = |flags: &[&str]| {
        Sample::new(BINARY)
            .args([
                "--endpoint",
                endpoint,
                "--dry-run",
                "--authorizer-name",
                "mine",
                "--auth-username",
                "alice",
            ])
            .args(["--client-id", "test-1"])
            .args(flags)
            .env("AWS_IOT_AUTH_PASSWORD", "hush-password")
            .run()
            .succeeded()
            .stdout
    };
    let token = ["--auth-token-key-name", "k", "--auth-token-value", "hush", "--auth-signature", "+/+/"];
    assert_eq!(
        run(&token),
        format!(
            "TLS to {endpoint}:443, ALPN mqtt\nCONNECT of MQTT 5, client ID: test-1\n\
             CONNECT user name: alice?x-amz-customauthorizer-name=mine&k=…&x-amz-customauthorizer-signature=…\n\
             CONNECT password: set\n"
        )
    );
    let websocket = run(&["--websocket", "--mqtt-version", "3.1.1"]);
    assert!(websocket.contains("ALPN http/1.1\nWebSocket upgrade: GET /mqtt\nCONNECT of MQTT 3.1.1"));
    let json = run(&[&token[..], &["--json"]].concat());
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&plan["event"], &plan["alpn"], &plan["has_password"]),
        (&"plan".into(), &"mqtt".into(), &true.into())
    );
    assert!(!json.contains("hush") && !json.contains("%2B"), "{json}");
}

#[test]
fn the_policy_is_sufficient_and_minimal() {
    let sandbox = Sandbox::start().unwrap();
    policy::is_sufficient_and_minimal(&sandbox, Principal::Authorizer, "custom_auth_connect", || {
        signed(&sandbox).run()
    });
}

/// What the README has people do with openssl makes a key and a token that the sandbox takes.
#[test]
fn the_readme_s_token_is_signed_as_it_must_be() {
    let sandbox = Sandbox::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let commands = readme::commands(&text);
    let signing = commands
        .iter()
        .filter(|command| ["openssl ", "printf "].iter().any(|tool| command.starts_with(tool)));
    let mut count = 0;
    for command in signing {
        Outcome::of(Command::new("sh").args(["-ec", command]).current_dir(&folder)).succeeded();
        count += 1;
    }
    assert_eq!(count, 4, "key, public key, token, signature");

    let file = |name: &str| folder.path().join(name);
    let public_key = fs::read_to_string(file("authorizer.pub.pem")).unwrap();
    let mut authorizer = Authorizer::new("my-authorizer");
    authorizer.signing = Some(TokenSigning { token_key_name: "my-token".to_owned(), public_key });
    authorizer.users.insert("alice".to_owned(), "secret".to_owned());
    authorizer.policy_documents =
        vec![fs::read_to_string(testkit::workspace().join("policies/custom_auth_connect.json")).unwrap()];
    sandbox.set_authorizer(authorizer).unwrap();
    custom_auth_connect(&sandbox)
        .args([
            "--authorizer-name",
            "my-authorizer",
            "--auth-token-key-name",
            "my-token",
            "--auth-username",
            "alice",
        ])
        .args(["--auth-token-value-file".as_ref(), file("token.txt").as_os_str()])
        .args(["--auth-signature-file".as_ref(), file("signature.txt").as_os_str()])
        .env("AWS_IOT_AUTH_PASSWORD", "secret")
        .run()
        .succeeded();
}

#[test]
fn the_readme_works() {
    let sandbox = Sandbox::start().unwrap();
    readme::commands_work(Path::new(env!("CARGO_MANIFEST_DIR")), "custom_auth_connect", BINARY, &sandbox);
}
