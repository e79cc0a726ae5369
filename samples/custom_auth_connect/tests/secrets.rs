//! No password, token or signature reaches a log, however much of it there is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sandbox::Sandbox;
use testkit::Sample;

const BINARY: &str = env!("CARGO_BIN_EXE_custom_auth_connect");

/// The forms in which a dump of bytes could show `secret`.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let joined = |format: fn(&u8) -> String, separator: &str| {
        bytes.iter().map(format).collect::<Vec<_>>().join(separator)
    };
    let mut forms = vec![
        secret.to_owned(),
        secret.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
        hex::encode(bytes),
        hex::encode_upper(bytes),
        joined(|byte| format!("{byte:02x}"), " "),
        joined(|byte| format!("{byte:#04x}"), ", "),
        joined(|byte| format!("{byte:x}"), ", "),
        joined(u8::to_string, ", "),
        // One to a line, as `{:#?}` has it.
        joined(|byte| format!("{byte}"), ",\n"),
    ];
    // In base64 the same bytes have three forms, as they begin; the characters at the edges belong to their neighbours.
    for before in 0..3 {
        let shifted = [&[0; 2][..before], bytes].concat();
        let text = STANDARD_NO_PAD.encode(shifted);
        forms.push(text[4..text.len() - 4].to_owned());
    }
    forms
}

#[test]
fn no_secret_reaches_a_log() {
    let sandbox = Sandbox::start().unwrap();
    let example = &sandbox.authorizers().signed;
    let secrets = [&example.password, &example.token_value, &example.token_signature];
    let mut logged = 0;
    for transport in [&[][..], &["--websocket"]] {
        for version in ["5", "3.1.1"] {
            for (password, exit) in [(example.password.as_str(), 0), ("hush-wrong-password", 1)] {
                for filter in ["trace", "trace,tungstenite::protocol=trace,paho_mqtt::async_client=trace"] {
                    let outcome = Sample::new(BINARY)
                        .https(&sandbox)
                        .args(["--authorizer-name", &example.name, "--auth-username", &example.username])
                        .args(["--auth-token-key-name", &example.token_key_name, "--verbose"])
                        .args(["--auth-password", password, "--auth-token-value", &example.token_value])
                        .args(["--auth-signature", &example.token_signature, "--mqtt-version", version])
                        .args(transport)
                        .env("RUST_LOG", filter)
                        // The C library's own trace.
                        .env("MQTT_C_CLIENT_TRACE", "ON")
                        .env("MQTT_C_CLIENT_TRACE_LEVEL", "MAXIMUM")
                        .run();
                    assert_eq!(outcome.code, Some(exit), "{outcome:#?}");
                    assert!(outcome.stderr.contains("TRACE"), "there are logs");
                    let output = outcome.stdout + &outcome.stderr;
                    for form in secrets.iter().flat_map(|secret| forms(secret)).chain(forms(password)) {
                        assert!(
                            !output.contains(&form),
                            "{form} with {transport:?}, MQTT {version}: {output}"
                        );
                    }
                    logged += output.len();
                }
            }
        }
    }
    assert!(logged > 10_000, "{logged} bytes of logs");
}

/// As with every other variable.
#[test]
fn an_empty_rust_log_is_one_that_is_not_set() {
    let sample = || Sample::new(BINARY).args(["--endpoint", "127.0.0.1", "--dry-run"]).env("RUST_LOG", "");
    assert!(sample().run().succeeded().stderr.contains("WARN"));
    assert!(sample().args(["--verbose"]).run().succeeded().stderr.contains("DEBUG"));
    assert_eq!(sample().args(["--verbosity", "None"]).run().succeeded().stderr, "");
}

#[test]
fn the_forms_are_found_where_they_are() {
    let secret = "hush-password";
    let frame = [b"\x10\x20abc".as_slice(), secret.as_bytes(), b"rest"].concat();
    let dumps = [
        String::from_utf8_lossy(&frame).into_owned(),
        hex::encode(&frame),
        format!("{frame:?}"),
        format!("{frame:x?}"),
        STANDARD_NO_PAD.encode(&frame),
        STANDARD_NO_PAD.encode(&frame[1..]),
        STANDARD_NO_PAD.encode(&frame[2..]),
    ];
    for dump in dumps {
        assert!(forms(secret).iter().any(|form| dump.contains(form)), "{dump}");
    }
}
