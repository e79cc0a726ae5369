//! The portal of IAM Identity Center.

use sandbox::{CredentialOutcome, Principal};

use crate::support::services::{credentials, get, last_outcome};
use crate::support::signed::connack;
use crate::support::start;

#[test]
fn a_role_is_given_for_the_access_token() {
    let sandbox = start();
    let sso = sandbox.sso();
    let target = format!("/federation/credentials?role_name={}&account_id={}", sso.role_name, sso.account_id);
    let bearer = format!("x-amz-sso_bearer_token: {}\r\n", sso.access_token);
    let answer = get(&sandbox, None, &target, &bearer);
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = &answer.json()["roleCredentials"];
    let left = json["expiration"].as_i64().unwrap() - jiff::Timestamp::now().as_millisecond();
    assert!((3_590_000..=3_600_000).contains(&left), "{left}");
    let credentials = credentials(&sandbox, json, ["accessKeyId", "secretAccessKey", "sessionToken"]);
    assert_eq!(connack(&sandbox, &credentials, "role"), 0);
    assert_eq!(sandbox.connections()[0].principal, Principal::Role);

    let cases = [
        (target.clone(), String::new(), 401, "UnauthorizedException"),
        (target.clone(), bearer.replace(&sso.access_token, "wrong"), 401, "UnauthorizedException"),
        (target.replace("sandbox-role", "admin"), bearer.clone(), 403, "ForbiddenException"),
        (target.replace("123456789012", "210987654321"), bearer.clone(), 403, "ForbiddenException"),
        (target.replace("role_name", "role"), bearer.clone(), 400, "InvalidRequestException"),
    ];
    for (target, headers, status, code) in cases {
        let answer = get(&sandbox, None, &target, &headers);
        assert_eq!((answer.status, answer.header("x-amzn-errortype")), (status, code), "{answer:?}");
        assert!(answer.json()["message"].is_string());
        let refused = CredentialOutcome::Refused { status, error: code.to_owned() };
        assert_eq!(last_outcome(&sandbox), refused);
    }
}
