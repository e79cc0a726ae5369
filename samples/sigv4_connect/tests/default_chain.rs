//! Each source of the AWS SDK's default chain, set up as on AWS and answered by the sandbox; and what each refuses.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use sandbox::{CredentialEndpoint, Sandbox};
use serde_json::Value;
use testkit::{Outcome, Running, Sample, Signal};

const BINARY: &str = env!("CARGO_BIN_EXE_sigv4_websocket_connect");

/// What every refusal says: the layer, and what to do.
const WORDS: [&str; 2] = ["no AWS credentials from the default chain", "hint:"];

fn sigv4_connect(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY).https(sandbox).args(["--region", sandbox.region()]).env("RUST_LOG", "trace")
}

/// Requires success, by that endpoint, with none of `secrets` in the log.
#[track_caller]
fn connects(sandbox: &Sandbox, endpoint: CredentialEndpoint, sample: Sample, secrets: &[&str]) {
    let outcome = sample.run().succeeded();
    assert!(outcome.stdout.ends_with("Disconnected\n"), "{outcome:#?}");
    hides(&outcome, secrets);
    let requests = sandbox.credential_requests();
    assert!(requests.iter().any(|request| request.endpoint == endpoint), "{requests:#?}");
    assert!(sandbox.connections().iter().all(|one| one.access_key_id.is_some()));
}

#[track_caller]
fn refuses(sample: Sample, words: &[&str], secrets: &[&str]) {
    let outcome = sample.run();
    hides(&outcome, secrets);
    outcome.failed(1, &[&WORDS, words].concat());
}

#[track_caller]
fn hides(outcome: &Outcome, secrets: &[&str]) {
    assert!(outcome.stderr.contains("DEBUG"), "there are logs: {outcome:#?}");
    for secret in secrets.iter().chain(&["X-Amz-Signature", "SecretAccessKey", "secretAccessKey"]) {
        assert!(!outcome.stderr.contains(secret), "{secret} in {}", outcome.stderr);
    }
}

#[test]
fn web_identity() {
    let sandbox = Sandbox::start().unwrap();
    let sts = sandbox.sts();
    let sample = |token_file: &Path| {
        sigv4_connect(&sandbox)
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", token_file)
            .env("AWS_ROLE_ARN", &sts.role_arn)
            .env("AWS_ENDPOINT_URL_STS", &sts.endpoint)
    };
    let token = fs::read_to_string(&sts.web_identity_token_file).unwrap();
    connects(&sandbox, CredentialEndpoint::Sts, sample(&sts.web_identity_token_file), &[token.trim()]);

    let wrong = tempfile::NamedTempFile::new().unwrap();
    fs::write(wrong.path(), "wrong-web-identity-token").unwrap();
    refuses(
        sample(wrong.path()),
        &["AWS STS", "InvalidIdentityToken", "AWS_ROLE_ARN"],
        &["wrong-web-identity-token"],
    );
    refuses(sample(Path::new("/nowhere/token")), &["AWS_WEB_IDENTITY_TOKEN_FILE"], &[]);
    let role = "arn:aws:iam::123456789012:role/another";
    refuses(sample(&sts.web_identity_token_file).env("AWS_ROLE_ARN", role), &["AccessDenied"], &[]);
    // The SDK's own settings hold for the chain: FIPS and an endpoint of one's own exclude each other, and a
    // configuration file names one as well as the environment.
    let fips = sample(&sts.web_identity_token_file).env("AWS_USE_FIPS_ENDPOINT", "true");
    refuses(fips, &["FIPS and custom endpoint are not supported"], &[]);
    let by_file = with_config(
        sample(&sts.web_identity_token_file).without_env("AWS_ENDPOINT_URL_STS"),
        &format!("[default]\nservices = local\n[services local]\nsts =\n  endpoint_url = {}\n", sts.endpoint),
    );
    connects(&sandbox, CredentialEndpoint::Sts, by_file, &[]);
}

/// Writes `~/.aws/config`.
fn with_config(sample: Sample, config: &str) -> Sample {
    let folder = sample.home().join(".aws");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config"), config).unwrap();
    sample
}

