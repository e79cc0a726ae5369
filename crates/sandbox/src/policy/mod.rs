//! The policy engine: AWS IoT Core policies as the [developer guide] describes them, for what MQTT needs.
//!
//! Nothing is allowed by default, and an explicit Deny wins. A statement that cannot be decided (a variable without a
//! value, a condition operator that is not known here) never allows anything: an Allow does not apply, a Deny does.
//!
//! [developer guide]: https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html

mod condition;
mod document;
mod json;
mod pattern;
mod permissions;
mod store;
mod variables;

pub(crate) use document::Policy;
pub(crate) use permissions::{Action, AnsweredPolicies, Permissions, PolicySource};
pub(crate) use store::PolicyStore;
pub use store::Principal;
pub(crate) use variables::Variables;

use document::Effect;

/// The answer of a set of policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// A statement allows it, none denies it.
    Allowed,
    /// No statement speaks of it.
    ImplicitlyDenied,
    /// A statement denies it.
    ExplicitlyDenied,
}

/// Judges `action` (such as `iot:Publish`) on `resource` (an ARN) by all `policies` together.
pub(crate) fn decide(policies: &[Policy], action: &str, resource: &str, variables: &Variables) -> Decision {
    let mut decision = Decision::ImplicitlyDenied;
    for statement in policies.iter().flat_map(Policy::statements) {
        if statement.applies(action, resource, variables) {
            match statement.effect() {
                Effect::Deny => return Decision::ExplicitlyDenied,
                Effect::Allow => decision = Decision::Allowed,
            }
        }
    }
    decision
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(document: &str, action: &str, resource: &str) -> Decision {
        let variables = Variables::default()
            .with("iot:ClientId", "dev*1")
            .with("iot:Connection.Thing.ThingName", "thing")
            .with("iot:Connection.Thing.IsAttached", "true")
            .with("aws:SourceIp", "127.0.0.1");
        let resource = format!("arn:aws:iot:us-east-1:123456789012:{resource}");
        decide(&[Policy::parse(document).unwrap()], &format!("iot:{action}"), &resource, &variables)
    }

    fn statement(effect: &str, action: &str, resource: &str, more: &str) -> String {
        format!(
            r#"{{"Effect":"{effect}","Action":"{action}","Resource":"arn:aws:iot:us-east-1:123456789012:{resource}"{more}}}"#
        )
    }

    fn policy(statements: &[String]) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
    }

    #[test]
    fn one_statement_decides() {
        use Decision::{Allowed, ExplicitlyDenied, ImplicitlyDenied};
        let bool_attached = r#","Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"}}"#;
        let bool_detached = r#","Condition":{"Bool":{"iot:Connection.Thing.IsAttached":["false"]}}"#;
        let like = r#","Condition":{"StringLike":{"aws:SourceIp":["10.*","127.0.0.?"]}}"#;
        let equals = r#","Condition":{"StringEquals":{"aws:SourceIp":"127.0.0.?"}}"#;
        let not_equals = r#","Condition":{"StringNotEquals":{"aws:SourceIp":["127.0.0.2","127.0.0.?"]}}"#;
        let not_like = r#","Condition":{"StringNotLike":{"aws:SourceIp":["10.*","127.0.0.?"]}}"#;
        let unknown_operator = r#","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}"#;
        let unknown_key = r#","Condition":{"StringEquals":{"aws:Nothing":"x"}}"#;
        let cases = [
            // effect, action, resource, condition → action asked, resource asked, decision
            ("Allow", "iot:Publish", "topic/a", "", "Publish", "topic/a", Allowed),
            ("Allow", "iot:publish", "topic/a", "", "Publish", "topic/a", Allowed),
            ("Allow", "iot:Publish", "topic/a", "", "Publish", "topic/A", ImplicitlyDenied),
            ("Allow", "iot:Publish", "topic/a", "", "Publish", "topic/ab", ImplicitlyDenied),
            ("Allow", "iot:Publish", "topic/a", "", "Receive", "topic/a", ImplicitlyDenied),
            ("Allow", "iot:*", "*", "", "RetainPublish", "topic/a/b/c", Allowed),
            ("Allow", "*", "topic/*/c", "", "Publish", "topic/a/b/c", Allowed),
            ("Allow", "iot:Publish", "topic/a/*", "", "Publish", "topic/a", ImplicitlyDenied),
            ("Allow", "iot:Publish", "topic/a?c", "", "Publish", "topic/abc", Allowed),
            ("Allow", "iot:Publish", "topic/a?c", "", "Publish", "topic/ac", ImplicitlyDenied),
            ("Allow", "iot:Subscribe", "topicfilter/a/+/#", "", "Subscribe", "topicfilter/a/+/#", Allowed),
            (
                "Allow",
                "iot:Subscribe",
                "topicfilter/a/+",
                "",
                "Subscribe",
                "topicfilter/a/b",
                ImplicitlyDenied,
            ),
            ("Allow", "iot:Subscribe", "topicfilter/*", "", "Subscribe", "topicfilter/a/#", Allowed),
            ("Deny", "iot:Connect", "client/*", "", "Connect", "client/x", ExplicitlyDenied),
            // The value of a variable holds no wildcards.
            ("Allow", "iot:Connect", "client/${iot:ClientId}", "", "Connect", "client/dev*1", Allowed),
            (
                "Allow",
                "iot:Connect",
                "client/${iot:ClientId}",
                "",
                "Connect",
                "client/dev-1",
                ImplicitlyDenied,
            ),
            ("Allow", "iot:Connect", "client/${iot:clientid}", "", "Connect", "client/dev*1", Allowed),
            (
                "Allow",
                "iot:Publish",
                "topic/${iot:Connection.Thing.ThingName}/*",
                "",
                "Publish",
                "topic/thing/x",
                Allowed,
            ),
            ("Allow", "iot:Publish", "topic/${iot:Nothing}*", "", "Publish", "topic/x", ImplicitlyDenied),
            ("Deny", "iot:Publish", "topic/${iot:Nothing}", "", "Publish", "topic/x", ExplicitlyDenied),
            ("Allow", "iot:Publish", "topic/a${*}", "", "Publish", "topic/a*", Allowed),
            ("Allow", "iot:Publish", "topic/a${*}", "", "Publish", "topic/ab", ImplicitlyDenied),
            ("Allow", "iot:Connect", "*", bool_attached, "Connect", "client/x", Allowed),
            ("Allow", "iot:Connect", "*", bool_detached, "Connect", "client/x", ImplicitlyDenied),
            ("Allow", "iot:Connect", "*", like, "Connect", "client/x", Allowed),
            ("Allow", "iot:Connect", "*", equals, "Connect", "client/x", ImplicitlyDenied),
            ("Allow", "iot:Connect", "*", not_equals, "Connect", "client/x", Allowed),
            ("Allow", "iot:Connect", "*", not_like, "Connect", "client/x", ImplicitlyDenied),
            ("Allow", "iot:Connect", "*", unknown_operator, "Connect", "client/x", ImplicitlyDenied),
            ("Deny", "iot:Connect", "*", unknown_operator, "Connect", "client/x", ExplicitlyDenied),
            ("Allow", "iot:Connect", "*", unknown_key, "Connect", "client/x", ImplicitlyDenied),
        ];
        for (effect, action, resource, condition, asked, on, expected) in cases {
            let document = policy(&[statement(effect, action, resource, condition)]);
            assert_eq!(decision(&document, asked, on), expected, "{asked} {on} by {document}");
        }
    }

    #[test]
    fn an_explicit_deny_wins_wherever_it_stands() {
        let allow = statement("Allow", "iot:Publish", "topic/*", "");
        let deny = statement("Deny", "iot:Publish", "topic/secret/*", "");
        for statements in [[allow.clone(), deny.clone()], [deny, allow]] {
            let document = policy(&statements);
            assert_eq!(decision(&document, "Publish", "topic/secret/x"), Decision::ExplicitlyDenied);
            assert_eq!(decision(&document, "Publish", "topic/open"), Decision::Allowed);
        }
    }

    #[test]
    fn one_statement_without_a_list_is_a_document_too() {
        let document = format!(r#"{{"Statement":{}}}"#, statement("Allow", "iot:Publish", "topic/a", ""));
        assert_eq!(decision(&document, "Publish", "topic/a"), Decision::Allowed);
    }

    #[test]
    fn documents_that_are_no_policies_are_refused() {
        for document in [
            "",
            "[]",
            "{}",
            r#"{"Statement":[{"Effect":"Maybe","Action":"*","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Action":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","NotAction":"*","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"${iot:ClientId"}]}"#,
            r#"{"Version":"1999-01-01","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
        ] {
            assert!(Policy::parse(document).is_err(), "{document}");
        }
    }

    #[test]
    fn a_malformed_document_is_refused_with_the_path_of_its_fault() {
        let with = |more: &str| {
            let valid = r#""Effect":"Allow","Action":"iot:Connect","Resource":"*""#;
            format!(r#"{{"Statement":[{{{valid}}},{{{more}}}]}}"#)
        };
        let rest = r#""Effect":"Allow","Resource":"*""#;
        let full = r#""Effect":"Allow","Action":"iot:Connect","Resource":"*""#;
        for (document, message) in [
            (
                with(&format!(r#"{rest},"action":"iot:Publish""#)),
                r#"Statement[1].action is written "Action": capital letters count"#,
            ),
            (
                with(&format!(r#"{rest},"NotAction":"iot:Publish""#)),
                "Statement[1].NotAction is not supported: list the actions in Action, and add a Deny for exceptions",
            ),
            (
                with(&format!(r#"{full},"Principal":"*""#)),
                "Statement[1].Principal is not for AWS IoT policies: they are attached to the principal",
            ),
            (
                with(&format!(r#"{full},"Efect\n":"Allow""#)),
                r"Statement[1].Efect\n is not a field of a policy; here there are Sid, Effect, Action, Resource, Condition",
            ),
            (with(rest), "Statement[1].Action is missing"),
            (
                with(r#""Effect":"allow","Action":"iot:Publish","Resource":"*""#),
                r#"Statement[1].Effect is "allow": "Allow" or "Deny" is expected"#,
            ),
            (
                with(&format!(r#"{rest},"Action":["iot:Publish",5]"#)),
                "Statement[1].Action[1] is a number: a string is expected",
            ),
            (with(&format!(r#"{rest},"Action":[]"#)), "Statement[1].Action is an empty list"),
            (
                with(&format!(r#"{rest},"Action":"Publish""#)),
                r#"Statement[1].Action is "Publish" without its service: "iot:Publish" is expected"#,
            ),
            (
                with(r#""Effect":"Allow","Action":"*","Resource":["*","arn:aws:iot:${iot:ClientId"]"#),
                r#"Statement[1].Resource[1] is "arn:aws:iot:${iot:ClientId", with a variable that has no closing brace"#,
            ),
            (with(&format!(r#"{full},"Sid":null"#)), "Statement[1].Sid is null: a string is expected"),
            (
                with(&format!(r#"{full},"Condition":["Bool"]"#)),
                "Statement[1].Condition is a list: an object is expected",
            ),
            (
                with(&format!(r#"{full},"Condition":{{"Bool":{{"a:b":[true,{{}}]}}}}"#)),
                "Statement[1].Condition.Bool.a:b[1] is an object: a string, a number or a Boolean value is expected",
            ),
            (with("}],\"Statement\":[{"), "its JSON is malformed: the field \"Statement\" occurs twice"),
            (
                r#"{"Statement":{"Effect":true}}"#.to_owned(),
                "Statement.Effect is a Boolean value: a string is expected",
            ),
            (r#"{"Statement":["x"]}"#.to_owned(), "Statement[0] is a string: an object is expected"),
            (r#"{"statement":[]}"#.to_owned(), r#"statement is written "Statement": capital letters count"#),
            ("{}".to_owned(), "Statement is missing"),
            ("[]".to_owned(), "the document is a list: an object is expected"),
            (
                r#"{"Version":20121017,"Statement":[]}"#.to_owned(),
                "Version is a number: a string is expected",
            ),
            (
                r#"{"Version":"2012-17-10","Statement":[]}"#.to_owned(),
                r#"Version is "2012-17-10": "2012-10-17" is expected"#,
            ),
            ("{\n,}".to_owned(), "its JSON is malformed: key must be a string at line 2 column 1"),
        ] {
            let error = format!("{:#}", Policy::parse(&document).unwrap_err());
            // The JSON reader adds line and column.
            assert!(error.starts_with(message), "{document}\n{error}\n{message}");
        }
    }
}
