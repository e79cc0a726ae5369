//! Cognito identity pools.

use sandbox::{CredentialEndpoint, CredentialOutcome, Credentials, Principal, Sandbox};
use serde_json::{Value, json};

use crate::support::services::{credentials, last_outcome, post};
use crate::support::signed::connack;
use crate::support::tls::Answer;
use crate::support::{policy, start};

fn call(sandbox: &Sandbox, operation: &str, body: &Value) -> Answer {
    let headers = format!(
        "X-Amz-Target: AWSCognitoIdentityService.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n"
    );
    post(sandbox, &headers, &body.to_string())
}

fn login(sandbox: &Sandbox) -> Value {
    json!({ &sandbox.cognito().login_provider: sandbox.cognito().login_token })
}

fn credentials_for(sandbox: &Sandbox, body: &Value) -> Credentials {
    let answer = call(sandbox, "GetCredentialsForIdentity", body);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["IdentityId"], body["IdentityId"]);
    let json = &answer.json()["Credentials"];
    let left = json["Expiration"].as_f64().unwrap() - jiff::Timestamp::now().as_duration().as_secs_f64();
    assert!((3590.0..=3600.0).contains(&left), "{left}");
    credentials(sandbox, json, ["AccessKeyId", "SecretKey", "SessionToken"])
}

#[test]
fn a_guest_gets_credentials_that_open_a_websocket() {
    let sandbox = start();
    let identity = json!({ "IdentityId": sandbox.cognito().identity_id });
    let credentials = credentials_for(&sandbox, &identity);
    let access_key_id = credentials.access_key_id.clone();
    assert_eq!(last_outcome(&sandbox), CredentialOutcome::Issued { access_key_id: access_key_id.clone() });
    assert_eq!(connack(&sandbox, &credentials, "guest"), 0);
    let connection = &sandbox.connections()[0];
    assert_eq!(connection.principal, Principal::CognitoRole);
    assert_eq!(connection.access_key_id, Some(access_key_id));
    // Each request is answered by new ones.
    assert_ne!(credentials_for(&sandbox, &identity), credentials);
    assert!(sandbox.credential_requests().iter().all(|asked| asked.endpoint == CredentialEndpoint::Cognito));
}

