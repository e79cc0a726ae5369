//! Shows that a policy allows what its sample does, and nothing more.

use std::fs;

use sandbox::{Principal, Sandbox};
use serde_json::Value;

use crate::{Outcome, workspace};

/// Which part of a sample's policy is a principal's.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// Whose policy it is.
    pub principal: Principal,
    /// The actions that it needs; `None` for all of the file.
    pub actions: Option<&'a [&'a str]>,
}

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
    are_sufficient_and_minimal(sandbox, &[Holder { principal, actions: None }], name, run);
}

/// [`is_sufficient_and_minimal`] for a sample that needs permissions of several principals: each gets its part of
/// the file, and each statement is removed from each principal that has it.
///
/// # Panics
///
/// When this is not so.
pub fn are_sufficient_and_minimal(
    sandbox: &Sandbox,
    holders: &[Holder<'_>],
    name: &str,
    run: impl Fn() -> Outcome,
) {
    let path = workspace().join("policies").join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let policy: Value = serde_json::from_str(&text).expect("the policy is JSON");
    let statements = policy["Statement"].as_array().expect("the policy has statements");
    let part = |holder: &Holder<'_>| -> Vec<Value> {
        let is_wanted = |statement: &&Value| {
            let action = statement["Action"].as_str().expect("one action a statement");
            holder.actions.is_none_or(|actions| actions.contains(&action))
        };
        statements.iter().filter(is_wanted).cloned().collect()
    };
    let set = |principal, statements: &[Value]| {
        let mut document = policy.clone();
        document["Statement"] = statements.into();
        // A policy without statements is not a policy.
        let documents = if statements.is_empty() { Vec::new() } else { vec![document.to_string()] };
        sandbox.set_policies(principal, &documents).expect("the policy is valid");
    };

    for holder in holders {
        assert!(!part(holder).is_empty(), "{holder:?} has no part in {name}");
        set(holder.principal, &part(holder));
    }
    run().succeeded();

    for holder in holders {
        for (index, statement) in part(holder).iter().enumerate() {
            let mut rest = part(holder);
            rest.remove(index);
            set(holder.principal, &rest);
            let action = statement["Action"].as_str().expect("one action a statement");
            let resource = statement["Resource"].as_str().expect("one resource a statement");
            let resource = resource.rsplit(':').next().unwrap_or(resource).trim_end_matches('*');
            run().failed(1, &["hint:", action, resource]);
        }
        set(holder.principal, &part(holder));
    }
}
