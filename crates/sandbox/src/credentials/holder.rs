//! Whom credentials belong to.

use crate::names::{ACCOUNT_ID, ROLE_NAME};
use crate::policy::{Principal, Variables};

const USER_NAME: &str = "sandbox-user";
/// What Cognito calls all of its sessions.
const COGNITO_SESSION: &str = "CognitoIdentityCredentials";

/// Who signs with a set of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The owner of the credentials that are made at the start.
    Iam,
    /// Whoever has assumed the role.
    Role { session: String },
    /// An identity of the Cognito identity pool.
    Cognito { identity_id: String, identity_pool_id: String, authenticated: bool },
}

/// Whose credentials they are, in the words of IAM
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) arn: String,
    pub(crate) user_id: String,
}

impl Holder {
    pub(crate) fn role(session: impl Into<String>) -> Self {
        Holder::Role { session: session.into() }
    }

    pub(crate) fn names(&self) -> Names {
        let assumed = |role: &str, id: &str, session: &str| Names {
            arn: format!("arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role}/{session}"),
            user_id: format!("{id}:{session}"),
        };
        match self {
            Holder::Iam => Names {
                arn: format!("arn:aws:iam::{ACCOUNT_ID}:user/{USER_NAME}"),
                user_id: "AIDASANDBOXSANDBOXSAN".to_owned(),
            },
            Holder::Role { session } => assumed(ROLE_NAME, "AROASANDBOXSANDBOXSAN", session),
            Holder::Cognito { authenticated: false, .. } => {
                assumed("Cognito_sandboxUnauth_Role", "AROASANDBOXSANDBOXUNA", COGNITO_SESSION)
            }
            Holder::Cognito { authenticated: true, .. } => {
                assumed("Cognito_sandboxAuth_Role", "AROASANDBOXSANDBOXAUT", COGNITO_SESSION)
            }
        }
    }

    /// The one to name in logs.
    pub(crate) fn principal(&self) -> Principal {
        match self {
            Holder::Iam => Principal::Iam,
            Holder::Role { .. } => Principal::Role,
            Holder::Cognito { authenticated: false, .. } => Principal::CognitoRole,
            Holder::Cognito { authenticated: true, .. } => Principal::CognitoIdentity,
        }
    }

    /// All whose policies have to allow what the holder does. For an authenticated identity of Cognito, AWS IoT asks
    /// the policies attached to the identity as well as those of its role
    /// (<https://docs.aws.amazon.com/iot/latest/developerguide/cog-iot-policies.html>).
    pub(crate) fn principals(&self) -> &'static [Principal] {
        match self {
            Holder::Iam => &[Principal::Iam],
            Holder::Role { .. } => &[Principal::Role],
            Holder::Cognito { authenticated: false, .. } => &[Principal::CognitoRole],
            Holder::Cognito { authenticated: true, .. } => {
                &[Principal::CognitoRole, Principal::CognitoIdentity]
            }
        }
    }

    /// The policy variables that its credentials bring.
    pub(crate) fn variables(&self) -> Variables {
        match self {
            Holder::Iam | Holder::Role { .. } => Variables::default(),
            Holder::Cognito { identity_id, identity_pool_id, .. } => Variables::default()
                .with("cognito-identity.amazonaws.com:sub", identity_id)
                .with("cognito-identity.amazonaws.com:aud", identity_pool_id),
        }
    }
}