#[test]
fn credential_process() {
    let sandbox = Sandbox::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, body: &str| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    };
    let sample = |script: &Path| {
        with_config(
            sigv4_connect(&sandbox),
            &format!("[default]\ncredential_process = {}\n", script.display()),
        )
    };
    let keys = sandbox.credentials();
    let good = script(
        "good",
        &format!(
            r#"printf '{{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"%s","SessionToken":"%s"}}' '{}' '{}' '{}'"#,
            keys.access_key_id, keys.secret_access_key, keys.session_token
        ),
    );
    let secrets = [keys.secret_access_key.as_str(), &keys.session_token];
    let outcome = sample(&good).run().succeeded();
    hides(&outcome, &secrets);

    let failing = script("failing", "echo 'the vault is sealed' >&2; exit 3");
    refuses(sample(&failing), &["the vault is sealed", "credential_process"], &secrets);
    let garbled = script("garbled", "echo 'very-secret-garbage'");
    refuses(sample(&garbled), &["credential_process"], &["very-secret-garbage"]);
}

/// Profile `default` with a command that hangs. It writes its process numbers to `started`.
fn with_hanging_process(sample: Sample, folder: &Path) -> Sample {
    let (started, config_file) = (folder.join("started"), folder.join("config"));
    let command = "sleep 1000 & echo $! $$ > FILE; wait".replace("FILE", started.to_str().unwrap());
    fs::write(&config_file, format!("[default]\ncredential_process = {command}\n")).unwrap();
    sample.env("AWS_CONFIG_FILE", config_file)
}

#[test]
fn an_interrupted_attempt_ends_the_credential_process() {
    let sandbox = Sandbox::start().unwrap();
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("started");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let sample =
            with_hanging_process(sigv4_connect(&sandbox), folder.path()).args(["--connect-timeout", "600"]);
        let mut running = Running::new(sample.spawn());
        running.hears("running credential_process of profile \"default\"");
        let processes = fs::read_to_string(fifo).unwrap();
        running.signal(signal);
        running.outcome().failed(1, &["Error: interrupted"]);
        have_ended(&processes);
    }
}

