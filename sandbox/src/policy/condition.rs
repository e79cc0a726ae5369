//! The `Condition` block of a statement.

use std::collections::BTreeMap;

use anyhow::anyhow;

use crate::policy::Variables;
use crate::policy::document::OneOrMany;
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
    pub(crate) fn parse(
        block: &BTreeMap<String, BTreeMap<String, OneOrMany<Scalar>>>,
    ) -> anyhow::Result<Self> {
        let mut tests = Vec::new();
        for (name, keys) in block {
            let (operator, wildcards) = match name.as_str() {
                "StringEquals" | "Bool" => (Operator::Matches, false),
                "StringNotEquals" => (Operator::DoesNotMatch, false),
                "StringLike" => (Operator::Matches, true),
                "StringNotLike" => (Operator::DoesNotMatch, true),
                _ => (Operator::Unknown, false),
            };
            for (key, values) in keys {
                let values = values
                    .iter()
                    .map(|value| {
                        let text = value.text();
                        let parsed = if wildcards { Pattern::parse(&text) } else { Pattern::literal(&text) };
                        parsed.map_err(|_| anyhow!("a variable without its closing brace in {text:?}"))
                    })
                    .collect::<anyhow::Result<_>>()?;
                tests.push(Test { operator, key: key.clone(), values });
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
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum Scalar {
    Text(String),
    Bool(bool),
    Number(serde_json::Number),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Scalar::Text(text) => text.clone(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Number(value) => value.to_string(),
        }
    }
}
