//! The services that give out credentials as other software sees them: the official client's own providers for Cognito
//! and for AWS IoT, and botocore's for STS, SSO, logins, containers and instances. Each time, the official client then signs
//! with what it got.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use sandbox::{CredentialEndpoint, CredentialOutcome, Device, Principal, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::peer::{self, PeerOutcome};

#[test]
fn cognito_gives_the_official_client_a_guest() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = PeerOutcome::of(&mut cognito(&sandbox, &sandbox.cognito().identity_id));
    outcome.heard_itself();
    assert_signed_with_issued(&sandbox, CredentialEndpoint::Cognito, Principal::CognitoRole);
}

#[test]
fn cognito_gives_the_official_client_a_user() {
    let sandbox = Sandbox::start().unwrap();
    let cognito_facts = sandbox.cognito();
    let mut peer = cognito(&sandbox, &cognito_facts.authenticated_identity_id);
    peer.args(["--login", &format!("{}={}", cognito_facts.login_provider, cognito_facts.login_token)]);
    PeerOutcome::of(&mut peer).heard_itself();
    assert_signed_with_issued(&sandbox, CredentialEndpoint::Cognito, Principal::CognitoIdentity);
}

#[test]
fn cognito_refuses_a_pool_for_an_identity_and_a_wrong_login() {
    let sandbox = Sandbox::start().unwrap();
    let facts = sandbox.cognito();
    let pool = cognito(&sandbox, &facts.identity_pool_id);
    let mut login = cognito(&sandbox, &facts.authenticated_identity_id);
    login.args(["--login", &format!("{}=wrong", facts.login_provider)]);
    for (mut peer, error) in [(pool, "ResourceNotFoundException"), (login, "NotAuthorizedException")] {
        let outcome = PeerOutcome::of(&mut peer);
        let failure = outcome.failed_with("connection_failure");
        assert_eq!(failure["error"], "AWS_AUTH_SIGNING_NO_CREDENTIALS", "{outcome}");
        let requests = sandbox.credential_requests();
        let refused = CredentialOutcome::Refused { status: 400, error: error.to_owned() };
        assert_eq!(requests.last().unwrap().outcome, refused);
    }
}

#[test]
fn a_certificate_gives_the_official_client_a_role() {
    let sandbox = Sandbox::start().unwrap();
    PeerOutcome::of(&mut x509(&sandbox, sandbox.device(), "sandbox-thing")).heard_itself();
    assert_signed_with_issued(&sandbox, CredentialEndpoint::CredentialsProvider, Principal::Role);
}

#[test]
fn a_certificate_of_another_thing_is_refused() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = PeerOutcome::of(&mut x509(&sandbox, sandbox.device(), "another-thing"));
    let failure = outcome.failed_with("connection_failure");
    assert_eq!(failure["error"], "AWS_AUTH_SIGNING_NO_CREDENTIALS", "{outcome}");
    let refused = CredentialOutcome::Refused { status: 403, error: "AccessDeniedException".to_owned() };
    assert_eq!(sandbox.credential_requests().last().unwrap().outcome, refused);
}

#[test]
fn expired_credentials_are_refused_before_mqtt() {
    // The official client signs with whatever it was given.
    let sandbox = Sandbox::builder().credentials_lifetime(Duration::ZERO).start().unwrap();
    let outcome = PeerOutcome::of(&mut cognito(&sandbox, &sandbox.cognito().identity_id));
    let failure = outcome.failed_with("connection_failure");
    assert_eq!(failure["error"], "AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE", "{outcome}");
    assert!(sandbox.connections().is_empty());
    // Botocore looks at the time.
    let home = tempfile::tempdir().unwrap();
    assert_no_credentials(&PeerOutcome::of(&mut container(&sandbox, &home)), "still expired");
}

#[test]
fn botocore_takes_a_role_from_sts() {
    let sandbox = Sandbox::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    PeerOutcome::of(&mut sts(&sandbox, &home)).heard_itself();
    assert_signed_with_issued(&sandbox, CredentialEndpoint::Sts, Principal::Role);
    let mut wrong = sts(&sandbox, &home);
    wrong.env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/other");
    assert_no_credentials(&PeerOutcome::of(&mut wrong), "AccessDenied");
}

