//! The sample with one way to set it up each.

use std::fs;

use sandbox::Sandbox;
use testkit::{Outcome, Sample};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_sigv4_websocket_connect");
pub(crate) const SSO_URL: &str = "https://sso.example.com/start";
/// The SHA-1 of that URL, which names the file that a login leaves.
pub(crate) const SSO_LOGIN: &str = "9ad544bfa11b39c042ecaec2e1b51e4dfb5ec648";

pub(crate) fn sigv4_connect(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY).https(sandbox).args(["--region", sandbox.region()]).env("RUST_LOG", "trace")
}

/// Writes `~/.aws/config`.
pub(crate) fn with_config(sample: Sample, config: &str) -> Sample {
    let folder = sample.home().join(".aws");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config"), config).unwrap();
    sample
}

pub(crate) fn web_identity(sandbox: &Sandbox) -> Sample {
    let sts = sandbox.sts();
    sigv4_connect(sandbox)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &sts.web_identity_token_file)
        .env("AWS_ROLE_ARN", &sts.role_arn)
}

/// A profile of IAM Identity Center with a login; `more` are further settings of it.
pub(crate) fn sso(sandbox: &Sandbox, more: &str) -> Sample {
    let sso = sandbox.sso();
    let profile = format!(
        "[default]\nsso_start_url = {SSO_URL}\nsso_region = {}\nsso_account_id = {}\nsso_role_name = {}\n{more}",
        sso.region, sso.account_id, sso.role_name
    );
    let sample = with_config(sigv4_connect(sandbox), &profile);
    let cache = sample.home().join(".aws/sso/cache");
    fs::create_dir_all(&cache).unwrap();
    let login = format!(
        r#"{{"startUrl":"{SSO_URL}","region":"{}","accessToken":"{}","expiresAt":"2099-01-01T00:00:00Z"}}"#,
        sso.region, sso.access_token
    );
    fs::write(cache.join(format!("{SSO_LOGIN}.json")), login).unwrap();
    sample
}

pub(crate) fn cognito(sandbox: &Sandbox) -> Sample {
    sigv4_connect(sandbox).args(["--cognito-identity", &sandbox.cognito().identity_id])
}

/// A role that the sandbox's credentials are traded for; `more` are further settings of the profile.
pub(crate) fn role(sandbox: &Sandbox, arn: &str, more: &str) -> Sample {
    let keys = sandbox.credentials();
    let profile = format!(
        "[default]\nrole_arn = {arn}\nsource_profile = base\n{more}[profile base]\naws_access_key_id = {}\n\
         aws_secret_access_key = {}\naws_session_token = {}\n",
        keys.access_key_id, keys.secret_access_key, keys.session_token
    );
    with_config(sigv4_connect(sandbox), &profile)
}

#[track_caller]
pub(crate) fn hides(outcome: &Outcome, sandbox: &Sandbox) {
    let token = fs::read_to_string(&sandbox.sts().web_identity_token_file).unwrap();
    let keys = sandbox.credentials();
    let secrets = [token.trim(), &sandbox.sso().access_token, &keys.secret_access_key, &keys.session_token];
    for secret in secrets.into_iter().chain(["HttpRequest", "SdkError", "panicked"]) {
        let hidden = !outcome.stderr.contains(secret) && !outcome.stdout.contains(secret);
        assert!(hidden, "{secret} in {outcome:#?}");
    }
}

#[track_caller]
pub(crate) fn refuses(sandbox: &Sandbox, sample: Sample, words: &[&str]) {
    let outcome = sample.run();
    hides(&outcome, sandbox);
    outcome.failed(1, &[&["no AWS credentials from ", "hint:"], words].concat());
}
