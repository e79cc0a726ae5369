//! The policies attached to each principal.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use parking_lot::RwLock;

use crate::policy::document::Policy;

/// AWS IoT's limit of policies attached to one principal.
const MAXIMUM_POLICIES: usize = 10;

/// Who a connection acts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Principal {
    /// An X.509 client certificate of a registered device.
    Device,
    /// The IAM identity of the sandbox's AWS credentials.
    Iam,
    /// The IAM role behind credentials that STS, the metadata services, SSO and the credentials provider give out.
    Role,
    /// The IAM role that a Cognito identity pool gives its identities.
    CognitoRole,
    /// An authenticated Cognito identity: beside its role's policies it needs IoT policies attached to itself.
    CognitoIdentity,
    /// Whoever a custom authorizer lets in; the policies are those of the authorizer's answer.
    Authorizer,
}

impl Principal {
    /// Those that policies are attached to.
    const ATTACHABLE: [Principal; 5] = [
        Principal::Device,
        Principal::Iam,
        Principal::Role,
        Principal::CognitoRole,
        Principal::CognitoIdentity,
    ];
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Principal::Device => "the device",
            Principal::Iam => "the IAM identity",
            Principal::Role => "the IAM role",
            Principal::CognitoRole => "the role of the Cognito identity pool",
            Principal::CognitoIdentity => "the Cognito identity",
            Principal::Authorizer => "the custom authorizer's principal",
        })
    }
}

/// The attached policies, by principal.
#[derive(Debug)]
pub(crate) struct PolicyStore {
    region: String,
    account_id: String,
    attached: RwLock<HashMap<Principal, Arc<Vec<Policy>>>>,
}

impl PolicyStore {
    pub(crate) fn new(region: &str, account_id: &str) -> Self {
        PolicyStore {
            region: region.to_owned(),
            account_id: account_id.to_owned(),
            attached: RwLock::default(),
        }
    }