#[test]
fn botocore_assumes_a_role_with_the_keys_of_a_profile() {
    let sandbox = Sandbox::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let keys = sandbox.credentials();
    let peer = |role_arn: &str| {
        let profile = format!(
            "[default]\nrole_arn = {role_arn}\nsource_profile = base\n[profile base]\naws_access_key_id = {}\n\
             aws_secret_access_key = {}\naws_session_token = {}\n",
            keys.access_key_id, keys.secret_access_key, keys.session_token
        );
        fs::create_dir_all(home.path().join(".aws")).unwrap();
        fs::write(home.path().join(".aws/config"), profile).unwrap();
        let mut peer = botocore(&sandbox, &home);
        peer.env("AWS_ENDPOINT_URL_STS", &sandbox.sts().endpoint);
        PeerOutcome::of(&mut peer)
    };
    peer(&sandbox.sts().role_arn).heard_itself();
    assert_signed_with_issued(&sandbox, CredentialEndpoint::Sts, Principal::Role);
    assert_no_credentials(&peer("arn:aws:iam::123456789012:role/other"), "AccessDenied");
}

#[test]
fn botocore_takes_a_role_from_sso() {
    let sandbox = Sandbox::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    PeerOutcome::of(&mut sso(&sandbox, &home, &sandbox.sso().access_token)).heard_itself();
    assert_signed_with_issued(&sandbox, CredentialEndpoint::Sso, Principal::Role);
    // Its own words for UnauthorizedException.
    let outcome = PeerOutcome::of(&mut sso(&sandbox, &home, "wrong"));
    assert_no_credentials(
        &outcome,
        "session associated with this profile has expired or is otherwise invalid",
    );
}

#[test]
fn botocore_renews_a_login() {
    let sandbox = Sandbox::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    // Its cache of the first renewal serves the second.
    for connections in 1..=2 {
        PeerOutcome::of(&mut login(&sandbox, &home, None)).heard_itself();
        let requests = sandbox.credential_requests();
        assert!(matches!(requests.last().unwrap().outcome, CredentialOutcome::Issued { .. }), "{requests:?}");
        assert_eq!(requests.len(), connections);
    }
    let outcome = PeerOutcome::of(&mut login(&sandbox, &home, Some("wrong")));
    // Its own words for TOKEN_EXPIRED.
    assert_no_credentials(&outcome, "Your session has expired");
}

#[test]
fn botocore_takes_a_role_from_a_container() {
    let sandbox = Sandbox::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    PeerOutcome::of(&mut container(&sandbox, &home)).heard_itself();
    assert_signed_with_issued(&sandbox, CredentialEndpoint::Container, Principal::Role);
    let mut wrong = container(&sandbox, &home);
    wrong.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong");
    assert_no_credentials(&PeerOutcome::of(&mut wrong), "401");
}

#[test]
fn botocore_takes_a_role_from_an_instance() {
    let sandbox = Sandbox::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut peer = botocore(&sandbox, &home);
    peer.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &sandbox.metadata().endpoint);
    PeerOutcome::of(&mut peer).heard_itself();
    assert_signed_with_issued(&sandbox, CredentialEndpoint::InstanceMetadata, Principal::Role);
}

