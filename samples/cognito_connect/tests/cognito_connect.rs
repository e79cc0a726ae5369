//! The sample against a sandbox: guests and authenticated identities, pools, and what Cognito and AWS IoT refuse.

use std::fs;
use std::path::Path;

use sandbox::{Cognito, Principal, Sandbox};
use testkit::policy::{self, Holder};
use testkit::{Sample, readme};

const BINARY: &str = env!("CARGO_BIN_EXE_cognito_connect");

fn cognito_connect(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY)
        .https(sandbox)
        .args(["--region", sandbox.region()])
        .env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &sandbox.cognito().endpoint)
}

fn login(cognito: &Cognito) -> String {
    format!("{}={}", cognito.login_provider, cognito.login_token)
}

/// An authenticated identity.
fn user(sandbox: &Sandbox) -> Sample {
    let cognito = sandbox.cognito();
    cognito_connect(sandbox)
        .args(["--cognito-identity-pool", &cognito.identity_pool_id])
        .env("AWS_IOT_LOGIN", login(cognito))
}

#[test]
fn connects_as_a_guest() {
    let sandbox = Sandbox::start().unwrap();
    let cognito = sandbox.cognito();
    let expected = format!("Connected to localhost:{} as test-1\nDisconnected\n", sandbox.https_port());
    for flags in [
        ["--cognito-identity", &cognito.identity_id],
        ["--cognito_identity", &cognito.identity_id],
        ["--cognito-identity-pool", &cognito.identity_pool_id],
    ] {
        let sample = cognito_connect(&sandbox).args(flags).args(["--client-id", "test-1"]);
        let outcome = sample.run().succeeded();
        assert_eq!(outcome.stdout, expected);
        assert_eq!(outcome.stderr, "");
    }
}

#[test]
fn connects_with_a_login_from_a_flag_a_file_and_the_environment() {
    let sandbox = Sandbox::start().unwrap();
    let cognito = sandbox.cognito();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("{}\n", cognito.login_token)).unwrap();
    let in_file = format!("{}={}", cognito.login_provider, file.path().display());
    for id in [
        ["--cognito-identity-pool", &cognito.identity_pool_id],
        ["--cognito-identity", &cognito.authenticated_identity_id],
    ] {
        let sample = || cognito_connect(&sandbox).args(id);
        sample().args(["--login", &login(cognito)]).run().succeeded();
        sample().args(["--login-file", &in_file]).run().succeeded();
        sample().env("AWS_IOT_LOGIN", login(cognito)).run().succeeded();
    }
}

#[test]
fn the_identity_that_a_pool_gives_is_logged() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = user(&sandbox).args(["--verbosity", "Info"]).run().succeeded();
    assert!(outcome.stderr.contains(&sandbox.cognito().authenticated_identity_id), "{outcome:#?}");
}

#[test]
fn a_pool_and_an_identity_taken_for_each_other_are_named() {
    let sandbox = Sandbox::start().unwrap();
    let cognito = sandbox.cognito();
    let run = |flag, id: &str| cognito_connect(&sandbox).args([flag, id]).run();
    let words = ["no AWS credentials from", "HTTP 400 ResourceNotFoundException", "hint:"];
    let outcome = run("--cognito-identity", &cognito.identity_pool_id);
    outcome.failed(1, &[&words[..], &["use --cognito-identity-pool", &cognito.identity_pool_id]].concat());
    let outcome = run("--cognito-identity-pool", &cognito.identity_id);
    outcome.failed(1, &[&words[..], &["use --cognito-identity;", &cognito.identity_id]].concat());
}

#[test]
fn logins_that_cognito_refuses() {
    let sandbox = Sandbox::start().unwrap();
    let cognito = sandbox.cognito();
    let wrong_token = format!("{}=wrong-login-token", cognito.login_provider);
    let wrong_provider = format!("graph.facebook.com={}", cognito.login_token);
    for login in [&wrong_token, &wrong_provider] {
        let outcome = user(&sandbox).env("AWS_IOT_LOGIN", login).run();
        outcome.failed(1, &["NotAuthorizedException", "hint:", "the provider's name must be the pool's"]);
    }
    // An authenticated identity is not a guest's to use.
    let outcome = cognito_connect(&sandbox).args(["--cognito-identity", &cognito.authenticated_identity_id]);
    outcome.run().failed(1, &["NotAuthorizedException", "hint:", "--login-file"]);
}

