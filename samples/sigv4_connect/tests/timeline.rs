//! `--timeline` of a signed WebSocket: what ran at the same time, where the credentials are from, and no secret.

use sandbox::Sandbox;
use serde_json::Value;
use testkit::{Outcome, Sample};

const BINARY: &str = env!("CARGO_BIN_EXE_sigv4_websocket_connect");

fn sigv4_connect(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY).https(sandbox).args(["--region", sandbox.region(), "--timeline"])
}

fn steps(outcome: &Outcome) -> Vec<Value> {
    let timeline: Value = serde_json::from_str(outcome.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(timeline["event"], "timeline", "{timeline:#}");
    timeline["attempts"][0]["steps"].as_array().unwrap().clone()
}

#[track_caller]
fn step<'a>(steps: &'a [Value], name: &str) -> &'a Value {
    steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no {name} in {steps:#?}"))
}

#[test]
fn shows_each_step_and_no_secret() {
    let sandbox = Sandbox::start().unwrap();
    let keys = sandbox.credentials();
    for flags in [&[][..], &["--json"]] {
        let outcome = sigv4_connect(&sandbox).credentials(keys).args(flags).run().succeeded();
        for secret in [&keys.secret_access_key, &keys.session_token, "X-Amz-"] {
            assert!(!outcome.stdout.contains(secret), "{outcome:#?}");
        }
        if flags.is_empty() {
            let drawn = outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
            let words =
                ["from the default chain: the environment, expiry not stated", "ALPN http/1.1", "HTTP 101"];
            assert!(words.iter().all(|words| drawn.contains(words)), "{}", outcome.stdout);
            continue;
        }
        let steps = steps(&outcome);
        assert_eq!(step(&steps, "credentials")["source"], "the default chain: the environment");
        assert_eq!(step(&steps, "websocket")["status"], 101);
        // They do not wait for each other.
        let number = |name: &str, field: &str| step(&steps, name)[field].as_f64().unwrap();
        // On a busy machine the lookup is over when the credentials' turn comes; TLS takes several.
        let tls_end = number("tls", "begin_ms") + number("tls", "duration_ms");
        assert!(number("credentials", "begin_ms") <= tls_end, "{steps:#?}");
    }
}

#[test]
fn temporary_credentials_expire() {
    let sandbox = Sandbox::start().unwrap();
    let cognito = sandbox.cognito();
    let outcome = sigv4_connect(&sandbox)
        .env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &cognito.endpoint)
        .args(["--cognito-identity", &cognito.identity_id, "--json"])
        .run()
        .succeeded();
    let steps = steps(&outcome);
    let credentials = step(&steps, "credentials");
    assert!(credentials["source"].as_str().is_some_and(|source| source.contains(&cognito.identity_id)));
    assert!(credentials["expires"].as_str().is_some_and(|expires| expires.ends_with('Z')), "{credentials}");
}

#[test]
fn refusals_are_marked() {
    let sandbox = Sandbox::start().unwrap();
    let refused = sigv4_connect(&sandbox)
        .credentials(sandbox.expired_credentials())
        .args(["--json"])
        .run()
        .failed(1, &["HTTP 403"]);
    let upgrade = step(&steps(&refused), "websocket").clone();
    assert_eq!((&upgrade["outcome"], &upgrade["status"]), (&"failed".into(), &403.into()));

    let none = sigv4_connect(&sandbox).args(["--json"]).run().failed(1, &["no AWS credentials"]);
    let credentials = step(&steps(&none), "credentials").clone();
    assert_eq!(credentials["outcome"], "failed", "{none:#?}");
}