#[test]
fn botocore_is_told_whose_credentials_it_has() {
    let sandbox = Sandbox::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let keys = sandbox.credentials();
    let given = |id: &str, secret: &str, token: &str| {
        let mut peer = peer::caller(&sandbox, home.path());
        peer.env("AWS_ACCESS_KEY_ID", id)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_SESSION_TOKEN", token);
        PeerOutcome::of(&mut peer)
    };
    let outcome = given(&keys.access_key_id, &keys.secret_access_key, &keys.session_token);
    let caller = outcome.succeeded_with("caller");
    assert_eq!(
        (caller["account"].as_str(), caller["arn"].as_str()),
        (Some("123456789012"), Some("arn:aws:iam::123456789012:user/sandbox-user"))
    );

    let facts = sandbox.sts();
    let mut by_role = peer::caller(&sandbox, home.path());
    by_role.env("AWS_ROLE_ARN", &facts.role_arn).env("AWS_ROLE_SESSION_NAME", "botocore-session");
    by_role.env("AWS_WEB_IDENTITY_TOKEN_FILE", &facts.web_identity_token_file);
    let outcome = PeerOutcome::of(&mut by_role);
    let arn = outcome.succeeded_with("caller")["arn"].as_str();
    assert_eq!(arn, Some("arn:aws:sts::123456789012:assumed-role/sandbox-role/botocore-session"));

    let expired = sandbox.expired_credentials();
    for (outcome, code) in [
        (given(&keys.access_key_id, "wrong", &keys.session_token), "SignatureDoesNotMatch"),
        (given("ASIAUNKNOWN", &keys.secret_access_key, &keys.session_token), "InvalidClientTokenId"),
        (given(&keys.access_key_id, &keys.secret_access_key, "wrong"), "InvalidClientTokenId"),
        (given(&expired.access_key_id, &expired.secret_access_key, &expired.session_token), "ExpiredToken"),
    ] {
        let refused = outcome.failed_with("refused");
        assert_eq!((refused["status"].as_u64(), refused["code"].as_str()), (Some(403), Some(code)));
    }
}

/// The last request was to this service, and the one connection is signed with what it issued.
#[track_caller]
fn assert_signed_with_issued(sandbox: &Sandbox, endpoint: CredentialEndpoint, principal: Principal) {
    let requests = sandbox.credential_requests();
    let last = requests.last().unwrap();
    let CredentialOutcome::Issued { access_key_id } = &last.outcome else { panic!("{requests:?}") };
    let connections = sandbox.connections();
    let [connection] = &connections[..] else { panic!("{connections:?}") };
    assert_eq!(
        (last.endpoint, connection.principal, connection.access_key_id.as_ref()),
        (endpoint, principal, Some(access_key_id))
    );
}

/// Botocore says why it has none, before the client connects.
#[track_caller]
fn assert_no_credentials(outcome: &PeerOutcome, words: &str) {
    let error = outcome.failed_with("error");
    assert_eq!(error["step"], "configure", "{outcome}");
    assert!(error["message"].as_str().unwrap().contains(words), "{outcome}");
}

fn signing(sandbox: &Sandbox, credentials: &str) -> Command {
    let mut peer = peer::python(sandbox, "sigv4", sandbox.https_port());
    peer.args(["--region", sandbox.region(), "--credentials", credentials]);
    peer
}

fn cognito(sandbox: &Sandbox, identity: &str) -> Command {
    let mut peer = signing(sandbox, "cognito");
    peer.args(["--identity", identity, "--proxy-port", &port_443(sandbox).to_string()]);
    peer
}

fn x509(sandbox: &Sandbox, device: &Device, thing_name: &str) -> Command {
    let mut peer = signing(sandbox, "x509");
    peer.arg("--cert").arg(&device.cert_file).arg("--key").arg(&device.key_file);
    peer.args(["--thing-name", thing_name, "--role-alias", &sandbox.credentials_provider().role_alias]);
    peer.args(["--proxy-port", &port_443(sandbox).to_string()]);
    peer
}

/// With a home directory in which there is nothing of the user's.
fn botocore(sandbox: &Sandbox, home: &TempDir) -> Command {
    let mut peer = signing(sandbox, "botocore");
    peer.env("HOME", home.path()).env("AWS_CA_BUNDLE", sandbox.ca_file());
    peer.env("AWS_DEFAULT_REGION", sandbox.region());
    peer
}

fn sts(sandbox: &Sandbox, home: &TempDir) -> Command {
    let facts = sandbox.sts();
    let mut peer = botocore(sandbox, home);
    peer.env("AWS_ENDPOINT_URL_STS", &facts.endpoint);
    peer.env("AWS_ROLE_ARN", &facts.role_arn);
    peer.env("AWS_WEB_IDENTITY_TOKEN_FILE", &facts.web_identity_token_file);
    peer
}

