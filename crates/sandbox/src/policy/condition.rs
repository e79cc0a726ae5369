//! The `Condition` block of a statement.

use serde_json::Value;

use crate::policy::Variables;
use crate::policy::json::Node;
use crate::policy::pattern::Pattern;

/// All tests of one `Condition` block; every one has to hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions(Vec<Test>);

#[derive(Clone, Debug)]
struct Test {
    operator: Operator,
    key: String,
    /// One of them has to match.
    values: Vec<Pattern>,
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Matches,
    DoesNotMatch,
    /// Not known here: cannot be decided.
    Unknown,
}

impl Conditions {
    /// `block`: operator → key → values.
    pub(crate) fn parse(block: Option<&Node<'_>>) -> anyhow::Result<Self> {
        let mut tests = Vec::new();
        let Some(block) = block else { return Ok(Conditions(tests)) };
        for (name, keys) in block.object()?.all() {
            let (operator, wildcards) = match name {
                "StringEquals" | "Bool" => (Operator::Matches, false),
                "StringNotEquals" => (Operator::DoesNotMatch, false),
                "StringLike" => (Operator::Matches, true),
                "StringNotLike" => (Operator::DoesNotMatch, true),
                _ => (Operator::Unknown, false),
            };
            for (key, values) in keys.object()?.all() {
                let values = values.one_or_many()?;
                let values = values.iter().map(|value| {
                    let text = scalar(value)?;
                    if wildcards { Pattern::at(value, &text) } else { Pattern::literal_at(value, &text) }
                });
                let values = values.collect::<anyhow::Result<_>>()?;
                tests.push(Test { operator, key: key.to_owned(), values });
            }
        }
        Ok(Conditions(tests))
    }

    /// Whether all tests hold; `None` when one cannot be decided and none fails.
    pub(crate) fn hold(&self, variables: &Variables) -> Option<bool> {
        let mut undecided = false;
        for test in &self.0 {
            match test.holds(variables) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => undecided = true,
            }
        }
        if undecided { None } else { Some(true) }
    }
}

impl Test {
    fn holds(&self, variables: &Variables) -> Option<bool> {
        let actual = variables.value(&self.key)?;
        let any = self.values.iter().any(|value| value.matches(actual, variables) == Some(true));
        match self.operator {
            Operator::Matches => Some(any),
            Operator::DoesNotMatch => Some(!any),
            Operator::Unknown => None,
        }
    }
}

/// A condition's value: JSON policies write booleans and numbers with and without quotes.
fn scalar(node: &Node<'_>) -> anyhow::Result<String> {
    match node.value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(node.value.to_string()),
        _ => Err(node.expected("a string, a number or a Boolean value")),
    }
}