    /// Attaches every `*.json` of a directory to all principals that policies are attached to, and returns the
    /// documents, filled in. More than ten are taken here, since the directory holds a policy for each sample and the
    /// sandbox has one principal for all of them.
    pub(crate) fn attach_directory(&self, directory: &Path) -> anyhow::Result<Vec<String>> {
        let trying = || format!("cannot read the policies directory {}", directory.display());
        let mut files = Vec::new();
        for entry in fs::read_dir(directory).with_context(trying)? {
            let path = entry.with_context(trying)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
        ensure!(!files.is_empty(), "the policies directory {} holds no *.json", directory.display());
        files.sort();
        let (mut documents, mut policies) = (Vec::new(), Vec::new());
        for file in &files {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            // Editors of Windows begin a file with a byte order mark, which is no JSON.
            let document = self.fill(text.trim_start_matches('\u{feff}'));
            let policy =
                Policy::parse(&document).with_context(|| format!("{} is no valid policy", file.display()))?;
            documents.push(document);
            policies.push(policy);
        }
        let policies = Arc::new(policies);
        for principal in Principal::ATTACHABLE {
            self.attached.write().insert(principal, Arc::clone(&policies));
        }
        Ok(documents)
    }

    /// Replaces the policies of one principal.
    pub(crate) fn replace(&self, principal: Principal, documents: &[String]) -> anyhow::Result<()> {
        let policies = self.parse(documents)?;
        self.attached.write().insert(principal, Arc::new(policies));
        Ok(())
    }

    /// Reads documents that together are a principal's; fails on what AWS IoT would not store.
    pub(crate) fn parse(&self, documents: &[String]) -> anyhow::Result<Vec<Policy>> {
        ensure!(
            documents.len() <= MAXIMUM_POLICIES,
            "{} policies for one principal; AWS IoT allows {MAXIMUM_POLICIES}",
            documents.len()
        );
        let numbered = documents.iter().enumerate();
        numbered
            .map(|(index, text)| {
                Policy::parse(&self.fill(text)).with_context(|| format!("policy {} is not valid", index + 1))
            })
            .collect()
    }

    /// The policies of a principal.
    pub(crate) fn of(&self, principal: Principal) -> Arc<Vec<Policy>> {
        self.attached.read().get(&principal).cloned().unwrap_or_default()
    }

    /// The ARN of a resource of this account.
    pub(crate) fn arn(&self, resource_type: &str, name: &str) -> String {
        format!("arn:aws:iot:{}:{}:{resource_type}/{name}", self.region, self.account_id)
    }

    /// Fills in `${region}` and `${account}`, which are the sandbox's own: AWS knows no such variables.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("${region}", &self.region).replace("${account}", &self.account_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Action, Permissions, PolicySource, Variables};

    const DOCUMENT: &str = r#"{"Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:${region}:${account}:client/*"}]}"#;

    fn store() -> Arc<PolicyStore> {
        Arc::new(PolicyStore::new("eu-west-1", "111122223333"))
    }

    #[test]
    fn fills_the_region_and_the_account() {
        let store = store();
        let permissions = Permissions::new(
            Arc::clone(&store),
            PolicySource::Attached(&[Principal::Device]),
            Variables::default(),
        );
        assert!(!permissions.allow(Action::Connect, "x"));
        store.replace(Principal::Device, &[DOCUMENT.to_owned()]).unwrap();
        assert!(permissions.allow(Action::Connect, "x"));
        store.replace(Principal::Device, &[]).unwrap();
        assert!(!permissions.allow(Action::Connect, "x"));
    }

    #[test]
    fn all_principals_have_to_allow() {
        let store = store();
        let both = PolicySource::Attached(&[Principal::CognitoRole, Principal::CognitoIdentity]);
        let permissions = Permissions::new(Arc::clone(&store), both, Variables::default());
        store.replace(Principal::CognitoRole, &[DOCUMENT.to_owned()]).unwrap();
        assert!(!permissions.allow(Action::Connect, "x"));
        store.replace(Principal::CognitoIdentity, &[DOCUMENT.to_owned()]).unwrap();
        assert!(permissions.allow(Action::Connect, "x"));
        store.replace(Principal::CognitoRole, &[]).unwrap();
        assert!(!permissions.allow(Action::Connect, "x"));
        let nobody = Permissions::new(store, PolicySource::Attached(&[]), Variables::default());
        assert!(!nobody.allow(Action::Connect, "x"));
    }

    #[test]
    fn keeps_to_the_limits_of_aws() {
        let store = store();
        store.replace(Principal::Iam, &vec![DOCUMENT.to_owned(); 10]).unwrap();
        let error = store.replace(Principal::Iam, &vec![DOCUMENT.to_owned(); 11]).unwrap_err();
        assert_eq!(error.to_string(), "11 policies for one principal; AWS IoT allows 10");
        // White space is free, other characters are not.
        store.replace(Principal::Iam, &[format!("{}{DOCUMENT}", " ".repeat(4000))]).unwrap();
        let long = DOCUMENT.replace("client/*", &"x".repeat(2048));
        let error = store.replace(Principal::Iam, &[long]).unwrap_err();
        assert!(format!("{error:#}").contains("AWS IoT allows 2048"), "{error:#}");
    }

    #[test]
    fn a_byte_order_mark_before_a_policy_is_skipped() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("policy.json"), format!("\u{feff}{DOCUMENT}")).unwrap();
        let documents = store().attach_directory(directory.path()).unwrap();
        assert!(documents[0].starts_with('{'), "{documents:?}");
    }

    #[test]
    fn a_directory_without_policies_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = store().attach_directory(directory.path()).unwrap_err().to_string();
        assert!(error.contains(&directory.path().display().to_string()), "{error}");
        let absent = directory.path().join("absent");
        let error = store().attach_directory(&absent).unwrap_err().to_string();
        assert!(error.contains(&absent.display().to_string()), "{error}");
    }

    #[test]
    fn a_malformed_file_is_named_with_the_field() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pubsub.json");
        std::fs::write(&file, DOCUMENT.replace("Action", "action")).unwrap();
        let error = format!("{:#}", store().attach_directory(directory.path()).unwrap_err());
        let field = r#"Statement[0].action is written "Action": capital letters count"#;
        assert_eq!(error, format!("{} is no valid policy: {field}", file.display()));
    }
}
