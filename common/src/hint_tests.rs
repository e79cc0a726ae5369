use super::*;
use crate::client::{MqttVersion, ReasonCode};

fn refusal(status: u16, message: &str, clock_skew: Option<i64>) -> String {
    let refusal = UpgradeRefusal { status, error_type: None, message: Some(message.to_owned()), clock_skew };
    upgrade(&refusal).unwrap_or_default()
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
        (Operation::Publish { topic: "a/b".to_owned() }, Some("iot:Publish on topic/a/b")),
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
    let refused = Error::ConnectRefused {
        target: target(),
        client_id: "me".to_owned(),
        code: not_authorized,
        reason_string: None,
    };
    assert_eq!(refused.hint().as_deref(), Some("the policy must allow iot:Connect on client/me"));
    let closed = Error::ClosedBeforeConnack { target: target(), client_id: "me".to_owned() };
    assert!(
        closed.hint().is_some_and(|hint| hint.starts_with("the policy must allow iot:Connect on client/me"))
    );
}

#[test]
fn each_source_of_credentials_has_its_own() {
    for (from, words) in [
        ("the environment", "set AWS_ACCESS_KEY_ID"),
        ("profile \"dev\"", "list-profiles"),
        ("the default profile", "list-profiles"),
        ("the default chain", "AWS_PROFILE"),
        ("the access key that was given", "both"),
    ] {
        let error = Error::Credentials { from: from.to_owned(), source: "none".into() };
        assert!(error.hint().is_some_and(|hint| hint.contains(words)), "{from}");
    }
}
