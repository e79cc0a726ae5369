use std::io;
use std::sync::Arc;

use super::*;
use crate::{MqttVersion, ReasonCode};

fn refusal(status: u16, message: &str, clock_skew: Option<i64>) -> String {
    let refusal = HttpRefusal { status, error_type: None, message: Some(message.to_owned()), clock_skew };
    upgrade(&refusal, &AuthKind::Credentials { cognito_identity: None }).unwrap_or_default()
}

#[test]
fn refused_upgrades() {
    for (status, message, skew, words) in [
        (403, "Forbidden", Some(301), "clock is 301 seconds fast"),
        (403, "Forbidden", Some(-3600), "clock is 60 minutes slow"),
        (403, "Forbidden", Some(i64::MIN), "days slow"),
        (403, "Forbidden", Some(300), "check the access key"),
        (403, "Signature expired: a is now earlier than b", None, "clock is wrong"),
        (403, "The request signature we calculated does not match", None, "check the secret access key"),
        (403, "The security token included in the request is expired", None, "session token has expired"),
        (403, "Credential should be scoped to a valid region", None, "sign for the region"),
        (403, "Missing Authentication Token", None, "without its signature"),
        (503, "", Some(9_000), "is busy"),
        (426, "", None, "WebSocket through"),
        (200, "<html>", None, "captive portal"),
    ] {
        let hint = refusal(status, message, skew);
        assert!(hint.contains(words), "{message:?}, {skew:?} gives {hint:?}");
    }
    assert_eq!(refusal(418, "", None), "");
}

#[test]
fn refused_operations_name_action_and_resource() {
    let target = || "a.example:8883".to_owned();
    let not_authorized = ReasonCode::new(0x87, MqttVersion::V5);
    for (operation, words) in [
        (Operation::Publish { topic: "a/b".to_owned(), retain: false }, Some("iot:Publish on topic/a/b")),
        (
            Operation::Publish { topic: "a/b".to_owned(), retain: true },
            Some("iot:Publish and iot:RetainPublish on topic/a/b"),
        ),
        (Operation::Subscribe { filter: "a/#".to_owned() }, Some("iot:Subscribe on topicfilter/a/#")),
        (Operation::Receive { topic: "a/b".to_owned() }, Some("iot:Receive on topic/a/b")),
        (Operation::Disconnect, None),
    ] {
        let expected = words.map(|words| format!("the policy must allow {words}"));
        let refused = Error::OperationRefused {
            target: target(),
            operation: operation.clone(),
            code: not_authorized,
            reason_string: None,
        };
        assert_eq!(refused.hint(), expected);
        assert_eq!(
            Error::OperationClosesConnection { target: target(), operation, code: None }.hint(),
            expected
        );
    }
    let reserved = Operation::Subscribe { filter: "$aws/nothing".to_owned() };
    let closed = Error::OperationClosesConnection { target: target(), operation: reserved, code: None };
    assert!(closed.hint().is_some_and(|hint| hint.contains("topicfilter/$aws/nothing; AWS IoT Core also")));
    let refused = Error::ConnectRefused {
        target: target(),
        client_id: "me".to_owned(),
        code: not_authorized,
        reason_string: None,
        auth: AuthKind::Certificate,
        asked: Box::default(),
    };
    assert_eq!(refused.hint().as_deref(), Some("the policy must allow iot:Connect on client/me"));
    let closed = Error::ClosedBeforeConnack {
        target: target(),
        client_id: "me".to_owned(),
        auth: AuthKind::Certificate,
        asked: Box::default(),
    };
    assert!(
        closed.hint().is_some_and(|hint| hint.starts_with("the policy must allow iot:Connect on client/me"))
    );
}

#[test]
fn a_refused_will_or_session_is_named_with_what_it_needs() {
    let hint = |asked: ConnectAsked, auth| {
        let refused = Error::ConnectRefused {
            target: "a.example:8883".to_owned(),
            client_id: "me".to_owned(),
            code: ReasonCode::new(0x87, MqttVersion::V5),
            reason_string: None,
            auth,
            asked: Box::new(asked),
        };
        refused.hint().unwrap_or_default()
    };
    let will = |retain| ConnectAsked {
        will: Some(Operation::Publish { topic: "a/gone".to_owned(), retain }),
        session: false,
    };
    let last_will = "the policy must allow iot:Connect on client/me (with LastWill, if it has a condition on \
                     iot:ConnectAttributes) and, for the will,";
    assert_eq!(hint(will(false), AuthKind::Certificate), format!("{last_will} iot:Publish on topic/a/gone"));
    assert_eq!(
        hint(will(true), AuthKind::Certificate),
        format!("{last_will} iot:Publish and iot:RetainPublish on topic/a/gone")
    );
    let session = hint(ConnectAsked { will: None, session: true }, AuthKind::Certificate);
    assert!(session.contains("(with PersistentConnect, if") && !session.contains("will"), "{session}");
    for auth in [
        AuthKind::Credentials { cognito_identity: Some("us-east-1:1-2".to_owned()) },
        AuthKind::CustomAuthorizer { name: None },
    ] {
        let hint = hint(will(true), auth);
        assert!(hint.contains("iot:RetainPublish on topic/a/gone"), "{hint}");
    }
}

