//! `cargo xtask policy`: a sample's policy, ready for the AWS console or `aws iot create-policy`.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::workspace::Workspace;
use crate::{hint, print};

/// The flags of `cargo xtask policy`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The sample's folder or package
    sample: String,
    /// The region of your endpoint, such as eu-west-1
    #[arg(long)]
    region: String,
    /// Your AWS account, 12 digits
    #[arg(long)]
    account: String,
    /// Only what allows this action, such as iot:Connect: where a sample needs permissions of several principals
    #[arg(long)]
    action: Option<String>,
}

/// Prints the policy on stdout.
pub(crate) fn policy(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let sample = workspace.sample(&args.sample)?;
    let file = workspace.policies().join(format!("{}.json", sample.folder));
    let template = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let filled = fill(&template, &args.region, &args.account)?;
    match &args.action {
        None => print::line(filled.trim_end())?,
        Some(action) => print::line(format!("{:#}", only(&filled, action)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The policy with the statements of `action` alone.
fn only(policy: &str, action: &str) -> Result<Value> {
    let mut policy: Value = serde_json::from_str(policy).context("the policy is not JSON")?;
    let statements = policy["Statement"].as_array_mut().context("the policy has no statements")?;
    let actions: Vec<_> = statements.iter().filter_map(|one| one["Action"].as_str()).collect();
    if !actions.contains(&action) {
        let hint = format!("it allows {}", actions.join(", "));
        return Err(hint::usage(format!("the policy does not allow `{action}`"), hint));
    }
    statements.retain(|one| one["Action"] == action);
    Ok(policy)
}

/// Puts the region and account in, and the partition that goes with the region.
fn fill(template: &str, region: &str, account: &str) -> Result<String> {
    if !is_region(region) {
        return Err(hint::usage(
            format!("`{region}` is not an AWS region"),
            "it is part of your endpoint's name: <prefix>-ats.iot.<region>.amazonaws.com",
        ));
    }
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(hint::usage(
            format!("`{account}` is not an AWS account ID"),
            "it has 12 digits and no dashes; `aws sts get-caller-identity` prints it",
        ));
    }
    let filled = template.replace("${region}", region).replace("${account}", account);
    Ok(filled.replace("arn:aws:", &format!("arn:{}:", partition(region))))
}

/// Two to four letters, words, and a number: `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let [first, words @ .., number] = parts.as_slice() else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    (2..=4).contains(&first.len())
        && is_word(first)
        && !words.is_empty()
        && words.iter().all(is_word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first part of an ARN after `arn:` (IAM user guide, "Amazon Resource Names"), by the partition data of the AWS SDKs.
fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("eu-isoe-") => "aws-iso-e",
        _ if region.starts_with("us-isof-") => "aws-iso-f",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "arn:aws:iot:${region}:${account}:client/test-*";

    #[test]
    fn placeholders_and_partition_are_filled_in() {
        let fill = |region| fill(TEMPLATE, region, "123456789012").unwrap();
        assert_eq!(fill("eu-west-1"), "arn:aws:iot:eu-west-1:123456789012:client/test-*");
        assert_eq!(fill("cn-north-1"), "arn:aws-cn:iot:cn-north-1:123456789012:client/test-*");
        assert_eq!(fill("us-gov-west-1"), "arn:aws-us-gov:iot:us-gov-west-1:123456789012:client/test-*");
        for (region, partition) in [
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
        ] {
            assert!(fill(region).starts_with(&format!("arn:{partition}:iot:{region}:")), "{region}");
        }
    }

    #[test]
    fn one_action_alone() {
        let policy = r#"{"Version":"1","Statement":[{"Action":"iot:A"},{"Action":"iot:B"}]}"#;
        assert_eq!(
            only(policy, "iot:B").unwrap().to_string(),
            r#"{"Statement":[{"Action":"iot:B"}],"Version":"1"}"#
        );
        let error = only(policy, "iot:C").unwrap_err();
        assert!(hint::of(&error).is_some_and(|hint| hint.contains("iot:A, iot:B")));
    }

    #[test]
    fn shape_of_a_region() {
        for region in ["us-east-1", "ap-southeast-5", "us-gov-west-1", "eusc-de-east-1"] {
            assert!(is_region(region), "{region}");
        }
        for text in
            ["", "us", "us-1", "us-east", "US-EAST-1", "us-east-1a", "us--1", "-east-1", "us-east-1 ", "*"]
        {
            assert!(!is_region(text), "{text}");
        }
    }

    #[test]
    fn wrong_account_or_region_is_named() {
        for account in ["", "12345678901", "1234567890123", "1234-5678-901", "12345678901x"] {
            let error = fill(TEMPLATE, "us-east-1", account).unwrap_err();
            assert_eq!(error.to_string(), format!("`{account}` is not an AWS account ID"));
        }
        let error = fill(TEMPLATE, "Ireland", "123456789012").unwrap_err();
        assert!(hint::of(&error).is_some_and(|hint| hint.contains("endpoint")));
    }

    /// A statement for each action, so that a test can take one away and watch the sample fail.
    #[test]
    fn every_sample_has_a_policy_of_single_actions() {
        let workspace = Workspace::locate().unwrap();
        for sample in workspace.samples().unwrap() {
            let file = workspace.policies().join(format!("{}.json", sample.folder));
            let template = fs::read_to_string(&file).unwrap_or_else(|_| panic!("{} has none", sample.folder));
            let filled = fill(&template, "us-east-1", "123456789012").unwrap();
            assert!(!filled.contains("${region}") && !filled.contains("${account}"));
            assert!(filled.len() <= 2048, "AWS takes no longer policy");
            let policy: Value = serde_json::from_str(&filled).unwrap();
            for statement in policy["Statement"].as_array().unwrap() {
                assert_eq!(statement["Effect"], "Allow");
                assert!(statement["Action"].is_string() && statement["Resource"].is_string(), "{statement}");
                assert_ne!(statement["Resource"], "*");
            }
        }
    }
}