#[test]
fn a_pool_gives_each_guest_an_identity_and_a_user_always_the_same() {
    let sandbox = start();
    let pool = &sandbox.cognito().identity_pool_id;
    let identity = |body: Value| {
        let answer = call(&sandbox, "GetId", &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["IdentityId"].as_str().unwrap().to_owned()
    };
    let (first, second) = (
        identity(json!({ "IdentityPoolId": pool })),
        identity(json!({ "IdentityPoolId": pool, "Logins": {} })),
    );
    assert_ne!(first, second);
    assert_eq!(last_outcome(&sandbox), CredentialOutcome::Answered);
    for guest in [first, second] {
        let credentials = credentials_for(&sandbox, &json!({ "IdentityId": guest }));
        assert_eq!(connack(&sandbox, &credentials, "guest"), 0);
    }
    for _ in 0..2 {
        let user = identity(json!({ "IdentityPoolId": pool, "Logins": login(&sandbox) }));
        assert_eq!(user, sandbox.cognito().authenticated_identity_id);
    }
}

#[test]
fn for_a_user_the_role_and_the_identity_have_to_allow() {
    let sandbox = start();
    let identity_id = &sandbox.cognito().authenticated_identity_id;
    let credentials =
        credentials_for(&sandbox, &json!({ "IdentityId": identity_id, "Logins": login(&sandbox) }));
    let allow = [policy(&[("Allow", "Connect", "client/user")])];
    sandbox.set_policies(Principal::CognitoRole, &allow).unwrap();
    sandbox.set_policies(Principal::CognitoIdentity, &[]).unwrap();
    assert_eq!(connack(&sandbox, &credentials, "user"), 0x87);
    sandbox.set_policies(Principal::CognitoIdentity, &allow).unwrap();
    assert_eq!(connack(&sandbox, &credentials, "user"), 0);
    assert_eq!(sandbox.connections()[1].principal, Principal::CognitoIdentity);
    sandbox.set_policies(Principal::CognitoRole, &[]).unwrap();
    assert_eq!(connack(&sandbox, &credentials, "user"), 0x87);
}

#[test]
fn the_identity_is_a_policy_variable() {
    let sandbox = start();
    let identity_id = &sandbox.cognito().identity_id;
    let own = [policy(&[("Allow", "Connect", "client/${cognito-identity.amazonaws.com:sub}")])];
    sandbox.set_policies(Principal::CognitoRole, &own).unwrap();
    let credentials = credentials_for(&sandbox, &json!({ "IdentityId": identity_id }));
    assert_eq!(connack(&sandbox, &credentials, identity_id), 0);
    assert_eq!(connack(&sandbox, &credentials, "another"), 0x87);
    // Without an identity the variable has no value.
    sandbox.set_policies(Principal::Iam, &own).unwrap();
    assert_eq!(connack(&sandbox, sandbox.credentials(), identity_id), 0x87);
}

#[test]
fn refusals_are_those_of_aws() {
    let sandbox = start();
    let cognito = sandbox.cognito();
    let (guest, user, pool) =
        (&cognito.identity_id, &cognito.authenticated_identity_id, &cognito.identity_pool_id);
    let wrong = json!({ &cognito.login_provider: "wrong" });
    let stranger = json!({ "login.example.org": cognito.login_token });
    let not_found = format!("Identity '{pool}' not found.");
    let forbidden = format!("Access to Identity '{user}' is forbidden.");
    let credentials = "GetCredentialsForIdentity";
    let cases = [
        (credentials, json!({ "IdentityId": pool }), "ResourceNotFoundException", not_found.as_str()),
        (credentials, json!({ "IdentityId": user }), "NotAuthorizedException", &forbidden),
        (
            credentials,
            json!({ "IdentityId": user, "Logins": &wrong }),
            "NotAuthorizedException",
            "Invalid login token. ",
        ),
        (
            credentials,
            json!({ "IdentityId": user, "Logins": &stranger }),
            "NotAuthorizedException",
            "Token is not from a supported provider",
        ),
        (
            credentials,
            json!({ "IdentityId": guest, "Logins": login(&sandbox) }),
            "NotAuthorizedException",
            "Logins don't match.",
        ),
        (credentials, json!({ "IdentityId": "guest" }), "ValidationException", "'guest' at 'identityId'"),
        (credentials, json!({}), "ValidationException", "Value null at 'identityId'"),
        (credentials, json!({ "IdentityId": 1 }), "SerializationException", "no valid JSON"),
        ("GetId", json!({ "IdentityPoolId": guest }), "ResourceNotFoundException", "IdentityPool '"),
        (
            "GetId",
            json!({ "IdentityPoolId": pool, "Logins": &wrong }),
            "NotAuthorizedException",
            "Invalid login token. ",
        ),
        ("ListIdentityPools", json!({}), "UnknownOperationException", ""),
    ];
    for (operation, body, code, words) in cases {
        let answer = call(&sandbox, operation, &body);
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.header("x-amzn-errortype"), format!("{code}:"));
        assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1");
        assert_eq!(answer.json()["__type"], code);
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(words), "{operation} {body}: {message}");
        assert!(!answer.body.contains(&cognito.login_token));
        let refused = CredentialOutcome::Refused { status: 400, error: code.to_owned() };
        assert_eq!(last_outcome(&sandbox), refused);
    }
}

#[test]
fn what_it_shows_has_no_secrets() {
    let sandbox = start();
    let shown = format!(
        "{:?} {:?} {:?} {:?} {sandbox:?}",
        sandbox.cognito(),
        sandbox.sso(),
        sandbox.metadata(),
        sandbox.device()
    );
    for secret in [
        &sandbox.cognito().login_token,
        &sandbox.sso().access_token,
        &sandbox.metadata().container_authorization_token,
        &sandbox.device().pkcs12_password,
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
