//! The metadata services of EC2 and of containers.

use std::time::{Duration, Instant};

use sandbox::{CredentialEndpoint, Principal, Sandbox};

use crate::support::services::{credentials, in_an_hour, metadata};
use crate::support::signed::connack;
use crate::support::{builder, start};

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const NAMES: [&str; 3] = ["AccessKeyId", "SecretAccessKey", "Token"];

/// A header with a session token of IMDSv2.
fn session(sandbox: &Sandbox, seconds: &str) -> String {
    let headers = format!("X-aws-ec2-metadata-token-ttl-seconds: {seconds}\r\n");
    let answer = metadata(sandbox, "PUT", "/latest/api/token", &headers);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-aws-ec2-metadata-token-ttl-seconds"), seconds);
    format!("X-aws-ec2-metadata-token: {}\r\n", answer.body)
}

#[test]
fn an_instance_gets_its_role() {
    let sandbox = start();
    let session = session(&sandbox, "60");
    for path in [ROLES, ROLES.trim_end_matches('/')] {
        let answer = metadata(&sandbox, "GET", path, &session);
        assert_eq!((answer.status, answer.body.as_str()), (200, "sandbox-role"));
    }
    let answer = metadata(&sandbox, "GET", &format!("{ROLES}sandbox-role"), &session);
    let json = answer.json();
    assert_eq!((answer.status, &json["Code"], &json["Type"]), (200, &"Success".into(), &"AWS-HMAC".into()));
    assert!(in_an_hour(json["Expiration"].as_str().unwrap()));
    assert_eq!(connack(&sandbox, &credentials(&sandbox, &json, NAMES), "instance"), 0);
    assert_eq!(sandbox.connections()[0].principal, Principal::Role);
    assert_eq!(sandbox.credential_requests().len(), 4);
}

#[test]
fn an_instance_needs_a_session_token() {
    let sandbox = start();
    let valid = session(&sandbox, "21600");
    let role = format!("{ROLES}sandbox-role");
    let extended = "/latest/meta-data/iam/security-credentials-extended/";
    let ttl = |seconds: &str| format!("X-aws-ec2-metadata-token-ttl-seconds: {seconds}\r\n");
    let forwarded = format!("{}X-Forwarded-For: 10.0.0.1\r\n", ttl("60"));
    let cases = [
        ("GET", ROLES, String::new(), 401),
        ("GET", &role, String::new(), 401),
        ("GET", &role, "X-aws-ec2-metadata-token: wrong\r\n".to_owned(), 401),
        ("GET", "/latest/meta-data/iam/security-credentials/other", valid.clone(), 404),
        ("GET", extended, valid.clone(), 404),
        ("GET", "/", valid.clone(), 404),
        ("PUT", &role, valid.clone(), 405),
        ("GET", "/latest/api/token", ttl("60"), 405),
        ("PUT", "/latest/api/token", String::new(), 400),
        ("PUT", "/latest/api/token", ttl("0"), 400),
        ("PUT", "/latest/api/token", ttl("21601"), 400),
        ("PUT", "/latest/api/token", forwarded, 403),
    ];
    for (method, path, headers, status) in cases {
        let answer = metadata(&sandbox, method, path, &headers);
        assert_eq!(answer.status, status, "{method} {path} {answer:?}");
    }
}

/// The path of the URI that is given for it.
fn container_path(sandbox: &Sandbox) -> &str {
    let metadata = sandbox.metadata();
    metadata.container_credentials_uri.strip_prefix(&metadata.endpoint).unwrap()
}

#[test]
fn a_container_gets_its_role_by_its_token() {
    let sandbox = start();
    let token = &sandbox.metadata().container_authorization_token;
    let path = container_path(&sandbox);
    let answer = metadata(&sandbox, "GET", path, &format!("Authorization: {token}\r\n"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    assert!(in_an_hour(json["Expiration"].as_str().unwrap()));
    assert_eq!(json["RoleArn"], sandbox.sts().role_arn.as_str());
    assert_eq!(connack(&sandbox, &credentials(&sandbox, &json, NAMES), "container"), 0);

    for headers in
        [String::new(), "Authorization: wrong\r\n".to_owned(), format!("Authorization: Bearer {token}\r\n")]
    {
        let answer = metadata(&sandbox, "GET", path, &headers);
        assert_eq!((answer.status, &answer.json()["code"]), (401, &"UnauthorizedException".into()));
        assert!(!answer.body.contains(token));
    }
    assert!(
        sandbox.credential_requests().iter().all(|asked| asked.endpoint == CredentialEndpoint::Container)
    );
}

#[test]
fn answers_can_be_slow() {
    let delay = Duration::from_millis(150);
    let sandbox = builder().metadata_delay(delay).start().unwrap();
    let start = Instant::now();
    metadata(&sandbox, "GET", container_path(&sandbox), "");
    assert!(start.elapsed() >= delay);
    let start = Instant::now();
    session(&sandbox, "60");
    assert!(start.elapsed() >= delay);
}
