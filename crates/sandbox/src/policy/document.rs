//! Policy documents: from JSON to statements that can be asked.

use anyhow::{bail, ensure};

use crate::policy::Variables;
use crate::policy::condition::Conditions;
use crate::policy::json::{self, Node};
use crate::policy::pattern::Pattern;

/// AWS IoT's limit, in characters; white space does not count.
const MAXIMUM_LENGTH: usize = 2048;

/// The fields of a document, and of a statement
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html>).
const DOCUMENT: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT: [&str; 5] = ["Sid", "Effect", "Action", "Resource", "Condition"];

/// Those that statements of IAM's policies may have beside.
const FOREIGN: [(&str, &str); 4] = [
    ("Principal", "is not for AWS IoT policies: they are attached to the principal"),
    ("NotPrincipal", "is not for AWS IoT policies: they are attached to the principal"),
    ("NotAction", "is not supported: list the actions in Action, and add a Deny for exceptions"),
    ("NotResource", "is not supported: list the resources in Resource, and add a Deny for exceptions"),
];

/// One policy.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
}

/// What a statement does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let document = json::parse(text)?;
        let document = Node::root(&document).object()?;
        document.only(&DOCUMENT, &[])?;
        if let Some(id) = document.optional("Id") {
            id.text()?;
        }
        if let Some(version) = document.optional("Version")
            && !matches!(version.text()?, "2012-10-17" | "2008-10-17")
        {
            bail!(version.wrong(format_args!("is {}: \"2012-10-17\" is expected", version.value)));
        }
        let statements = document.required("Statement")?.one_or_many()?;
        let statements = statements.iter().map(Statement::new).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Policy { statements })
    }

    pub(crate) fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

impl Statement {
    fn new(node: &Node<'_>) -> anyhow::Result<Self> {
        let fields = node.object()?;
        fields.only(&STATEMENT, &FOREIGN)?;
        if let Some(id) = fields.optional("Sid") {
            id.text()?;
        }
        let effect = fields.required("Effect")?;
        let effect = match effect.text()? {
            "Allow" => Effect::Allow,
            "Deny" => Effect::Deny,
            _ => bail!(effect.wrong(format_args!("is {}: \"Allow\" or \"Deny\" is expected", effect.value))),
        };
        let actions = fields.required("Action")?.one_or_many()?;
        let resources = fields.required("Resource")?.one_or_many()?;
        Ok(Statement {
            effect,
            // Actions are compared without regard to case, resources are not.
            actions: actions.iter().map(action).collect::<anyhow::Result<_>>()?,
            resources: resources
                .iter()
                .map(|node| Pattern::at(node, node.text()?))
                .collect::<anyhow::Result<_>>()?,
            conditions: Conditions::parse(fields.optional("Condition").as_ref())?,
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

fn action(node: &Node<'_>) -> anyhow::Result<Pattern> {
    let text = node.text()?;
    if text != "*" && !text.contains(':') {
        bail!(node.wrong(format_args!("is {text:?} without its service: \"iot:{text}\" is expected")));
    }
    Pattern::at(node, &text.to_ascii_lowercase())
}
