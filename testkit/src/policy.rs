//! Shows that a policy allows what its sample does, and nothing more.

use std::fs;

use sandbox::{Principal, Sandbox};
use serde_json::Value;

use crate::{Outcome, workspace};

/// Runs a sample with `policies/<name>.json`, where it has to succeed, and with each of its statements removed,
/// where it has to fail and to name the action and the resource that are missing.
///
/// # Panics
///
/// When this is not so.
pub fn is_sufficient_and_minimal(
    sandbox: &Sandbox,
    principal: Principal,
    name: &str,
    run: impl Fn() -> Outcome,
) {
    let path = workspace().join("policies").join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let policy: Value = serde_json::from_str(&text).expect("the policy is JSON");
    let statements = policy["Statement"].as_array().expect("the policy has statements").clone();

    sandbox.set_policies(principal, &[policy.to_string()]).expect("the policy is valid");
    run().succeeded();

    for (index, statement) in statements.iter().enumerate() {
        let mut rest = statements.clone();
        rest.remove(index);
        let mut weaker = policy.clone();
        weaker["Statement"] = Value::Array(rest);
        // A policy without statements is not a policy.
        let documents = if statements.len() == 1 { Vec::new() } else { vec![weaker.to_string()] };
        sandbox.set_policies(principal, &documents).expect("the weaker policy is valid");
        let action = statement["Action"].as_str().expect("one action a statement");
        let resource = statement["Resource"].as_str().expect("one resource a statement");
        let resource = resource.rsplit(':').next().unwrap_or(resource).trim_end_matches('*');
        run().failed(1, &["hint:", action, resource]);
    }
    sandbox.set_policies(principal, &[policy.to_string()]).expect("the policy is valid");
}
