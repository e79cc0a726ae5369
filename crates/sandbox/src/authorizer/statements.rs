//! Many policies in few documents: an authorizer may answer with ten only.

use anyhow::Context;
use serde_json::{Value, json};

use crate::authorizer::answer::MAXIMUM_CHARACTERS;

/// Every distinct statement of the documents, in one document if it fits, or else in as few as hold them in this order.
pub(crate) fn merge(documents: &[String]) -> anyhow::Result<Vec<String>> {
    let mut statements: Vec<Value> = Vec::new();
    for text in documents {
        let document: Value = serde_json::from_str(text).context("not a policy document")?;
        let list = match &document["Statement"] {
            Value::Array(list) => list.clone(),
            one => vec![one.clone()],
        };
        for mut statement in list {
            // An ID has to be the only one in its document, and says nothing here.
            if let Some(fields) = statement.as_object_mut() {
                fields.remove("Sid");
            }
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
    }
    let mut groups: Vec<Vec<Value>> = Vec::new();
    for statement in statements {
        match groups.last_mut() {
            Some(group) if fits(group, &statement) => group.push(statement),
            _ => groups.push(vec![statement]),
        }
    }
    Ok(groups.iter().map(|group| document(group)).collect())
}

fn fits(group: &[Value], statement: &Value) -> bool {
    let more: Vec<_> = group.iter().chain([statement]).cloned().collect();
    document(&more).chars().count() <= MAXIMUM_CHARACTERS
}

fn document(statements: &[Value]) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(resource: &str) -> String {
        format!(r#"{{"Effect":"Allow","Action":"iot:Connect","Resource":"{resource}"}}"#)
    }

    #[test]
    fn equal_statements_become_one() {
        let documents = [
            format!(r#"{{"Statement":[{},{}]}}"#, statement("a"), statement("b")),
            format!(r#"{{"Version":"2012-10-17","Statement":{}}}"#, statement("a")),
            format!(r#"{{"Statement":[{}]}}"#, statement("b").replacen('{', r#"{"Sid":"again","#, 1)),
        ];
        let merged = merge(&documents).unwrap();
        let [text] = &merged[..] else { panic!("{merged:?}") };
        let json: Value = serde_json::from_str(text).unwrap();
        let resources: Vec<_> =
            json["Statement"].as_array().unwrap().iter().map(|statement| &statement["Resource"]).collect();
        assert_eq!(resources, ["a", "b"]);
    }

    #[test]
    fn what_does_not_fit_goes_into_the_next() {
        let documents: Vec<_> = ["a", "b", "c", "d", "e"]
            .map(|letter| format!(r#"{{"Statement":[{}]}}"#, statement(&letter.repeat(900))))
            .to_vec();
        let merged = merge(&documents).unwrap();
        let counts: Vec<_> = merged
            .iter()
            .map(|text| {
                assert!(text.chars().count() <= MAXIMUM_CHARACTERS);
                serde_json::from_str::<Value>(text).unwrap()["Statement"].as_array().unwrap().len()
            })
            .collect();
        assert_eq!(counts, [2, 2, 1]);
    }
}