/// With the files that `aws configure sso` and `aws sso login` leave.
fn sso(sandbox: &Sandbox, home: &TempDir, access_token: &str) -> Command {
    let facts = sandbox.sso();
    let config = format!(
        "[default]\nsso_session = sandbox\nsso_account_id = {}\nsso_role_name = {}\n\
         [sso-session sandbox]\nsso_region = {}\nsso_start_url = {}\n",
        facts.account_id, facts.role_name, facts.region, facts.start_url
    );
    let token: Value = json!({
        "accessToken": access_token,
        "expiresAt": "2099-01-01T00:00:00Z",
        "region": facts.region,
        "startUrl": facts.start_url,
    });
    let aws = home.path().join(".aws");
    fs::create_dir_all(aws.join("sso/cache")).unwrap();
    fs::write(aws.join("config"), config).unwrap();
    // The SHA-1 of the session's name.
    fs::write(aws.join("sso/cache/9ed037b84943c4caa3a520e48a5540181c46c98c.json"), token.to_string())
        .unwrap();
    let mut peer = botocore(sandbox, home);
    peer.env("AWS_ENDPOINT_URL_SSO", &facts.endpoint);
    peer
}

/// With a profile made by `aws login`, whose credentials have expired.
fn login(sandbox: &Sandbox, home: &TempDir, refresh_token: Option<&str>) -> Command {
    let facts = sandbox.sign_in();
    let aws = home.path().join(".aws");
    fs::create_dir_all(&aws).unwrap();
    fs::write(aws.join("config"), format!("[default]\nlogin_session = {}\n", facts.login_session)).unwrap();
    let mut login: Value = serde_json::from_slice(&fs::read(&facts.cache_file).unwrap()).unwrap();
    login["accessToken"]["expiresAt"] = "2020-01-01T00:00:00Z".into();
    if let Some(refresh_token) = refresh_token {
        login["refreshToken"] = refresh_token.into();
    }
    fs::write(&facts.cache_file, login.to_string()).unwrap();
    let mut peer = botocore(sandbox, home);
    peer.env("AWS_ENDPOINT_URL_SIGNIN", &facts.endpoint);
    peer.env("AWS_LOGIN_CACHE_DIRECTORY", facts.cache_file.parent().unwrap());
    peer
}

fn container(sandbox: &Sandbox, home: &TempDir) -> Command {
    let facts = sandbox.metadata();
    let mut peer = botocore(sandbox, home);
    peer.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &facts.container_credentials_uri);
    peer.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", &facts.container_authorization_token);
    peer
}

/// The port of an HTTP proxy that takes the sandbox's HTTPS port for port 443 of its host. It lives as long as the test's
/// process.
fn port_443(sandbox: &Sandbox) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, https_port) = (listener.local_addr().unwrap().port(), sandbox.https_port());
    thread::spawn(move || {
        for client in listener.incoming() {
            // A client that goes away is the peer's to complain about.
            thread::spawn(move || client.and_then(|client| tunnel(client, https_port)));
        }
    });
    port
}

fn tunnel(mut client: TcpStream, https_port: u16) -> io::Result<()> {
    let mut head = BufReader::new(client.try_clone()?);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if head.read_line(&mut request)? == 0 {
            return Ok(());
        }
    }
    if !request.starts_with("CONNECT localhost:443 ") {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    }
    let mut server = TcpStream::connect(("127.0.0.1", https_port))?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (mut to_client, mut from_server) = (client, server.try_clone()?);
    let back = thread::spawn(move || {
        let copied = io::copy(&mut from_server, &mut to_client);
        to_client.shutdown(Shutdown::Both).and(copied.map(drop))
    });
    io::copy(&mut head, &mut server)?;
    server.shutdown(Shutdown::Write)?;
    // A panic was printed on its thread.
    back.join().unwrap_or(Ok(()))
}
