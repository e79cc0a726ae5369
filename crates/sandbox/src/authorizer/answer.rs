//! The answer of an authorizer's Lambda function, and what AWS IoT asks of it.

use serde::Deserialize;
use serde_json::Value;

use crate::policy::Policy;

/// AWS IoT's limits.
const MAXIMUM_DOCUMENTS: usize = 10;
pub(super) const MAXIMUM_CHARACTERS: usize = 2048;
const MAXIMUM_PRINCIPAL_ID: usize = 128;
const SECONDS: std::ops::RangeInclusive<u64> = 300..=86_400;

/// An answer that AWS IoT takes.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) principal_id: String,
    pub(super) policies: Vec<Policy>,
    pub(super) disconnect_after_seconds: u32,
    pub(super) refresh_after_seconds: u32,
}

/// Why a client is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum No {
    NotAuthenticated,
    /// In words.
    Invalid(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Output {
    principal_id: String,
    policy_documents: Vec<Value>,
    disconnect_after_in_seconds: u64,
    refresh_after_in_seconds: u64,
}

impl Answer {
    /// Reads the output document.
    pub(super) fn read(output: &Value) -> Result<Self, No> {
        match output.get("isAuthenticated") {
            Some(Value::Bool(true)) => {}
            // The other fields are ignored then.
            Some(Value::Bool(false)) => return Err(No::NotAuthenticated),
            _ => return Err(No::Invalid("isAuthenticated is not a Boolean value".to_owned())),
        }
        let output =
            Output::deserialize(output).map_err(|error| No::Invalid(format!("not the fields: {error}")))?;
        output.validate().map_err(No::Invalid)
    }
}

impl Output {
    fn validate(&self) -> Result<Answer, String> {
        let id = &self.principal_id;
        if !(1..=MAXIMUM_PRINCIPAL_ID).contains(&id.len())
            || !id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            return Err(format!("principalId is not 1 to {MAXIMUM_PRINCIPAL_ID} letters and digits"));
        }
        let count = self.policy_documents.len();
        if count > MAXIMUM_DOCUMENTS {
            return Err(format!("{count} policy documents; AWS IoT allows {MAXIMUM_DOCUMENTS}"));
        }
        Ok(Answer {
            principal_id: id.clone(),
            policies: self
                .policy_documents
                .iter()
                .enumerate()
                .map(|(index, document)| {
                    policy(document).map_err(|why| format!("policy document {}: {why}", index + 1))
                })
                .collect::<Result<_, _>>()?,
            disconnect_after_seconds: seconds("disconnectAfterInSeconds", self.disconnect_after_in_seconds)?,
            refresh_after_seconds: seconds("refreshAfterInSeconds", self.refresh_after_in_seconds)?,
        })
    }
}

/// A document is an object, or its text in a string.
fn policy(document: &Value) -> Result<Policy, String> {
    let text = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
    let length = text.chars().count();
    if length > MAXIMUM_CHARACTERS {
        return Err(format!("{length} characters; AWS IoT allows {MAXIMUM_CHARACTERS}"));
    }
    Policy::parse(&text).map_err(|error| format!("{error:#}"))
}

fn seconds(name: &str, value: u64) -> Result<u32, String> {
    u32::try_from(value)
        .ok()
        .filter(|_| SECONDS.contains(&value))
        .ok_or_else(|| format!("{name} is {value}; AWS IoT allows {} to {}", SECONDS.start(), SECONDS.end()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn output() -> Value {
        let document =
            json!({ "Statement": { "Effect": "Allow", "Action": "iot:Connect", "Resource": "*" } });
        json!({
            "isAuthenticated": true,
            "principalId": "Abc123",
            "policyDocuments": [document, document.to_string()],
            "disconnectAfterInSeconds": 86400,
            "refreshAfterInSeconds": 300,
        })
    }

    fn with(field: &str, value: Value) -> Result<Answer, No> {
        let mut output = output();
        output[field] = value;
        Answer::read(&output)
    }

    #[test]
    fn the_documented_answer_is_taken() {
        let answer = Answer::read(&output()).unwrap();
        assert_eq!((answer.principal_id.as_str(), answer.policies.len()), ("Abc123", 2));
        assert_eq!((answer.disconnect_after_seconds, answer.refresh_after_seconds), (86_400, 300));
        assert!(with("principalId", "x".repeat(128).into()).is_ok());
        assert!(with("policyDocuments", json!([])).is_ok());
    }

    #[test]
    fn no_is_no_whatever_else_there_is() {
        assert_eq!(with("isAuthenticated", false.into()).unwrap_err(), No::NotAuthenticated);
        assert_eq!(Answer::read(&json!({ "isAuthenticated": false })).unwrap_err(), No::NotAuthenticated);
    }

    #[test]
    fn answers_beyond_the_limits_are_refused() {
        let statement = json!({ "Effect": "Allow", "Action": "iot:Connect", "Resource": "x".repeat(2048) });
        for (field, value, words) in [
            ("isAuthenticated", json!("true"), "isAuthenticated"),
            ("principalId", json!(""), "principalId"),
            ("principalId", json!("x".repeat(129)), "principalId"),
            ("principalId", json!("a-b"), "principalId"),
            ("principalId", json!("ä"), "principalId"),
            ("principalId", Value::Null, "not the fields"),
            (
                "policyDocuments",
                json!(vec![output()["policyDocuments"][0].clone(); 11]),
                "11 policy documents",
            ),
            ("policyDocuments", json!([{ "Statement": statement }]), "AWS IoT allows 2048"),
            ("policyDocuments", json!(["no JSON"]), "policy document 1: "),
            ("policyDocuments", json!([{}]), "policy document 1: "),
            ("policyDocuments", json!("x"), "not the fields"),
            ("disconnectAfterInSeconds", json!(299), "disconnectAfterInSeconds is 299"),
            ("disconnectAfterInSeconds", json!(86401), "disconnectAfterInSeconds is 86401"),
            ("refreshAfterInSeconds", json!(u64::MAX), "refreshAfterInSeconds is 18446744073709551615"),
            ("refreshAfterInSeconds", json!(0), "refreshAfterInSeconds is 0"),
            ("refreshAfterInSeconds", json!(-1), "not the fields"),
        ] {
            match with(field, value.clone()) {
                Err(No::Invalid(why)) => assert!(why.contains(words), "{field} {value}: {why}"),
                other => panic!("{field} {value}: {other:?}"),
            }
        }
    }
}