/// Requires two processes, and waits for their end: SIGKILL takes effect later than `kill` returns.
#[track_caller]
fn have_ended(processes: &str) {
    assert_eq!(processes.split_whitespace().count(), 2);
    let limit = Instant::now() + Duration::from_secs(60);
    for process in processes.split_whitespace() {
        loop {
            let ps = Command::new("ps").args(["-o", "stat=", "-p", process]).output().unwrap();
            let state = String::from_utf8(ps.stdout).unwrap();
            if state.is_empty() || state.starts_with('Z') {
                break;
            }
            assert!(Instant::now() < limit, "{process}: {state}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn an_attempt_that_times_out_ends_the_credential_process() {
    let sandbox = Sandbox::start().unwrap();
    // A busy machine may not have started the command within the time-out.
    for timeout in ["1", "5", "30", "120"] {
        let folder = tempfile::tempdir().unwrap();
        let sample = with_hanging_process(sigv4_connect(&sandbox), folder.path());
        let outcome = sample.args(["--connect-timeout", timeout]).run();
        let words = format!("within {timeout} s: waiting for AWS credentials");
        outcome.failed(1, &[&words, "the profile's credential_process"]);
        let processes = fs::read_to_string(folder.path().join("started")).unwrap_or_default();
        if !processes.is_empty() {
            return have_ended(&processes);
        }
    }
    panic!("the command has not started");
}

#[test]
fn a_credential_process_may_ask_on_the_terminal() {
    let sandbox = Sandbox::start().unwrap();
    let keys = sandbox.credentials();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("with-mfa");
    let body = format!(
        "exec </dev/tty\nstty -echo\nprintf 'MFA code: ' >/dev/tty\nread -r code\nstty echo\n[ \"$code\" = 123456 ] && \
         printf '{{\"Version\":1,\"AccessKeyId\":\"{}\",\"SecretAccessKey\":\"{}\",\"SessionToken\":\"{}\"}}'\n",
        keys.access_key_id, keys.secret_access_key, keys.session_token
    );
    fs::write(&script, body).unwrap();
    let config = format!("[default]\ncredential_process = sh {}\n", script.display());
    let sample = || with_config(sigv4_connect(&sandbox), &config);
    sample().answer("MFA code: ", "123456").succeeded();
    let wrong = sample().answer("MFA code: ", "654321");
    wrong.failed(1, &["credential_process of profile \"default\" failed (exit status: 1)", "by hand"]);
}

#[test]
fn sso() {
    let sandbox = Sandbox::start().unwrap();
    let sso = sandbox.sso();
    let account = format!("sso_account_id = {}\nsso_role_name = {}\n", sso.account_id, sso.role_name);
    // The login's token is in a file named by the SHA-1 of the session's name, in older profiles of the start URL.
    let url = "https://sso.example.com/start";
    let (session_file, url_file) =
        ("9ed037b84943c4caa3a520e48a5540181c46c98c", "9ad544bfa11b39c042ecaec2e1b51e4dfb5ec648");
    let session = format!(
        "[default]\nsso_session = sandbox\n{account}[sso-session sandbox]\nsso_region = {}\nsso_start_url = {url}\n",
        sso.region
    );
    let legacy = format!("[default]\nsso_start_url = {url}\nsso_region = {}\n{account}", sso.region);
    let sample = |config: &str, file: &str, token: &str, expires: &str| {
        let sample = with_config(sigv4_connect(&sandbox), config).env("AWS_ENDPOINT_URL_SSO", &sso.endpoint);
        let cache = sample.home().join(".aws/sso/cache");
        fs::create_dir_all(&cache).unwrap();
        let login = format!(
            r#"{{"startUrl":"{url}","region":"{}","accessToken":"{token}","expiresAt":"{expires}"}}"#,
            sso.region
        );
        fs::write(cache.join(format!("{file}.json")), login).unwrap();
        sample
    };
    let later = "2099-01-01T00:00:00Z";
    for (config, file) in [(&session, session_file), (&legacy, url_file)] {
        let good = sample(config, file, &sso.access_token, later);
        connects(&sandbox, CredentialEndpoint::Sso, good, &[&sso.access_token]);
        let wrong = sample(config, file, "wrong-access-token", later);
        refuses(wrong, &["UnauthorizedException", "SSO"], &["wrong-access-token"]);
        let expired = sample(config, file, &sso.access_token, "2020-01-01T00:00:00Z");
        refuses(expired, &["expired", "SSO"], &[&sso.access_token]);
    }
    let none = sample(&session, url_file, &sso.access_token, later);
    let words = format!("cannot read {}/.aws/sso/cache/{session_file}.json: ", none.home().display());
    refuses(none, &["there is no valid login", &words, "hint: run `aws sso login`"], &[&sso.access_token]);
}

/// A profile made by `aws login`, whose cached login is the sandbox's as `change` makes it.
fn with_login(sandbox: &Sandbox, change: impl FnOnce(&mut Value)) -> Sample {
    let sign_in = sandbox.sign_in();
    let config = format!("[default]\nlogin_session = {}\n", sign_in.login_session);
    let sample =
        with_config(sigv4_connect(sandbox), &config).env("AWS_ENDPOINT_URL_SIGNIN", &sign_in.endpoint);
    let mut login: Value = serde_json::from_slice(&fs::read(&sign_in.cache_file).unwrap()).unwrap();
    change(&mut login);
    let cache = sample.home().join(".aws/login/cache");
    fs::create_dir_all(&cache).unwrap();
    fs::write(cache.join(sign_in.cache_file.file_name().unwrap()), login.to_string()).unwrap();
    sample
}

fn expire(login: &mut Value) {
    login["accessToken"]["expiresAt"] = "2020-01-01T00:00:00Z".into();
}

#[test]
fn a_login_is_used_while_it_lasts_and_then_renewed() {
    let sandbox = Sandbox::start().unwrap();
    let login = fs::read_to_string(&sandbox.sign_in().cache_file).unwrap();
    let login: Value = serde_json::from_str(&login).unwrap();
    let text = |name: &str| login[name].as_str().unwrap();
    let secrets = [text("refreshToken"), text("dpopKey").lines().nth(1).unwrap()];

    let outcome = with_login(&sandbox, |_| ()).run().succeeded();
    hides(&outcome, &secrets);
    assert!(sandbox.credential_requests().is_empty(), "it has 15 minutes left");

    // In the folder that the sandbox made, so that what is renewed is there for the next run.
    let cache_file = &sandbox.sign_in().cache_file;
    for _ in 0..2 {
        let mut login: Value = serde_json::from_slice(&fs::read(cache_file).unwrap()).unwrap();
        expire(&mut login);
        fs::write(cache_file, login.to_string()).unwrap();
        let sample = with_login(&sandbox, |_| ());
        let sample = sample.env("AWS_LOGIN_CACHE_DIRECTORY", cache_file.parent().unwrap());
        connects(&sandbox, CredentialEndpoint::SignIn, sample, &secrets);
        let renewed: Value = serde_json::from_slice(&fs::read(cache_file).unwrap()).unwrap();
        assert_ne!(renewed["refreshToken"], login["refreshToken"], "each refresh token is good once");
    }
    assert_eq!(sandbox.credential_requests().len(), 2);
}

#[test]
fn a_login_that_has_ended_is_refused() {
    let sandbox = Sandbox::start().unwrap();
    let stranger = Sandbox::start().unwrap();
    let others: Value = serde_json::from_slice(&fs::read(&stranger.sign_in().cache_file).unwrap()).unwrap();
    let used = with_login(&sandbox, |login| {
        expire(login);
        login["refreshToken"] = "used-refresh-token".into();
    });
    refuses(used, &["AccessDeniedException", "has expired", "run `aws login`"], &["used-refresh-token"]);
    let another_key = with_login(&sandbox, |login| {
        expire(login);
        login["dpopKey"] = others["dpopKey"].clone();
    });
    refuses(another_key, &["ValidationException", "another key", "run `aws login`"], &[]);
    let none = with_login(&sandbox, |_| ()).env("AWS_LOGIN_CACHE_DIRECTORY", "/nowhere");
    refuses(none, &["cannot read /nowhere/", "run `aws login`"], &[]);
    let damaged = with_login(&sandbox, |login| {
        login.as_object_mut().unwrap().remove("dpopKey");
    });
    refuses(damaged, &["missing field `dpopKey`", "run `aws login`"], &[]);
    let empty = with_login(&sandbox, |_| ()).env("AWS_LOGIN_CACHE_DIRECTORY", "");
    refuses(empty, &["AWS_LOGIN_CACHE_DIRECTORY is set but empty"], &[]);
}

#[test]
fn a_login_is_sent_to_no_endpoint_that_is_to_be_ignored() {
    let sandbox = Sandbox::start().unwrap();
    let sample = || with_login(&sandbox, expire).env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    refuses(sample(), &["AWS_ENDPOINT_URL_SIGNIN cannot be ignored", "`aws login`"], &[]);
    let general = || {
        sample().without_env("AWS_ENDPOINT_URL_SIGNIN").env("AWS_ENDPOINT_URL", &sandbox.sign_in().endpoint)
    };
    refuses(general(), &["AWS_ENDPOINT_URL cannot be ignored"], &[]);
    refuses(general().env("AWS_ENDPOINT_URL", ""), &["AWS_ENDPOINT_URL is set but empty: unset it"], &[]);
    assert!(sandbox.credential_requests().is_empty());
    // The SDK does not look at the general variable then.
    let own = with_login(&sandbox, expire).env("AWS_ENDPOINT_URL", "");
    connects(&sandbox, CredentialEndpoint::SignIn, own, &[]);
}

#[test]
fn a_login_is_renewed_by_the_settings_of_the_environment() {
    let sandbox = Sandbox::start().unwrap();
    let sample = || with_login(&sandbox, expire);
    let fips = sample().env("AWS_USE_FIPS_ENDPOINT", "true");
    refuses(fips, &["FIPS and custom endpoint are not supported"], &[]);
    let dual_stack = sample().env("AWS_USE_DUALSTACK_ENDPOINT", "true");
    refuses(dual_stack, &["Dualstack and custom endpoint are not supported"], &[]);
    refuses(sample().env("AWS_MAX_ATTEMPTS", "0"), &["AWS_MAX_ATTEMPTS \"0\" is n"], &[]);
    assert!(sandbox.credential_requests().is_empty());
}

#[test]
fn a_role_is_assumed_with_a_login() {
    let sandbox = Sandbox::start().unwrap();
    let (session, sts) = (&sandbox.sign_in().login_session, sandbox.sts());
    let role = format!("role_arn = {}\nrole_session_name = by-login", sts.role_arn);
    for config in [
        format!("[default]\n{role}\nsource_profile = me\n[profile me]\nlogin_session = {session}\n"),
        format!("[default]\n{role}\nsource_profile = default\nlogin_session = {session}\n"),
    ] {
        let sample = with_config(with_login(&sandbox, |_| ()), &config);
        connects(&sandbox, CredentialEndpoint::Sts, sample.env("AWS_ENDPOINT_URL_STS", &sts.endpoint), &[]);
    }
}

/// The first line that a proxy is sent, for a host that cannot be reached.
fn asked_of_proxy(sample: Sample) -> String {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let url = format!("http://{address}");
    let sample = sample.without_env("AWS_ENDPOINT_URL_SIGNIN").env("AWS_MAX_ATTEMPTS", "1");
    let sample = sample.env("HTTPS_PROXY", &url).env("NO_PROXY", "localhost");
    let (outcome, line) = thread::scope(|scope| {
        let outcome = scope.spawn(|| {
            let outcome = sample.run();
            // The wait for a connection ends with the sample.
            let _ = TcpStream::connect(address);
            outcome
        });
        let (mut client, _) = proxy.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line).unwrap();
        let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        drop((client, proxy));
        (outcome.join().unwrap(), line)
    });
    outcome.failed(1, &["no AWS credentials", "proxy"]);
    line
}

#[test]
fn a_login_is_renewed_in_its_own_region() {
    let sandbox = Sandbox::start().unwrap();
    let expired = |region: &'static str| {
        with_login(&sandbox, |login| {
            expire(login);
            login["signInRegion"] = region.into();
        })
    };
    for (sample, region) in [(expired("eu-west-3"), "eu-west-3"), (expired(""), sandbox.region())] {
        let asked = asked_of_proxy(sample);
        assert!(asked.starts_with(&format!("CONNECT {region}.signin.aws.amazon.com:443 ")), "{asked}");
    }
    let sample = expired("");
    let config =
        format!("[default]\nregion = eu-south-1\nlogin_session = {}\n", sandbox.sign_in().login_session);
    let asked = asked_of_proxy(with_config(sample, &config));
    assert!(asked.starts_with("CONNECT eu-south-1.signin."), "{asked}");
}

#[test]
fn containers() {
    let sandbox = Sandbox::start().unwrap();
    let metadata = sandbox.metadata();
    let sample = |token: &str| {
        sigv4_connect(&sandbox)
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata.container_credentials_uri)
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", token)
    };
    let token = metadata.container_authorization_token.as_str();
    connects(&sandbox, CredentialEndpoint::Container, sample(token), &[token]);
    refuses(sample("wrong-token"), &["401", "AWS_CONTAINER_AUTHORIZATION_TOKEN"], &["wrong-token"]);
}