#[test]
fn wrong_usage() {
    let sandbox = Sandbox::start().unwrap();
    let cognito = sandbox.cognito();
    cognito_connect(&sandbox).run().failed(2, &["--cognito-identity or --cognito-identity-pool"]);
    let no_id = cognito_connect(&sandbox).args(["--cognito-identity", "us-east-1_aBcDeFgHi"]);
    no_id.run().failed(2, &["<region>:<UUID>"]);
    let both =
        ["--cognito-identity", &cognito.identity_id, "--cognito-identity-pool", &cognito.identity_pool_id];
    cognito_connect(&sandbox).args(both).run().failed(2, &["cannot be used with"]);
    let sample = || cognito_connect(&sandbox).args(["--cognito-identity", &cognito.identity_id]);
    let outcome = sample().args(["--login", "very-secret-token"]).run();
    assert!(!outcome.stderr.contains("very-secret-token"), "{outcome:#?}");
    outcome.failed(2, &["PROVIDER=TOKEN"]);
    sample().args(["--login-file", "provider=missing-file"]).run().failed(1, &["missing-file", "hint:"]);
}

#[test]
fn a_refused_connect_names_the_identity_and_what_to_attach() {
    let sandbox = Sandbox::start().unwrap();
    let cognito = sandbox.cognito();
    let guest = || cognito_connect(&sandbox).args(["--cognito-identity", &cognito.identity_id]);
    for version in ["5", "3.1.1"] {
        let outcome = guest().args(["--client-id", "other-1", "--mqtt-version", version]).run();
        outcome.failed(1, &["other-1", "hint:", "iot:Connect on client/other-1", &cognito.identity_id]);
    }
    sandbox.set_policies(Principal::CognitoIdentity, &[]).unwrap();
    guest().run().succeeded();
    let attach = format!("--target {}", cognito.authenticated_identity_id);
    user(&sandbox).run().failed(1, &["hint:", "aws iot attach-policy", &attach]);
}

#[test]
fn no_secret_reaches_a_log() {
    let sandbox = Sandbox::start().unwrap();
    let cognito = sandbox.cognito();
    let wrong = format!("{}=wrong-login-token", cognito.login_provider);
    for (login, exit) in [(login(cognito), 0), (wrong, 1)] {
        let token = login.split_once('=').map(|(_, token)| token).unwrap();
        let sample = user(&sandbox).env("AWS_IOT_LOGIN", &login).env("RUST_LOG", "trace");
        let outcome = sample.run();
        assert_eq!(outcome.code, Some(exit), "{outcome:#?}");
        assert!(outcome.stderr.contains("TRACE") || outcome.stderr.contains("DEBUG"), "there are logs");
        for hidden in [token, "X-Amz-Signature", "SecretKey", "SessionToken"] {
            assert!(!outcome.stderr.contains(hidden), "{hidden} in {}", outcome.stderr);
        }
    }
}

#[test]
fn the_policy_is_sufficient_and_minimal() {
    let sandbox = Sandbox::start().unwrap();
    let holder = |principal| Holder { principal, actions: None };
    let (role, identity) = (holder(Principal::CognitoRole), holder(Principal::CognitoIdentity));
    policy::are_sufficient_and_minimal(&sandbox, &[role], "cognito_connect", || {
        cognito_connect(&sandbox).args(["--cognito-identity", &sandbox.cognito().identity_id]).run()
    });
    policy::are_sufficient_and_minimal(&sandbox, &[role, identity], "cognito_connect", || {
        user(&sandbox).run()
    });
}

#[test]
fn the_readme_works() {
    let sandbox = Sandbox::start().unwrap();
    readme::commands_work(Path::new(env!("CARGO_MANIFEST_DIR")), "cognito_connect", BINARY, &sandbox);
}
