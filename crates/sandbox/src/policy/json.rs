//! A JSON document whose faults have a place: `Statement[1].Action[0]`.

use std::collections::HashSet;
use std::fmt;

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads a document.
pub(super) fn parse(text: &str) -> anyhow::Result<Value> {
    // A later field of the same name would silently take the place of the first.
    serde_json::from_str::<NoDuplicates>(text).context("its JSON is malformed")?;
    serde_json::from_str(text).context("its JSON is malformed")
}

/// A value of a document, and where it stands.
pub(super) struct Node<'a> {
    pub(super) value: &'a Value,
    path: String,
}

/// The fields of an object.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Node<'a> {
    /// The whole document.
    pub(super) fn root(value: &'a Value) -> Self {
        Node { value, path: String::new() }
    }

    /// An error about it; `problem` follows its path.
    pub(super) fn wrong(&self, problem: impl fmt::Display) -> anyhow::Error {
        match self.path.as_str() {
            "" => anyhow!("the document {problem}"),
            path => anyhow!("{path} {problem}"),
        }
    }

    /// An error that names what is expected instead of it.
    pub(super) fn expected(&self, what: &str) -> anyhow::Error {
        let kind = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a Boolean value",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.wrong(format_args!("is {kind}: {what} is expected"))
    }

    /// It as an object, whichever fields it has.
    pub(super) fn object(&self) -> anyhow::Result<Fields<'a>> {
        let map = self.value.as_object().ok_or_else(|| self.expected("an object"))?;
        Ok(Fields { map, path: self.path.clone() })
    }

    /// It as a string.
    pub(super) fn text(&self) -> anyhow::Result<&'a str> {
        self.value.as_str().ok_or_else(|| self.expected("a string"))
    }

    /// It, or each element of it: IAM's grammar takes one value or a list of them.
    pub(super) fn one_or_many(&self) -> anyhow::Result<Vec<Node<'a>>> {
        let Value::Array(values) = self.value else {
            return Ok(vec![Node { value: self.value, path: self.path.clone() }]);
        };
        if values.is_empty() {
            bail!(self.wrong("is an empty list"));
        }
        let numbered = values.iter().enumerate();
        Ok(numbered.map(|(index, value)| Node { value, path: format!("{}[{index}]", self.path) }).collect())
    }
}

impl<'a> Fields<'a> {
    /// Refuses a field that is none of `known`. `foreign` are those that other policies have, and why these have not.
    pub(super) fn only(&self, known: &[&str], foreign: &[(&str, &str)]) -> anyhow::Result<()> {
        for name in self.map.keys() {
            if known.contains(&name.as_str()) {
                continue;
            }
            let field = self.node(name, &Value::Null);
            if let Some(right) = known.iter().find(|known| known.eq_ignore_ascii_case(name)) {
                bail!(field.wrong(format_args!("is written {right:?}: capital letters count")));
            }
            if let Some((_, why)) = foreign.iter().find(|(foreign, _)| foreign.eq_ignore_ascii_case(name)) {
                bail!(field.wrong(why));
            }
            bail!(
                field.wrong(format_args!("is not a field of a policy; here there are {}", known.join(", ")))
            );
        }
        Ok(())
    }

    /// A field that has to be there.
    pub(super) fn required(&self, name: &str) -> anyhow::Result<Node<'a>> {
        self.optional(name).ok_or_else(|| self.node(name, &Value::Null).wrong("is missing"))
    }

    pub(super) fn optional(&self, name: &str) -> Option<Node<'a>> {
        self.map.get(name).map(|value| self.node(name, value))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'a str, Node<'a>)> {
        self.map.iter().map(|(name, value)| (name.as_str(), self.node(name, value)))
    }

    fn node<'b>(&self, name: &str, value: &'b Value) -> Node<'b> {
        let separator = if self.path.is_empty() { "" } else { "." };
        // A name may be anything, line ends included.
        Node { value, path: format!("{}{separator}{}", self.path, name.escape_debug()) }
    }
}

/// Any JSON none of whose objects has a field twice.
struct NoDuplicates;

impl<'de> Deserialize<'de> for NoDuplicates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NoDuplicates)
    }
}

impl<'de> Visitor<'de> for NoDuplicates {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self, A::Error> {
        while elements.next_element::<NoDuplicates>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some((name, _)) = fields.next_entry::<String, NoDuplicates>()? {
            if let Some(twice) = names.replace(name) {
                return Err(A::Error::custom(format_args!("the field {twice:?} occurs twice")));
            }
        }
        Ok(self)
    }
}
