//! Policy documents: from JSON to statements that can be asked.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail, ensure};
use serde::Deserialize;

use crate::policy::Variables;
use crate::policy::condition::{Conditions, Scalar};
use crate::policy::pattern::Pattern;

/// AWS IoT's limit, in characters; white space does not count.
const MAXIMUM_LENGTH: usize = 2048;

/// One policy.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
}

/// What a statement does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// One statement.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    effect: Effect,
    actions: Vec<Pattern>,
    resources: Vec<Pattern>,
    conditions: Conditions,
}

impl Policy {
    /// Reads a document; fails on what AWS IoT would refuse to store.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let length = text.chars().filter(|char| !char.is_whitespace()).count();
        ensure!(
            length <= MAXIMUM_LENGTH,
            "a policy of {length} characters without white space; AWS IoT allows {MAXIMUM_LENGTH}"
        );
        let document: Document = serde_json::from_str(text).context("not a policy document")?;
        if let Some(version) =
            document.version.filter(|version| version != "2012-10-17" && version != "2008-10-17")
        {
            bail!("a policy of the unknown version {version:?}");
        }
        let statements = document.statement.iter().map(Statement::new).collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(!statements.is_empty(), "a policy without statements");
        Ok(Policy { statements })
    }

    pub(crate) fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

impl Statement {
    fn new(json: &JsonStatement) -> anyhow::Result<Self> {
        let pattern = |text: &str| {
            Pattern::parse(text).map_err(|_| anyhow!("a variable without its closing brace in {text:?}"))
        };
        Ok(Statement {
            effect: json.effect,
            // Actions are compared without regard to case, resources are not.
            actions: json
                .action
                .iter()
                .map(|text| pattern(&text.to_ascii_lowercase()))
                .collect::<Result<_, _>>()?,
            resources: json.resource.iter().map(|text| pattern(text)).collect::<Result<_, _>>()?,
            conditions: Conditions::parse(&json.condition)?,
        })
    }

    pub(crate) fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether the statement speaks of `action` on `resource`. What cannot be decided counts against the caller.
    pub(crate) fn applies(&self, action: &str, resource: &str, variables: &Variables) -> bool {
        let action = action.to_ascii_lowercase();
        if !self.actions.iter().any(|pattern| pattern.matches(&action, variables) == Some(true)) {
            return false;
        }
        let undecided = self.effect == Effect::Deny;
        self.resources.iter().any(|pattern| pattern.matches(resource, variables).unwrap_or(undecided))
            && self.conditions.hold(variables).unwrap_or(undecided)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<JsonStatement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct JsonStatement {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    action: OneOrMany<String>,
    resource: OneOrMany<String>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany<Scalar>>>,
}

/// Where IAM's grammar takes one value or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        match self {
            OneOrMany::One(value) => std::slice::from_ref(value).iter(),
            OneOrMany::Many(values) => values.iter(),
        }
    }
}