#[test]
fn ec2_metadata() {
    let sandbox = Sandbox::start().unwrap();
    let sample = |endpoint: &str| {
        sigv4_connect(&sandbox)
            .without_env("AWS_EC2_METADATA_DISABLED")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
    };
    let endpoint = sandbox.metadata().endpoint.as_str();
    connects(&sandbox, CredentialEndpoint::InstanceMetadata, sample(endpoint), &[]);
    // A service that answers 404, and a machine that is not an instance.
    refuses(
        sample(&format!("{endpoint}/no-such-path")),
        &["the EC2 metadata service failed", "AWS_EC2_METADATA_SERVICE_ENDPOINT"],
        &[],
    );
    refuses(sample("http://127.0.0.1:1"), &["AWS_ACCESS_KEY_ID"], &[]);
}

#[test]
fn a_profile_that_does_not_exist_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let sample = |name: &str| sigv4_connect(&sandbox).env("AWS_PROFILE", name);
    refuses(sample("no-such-profile"), &["AWS_PROFILE names the profile \"no-such-profile\": "], &[]);
    refuses(
        sample(""),
        &["none of its sources is set up", "the profile: the AWS configuration files define no"],
        &[],
    );
}

#[test]
fn an_empty_profile_variable_counts_as_unset() {
    let sandbox = Sandbox::start().unwrap();
    let keys = sandbox.credentials();
    let config = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        keys.access_key_id, keys.secret_access_key, keys.session_token
    );
    with_config(sigv4_connect(&sandbox), &config).env("AWS_PROFILE", "").run().succeeded();
    with_config(sigv4_connect(&sandbox), &config).args(["--profile", ""]).run().succeeded();
}
