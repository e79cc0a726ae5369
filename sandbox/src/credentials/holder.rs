//! Whom credentials belong to.

use crate::policy::{Principal, Variables};

/// Who signs with a set of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The owner of the credentials that are made at the start.
    Iam,
    /// Whoever has assumed the role.
    Role,
    /// An identity of the Cognito identity pool.
    Cognito { identity_id: String, identity_pool_id: String, authenticated: bool },
}

impl Holder {
    /// The one to name in logs.
    pub(crate) fn principal(&self) -> Principal {
        match self {
            Holder::Iam => Principal::Iam,
            Holder::Role => Principal::Role,
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
            Holder::Role => &[Principal::Role],
            Holder::Cognito { authenticated: false, .. } => &[Principal::CognitoRole],
            Holder::Cognito { authenticated: true, .. } => {
                &[Principal::CognitoRole, Principal::CognitoIdentity]
            }
        }
    }

    /// The policy variables that its credentials bring.
    pub(crate) fn variables(&self) -> Variables {
        match self {
            Holder::Iam | Holder::Role => Variables::default(),
            Holder::Cognito { identity_id, identity_pool_id, .. } => Variables::default()
                .with("cognito-identity.amazonaws.com:sub", identity_id)
                .with("cognito-identity.amazonaws.com:aud", identity_pool_id),
        }
    }
}