/// Everything that an authorizer can refuse for is named, the first cause first.
#[test]
fn refusals_of_a_custom_authorizer_name_what_to_check_in_order() {
    let auth = |name: Option<&str>| AuthKind::CustomAuthorizer { name: name.map(str::to_owned) };
    let target = || "a.example:443".to_owned();
    let refused = |code, version| Error::ConnectRefused {
        target: target(),
        client_id: "me".to_owned(),
        code: ReasonCode::new(code, version),
        reason_string: None,
        auth: auth(Some("mine")),
        asked: Box::default(),
    };
    let forbidden = HttpRefusal {
        status: 403,
        error_type: None,
        message: Some("Signature expired".to_owned()),
        clock_skew: Some(9_000),
    };
    for (error, resource) in [
        (refused(0x87, MqttVersion::V5), "client/me"),
        (refused(0x86, MqttVersion::V5), "client/me"),
        (refused(5, MqttVersion::V311), "client/me"),
        (refused(4, MqttVersion::V311), "client/me"),
        (
            Error::ClosedBeforeConnack {
                target: target(),
                client_id: "me".to_owned(),
                auth: auth(Some("mine")),
                asked: Box::default(),
            },
            "client/me",
        ),
        (
            Error::UpgradeRefused {
                target: target(),
                refusal: Box::new(forbidden),
                auth: auth(Some("mine")),
            },
            "client/<client ID>",
        ),
    ] {
        let hint = error.hint().unwrap_or_default();
        let words = [
            "that the authorizer mine exists and is active",
            "token's key name",
            "signature",
            "user name",
            "password",
            "iot:Connect on",
            resource,
            "aws iot test-invoke-authorizer",
            "CloudWatch",
        ];
        let places: Vec<_> = words.iter().map(|word| hint.find(word)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {hint}");
    }
    assert_eq!(refused(0x97, MqttVersion::V5).hint(), None);
    let default = Error::ClosedBeforeConnack {
        target: target(),
        client_id: "me".to_owned(),
        auth: auth(None),
        asked: Box::default(),
    };
    assert!(default.hint().is_some_and(|hint| hint.contains("default authorizer")));
}

#[test]
fn a_cognito_identity_is_named_with_what_it_needs() {
    let auth = || AuthKind::Credentials { cognito_identity: Some("us-east-1:1-2".to_owned()) };
    let (target, client_id) = (|| "a.example:443".to_owned(), || "me".to_owned());
    let code = ReasonCode::new(0x87, MqttVersion::V5);
    let refusal = HttpRefusal { status: 403, error_type: None, message: None, clock_skew: None };
    for (error, resource) in [
        (
            Error::ConnectRefused {
                target: target(),
                client_id: client_id(),
                code,
                reason_string: None,
                auth: auth(),
                asked: Box::default(),
            },
            "iot:Connect on client/me",
        ),
        (
            Error::ClosedBeforeConnack {
                target: target(),
                client_id: client_id(),
                auth: auth(),
                asked: Box::default(),
            },
            "iot:Connect on client/me",
        ),
        (Error::UpgradeRefused { target: target(), refusal: Box::new(refusal), auth: auth() }, "iot:Connect"),
    ] {
        let hint = error.hint().unwrap_or_default();
        for words in [resource, "the role of the identity pool", "--target us-east-1:1-2"] {
            assert!(hint.contains(words), "{error:?} gives {hint:?}");
        }
    }
}

#[test]
fn an_unknown_key_without_a_session_token_is_not_taken_for_an_expired_token() {
    let hint = |id: &str| {
        let message = Some("The security token included in the request is invalid.".to_owned());
        let refusal = HttpRefusal { status: 403, error_type: None, message, clock_skew: None };
        upgrade(&refusal, &AuthKind::AccessKey { id: id.to_owned() }).unwrap_or_default()
    };
    assert!(hint("AKIAEXAMPLE").starts_with("AWS does not know the access key ID AKIAEXAMPLE"));
    assert!(hint("ASIAEXAMPLE").starts_with("ASIAEXAMPLE is a temporary access key: give the session token"));
}

#[cfg(unix)]
#[test]
fn a_shortage_is_hinted_at_in_whatever_layer_it_is_met() {
    let target = || "a.example:8883".to_owned();
    let short = || io::Error::from_raw_os_error(24);
    #[cfg(feature = "store")]
    let stored = Problem::from(short());
    for error in [
        Error::Transport(transport::Error::Tcp { target: target(), source: short() }),
        Error::ended(target(), io::Error::other(short())),
        #[cfg(feature = "store")]
        Error::Store { doing: "open", directory: "d".into(), source: Box::new(stored) },
        Error::Link(short()),
        Error::Stopped { source: Some(Arc::new(Error::Link(short()))) },
    ] {
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains("ulimit -n"), "{error:?}: {hint}");
    }
}
