//! AWS IoT's credentials provider: a role for a client certificate.

use std::io::Read;

use sandbox::{CredentialOutcome, Principal, Sandbox};

use crate::support::services::{credentials, get, in_an_hour, last_outcome};
use crate::support::signed::{connack, upgrade};
use crate::support::tls::{Options, connect};
use crate::support::{policy, start};

fn target(sandbox: &Sandbox) -> String {
    format!("/role-aliases/{}/credentials", sandbox.credentials_provider().role_alias)
}

#[test]
fn a_device_gets_the_role_of_the_alias() {
    let sandbox = start();
    let role_alias = &sandbox.credentials_provider().role_alias;
    let resource = format!("rolealias/{role_alias}");
    let allow = [policy(&[("Allow", "AssumeRoleWithCertificate", &resource)])];
    sandbox.set_policies(Principal::Device, &allow).unwrap();
    for headers in ["", "x-amzn-iot-thingname: sandbox-thing\r\n"] {
        let answer = get(&sandbox, Some(sandbox.device()), &target(&sandbox), headers);
        assert_eq!(answer.status, 200, "{answer:?}");
        let json = &answer.json()["credentials"];
        assert!(in_an_hour(json["expiration"].as_str().unwrap()));
        let credentials = credentials(&sandbox, json, ["accessKeyId", "secretAccessKey", "sessionToken"]);
        // What the role may do is another matter than what the device may do.
        assert_eq!(connack(&sandbox, &credentials, "role"), 0);
        assert_eq!(sandbox.connections().last().unwrap().principal, Principal::Role);
    }
}

#[test]
fn a_policy_may_ask_for_the_thing() {
    let sandbox = start();
    let attached = r#"{"Statement":{"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate","Resource":"*",
        "Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"}}}}"#;
    sandbox.set_policies(Principal::Device, &[attached.to_owned()]).unwrap();
    let status = |headers| get(&sandbox, Some(sandbox.device()), &target(&sandbox), headers).status;
    assert_eq!(status("x-amzn-iot-thingname: sandbox-thing\r\n"), 200);
    assert_eq!(status(""), 403);
}

#[test]
fn refusals_are_those_of_aws() {
    let sandbox = start();
    let device = Some(sandbox.device());
    let right = target(&sandbox);
    let second = sandbox.issue_device("second-thing").unwrap();
    let thing = "x-amzn-iot-thingname: sandbox-thing\r\n";
    let twice = format!("{thing}{thing}");
    let unknown = "/role-aliases/unknown/credentials";
    let cases = [
        (None, right.as_str(), "", 403, "Certificate is invalid on this endpoint"),
        (device, &right, "x-amzn-iot-thingname: second-thing\r\n", 403, "Invalid thing name passed"),
        (Some(&second), &right, thing, 403, "Invalid thing name passed"),
        (device, &right, &twice, 403, "Invalid thing name passed"),
        (device, unknown, thing, 404, "Role alias does not exist"),
        (device, "/role-aliases/unknown", "", 404, "Not found"),
    ];
    for (device, target, headers, status, message) in cases {
        let answer = get(&sandbox, device, target, headers);
        assert_eq!((answer.status, &answer.json()["message"]), (status, &message.into()), "{answer:?}");
    }
    sandbox.set_policies(Principal::Device, &[]).unwrap();
    let answer = get(&sandbox, device, &right, thing);
    assert_eq!((answer.status, &answer.json()["message"]), (403, &"Access Denied".into()));
    let refused = CredentialOutcome::Refused { status: 403, error: "AccessDeniedException".to_owned() };
    assert_eq!(last_outcome(&sandbox), refused);
}

#[test]
fn a_certificate_of_another_ca_ends_the_handshake() {
    let sandbox = start();
    let stranger = sandbox.issue_unregistered_device("stranger").unwrap();
    let options = Options { device: Some(&stranger), ..Options::https(&sandbox) };
    let error = connect(&options).and_then(|mut tls| tls.read(&mut [0])).unwrap_err().to_string();
    assert!(error.contains("UnknownCA"), "{error}");
    assert!(sandbox.credential_requests().is_empty());
}

#[test]
fn a_signature_counts_whatever_the_certificate() {
    let sandbox = start();
    assert_eq!(upgrade(&sandbox, sandbox.credentials()).status, 101);
    assert_eq!(get(&sandbox, Some(sandbox.device()), "/mqtt", "").status, 426);
}
