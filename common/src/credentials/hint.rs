//! What to do when a source gives no credentials.

use std::error::Error as StdError;

use iot_transport::text::links;
use iot_transport::{HttpRefusal, Setting};

use super::chain::{Link, LinkFailed};
use super::cognito::{CognitoIdentity, OriginKind};
use super::login::LoginInvalid;
use super::part::InvalidPart;
use super::process::ProcessFailed;
use super::provider::Expired;
use super::services::{NoLogin, RoleRefused};
use super::settings::InvalidSetting;
use super::{CredentialSource, X509Credentials};

const ENVIRONMENT: &str =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary credentials";

impl CredentialSource {
    /// What to do about `cause`, for which this source gave none.
    pub(crate) fn hint(&self, cause: &(dyn StdError + 'static)) -> String {
        if find::<Expired>(cause).is_some() {
            return "set this machine's clock if it is fast; if it is right, the source hands out old credentials: \
                    renew them there"
                .to_owned();
        }
        if find::<InvalidPart>(cause).is_some() || find::<InvalidSetting>(cause).is_some() {
            return "correct the value where it is set, or take it away there".to_owned();
        }
        if let Some(login) = find::<NoLogin>(cause) {
            return login.hint();
        }
        if let Some(login) = find::<LoginInvalid>(cause) {
            return login.hint();
        }
        if find::<ProcessFailed>(cause).is_some() {
            return "run the command that the profile names (credential_process) by hand: it must print nothing but the \
                    credentials, as JSON of version 1, and exit with 0"
                .to_owned();
        }
        let link = find(cause).map(|failed: &LinkFailed| failed.link);
        if let Some(refused) = find::<RoleRefused>(cause)
            && link != Some(Link::WebIdentity)
            && let Some(hint) = role(refused, find(cause))
        {
            return hint;
        }
        match self {
            CredentialSource::DefaultChain => {
                default_chain(link).to_owned()
            }
            CredentialSource::Environment => ENVIRONMENT.to_owned(),
            CredentialSource::Profile { .. } => {
                "see ~/.aws/config and ~/.aws/credentials, or `aws configure list-profiles`; for IAM Identity Center, \
                 run `aws sso login`"
                    .to_owned()
            }
            CredentialSource::Static(_) => {
                "give both the access key ID and the secret access key".to_owned()
            }
            CredentialSource::Cognito(identity) => cognito(identity, find(cause)),
            CredentialSource::X509(provider) => x509(provider, find(cause)),
        }
    }
}

/// The first of type `T` among an error and its causes.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    links(error).find_map(<dyn StdError>::downcast_ref)
}

fn default_chain(failed: Option<Link>) -> &'static str {
    match failed {
        None => {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run `aws configure`; check with \
             `aws sts get-caller-identity`"
        }
        Some(Link::Environment) => ENVIRONMENT,
        Some(Link::Profile) => {
            "the chain ends at the profile, which is set up: correct what it names (source_profile, \
             credential_process), for IAM Identity Center (SSO) run `aws sso login`, or choose another with AWS_PROFILE"
        }
        Some(Link::WebIdentity) => {
            "check AWS_ROLE_ARN, that the file which AWS_WEB_IDENTITY_TOKEN_FILE names holds a token that has not \
             expired, and that the role trusts the token's identity provider"
        }
        Some(Link::Container) => {
            "check AWS_CONTAINER_CREDENTIALS_FULL_URI (or …_RELATIVE_URI) and AWS_CONTAINER_AUTHORIZATION_TOKEN (or \
             …_TOKEN_FILE), which the container's service sets"
        }
        Some(Link::InstanceMetadata) => {
            "check that the EC2 metadata service is enabled and AWS_EC2_METADATA_SERVICE_ENDPOINT, if set, its \
             address; off EC2, AWS_EC2_METADATA_DISABLED=true leaves it out"
        }
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_roles.html>
fn role(refused: &RoleRefused, refusal: Option<&HttpRefusal>) -> Option<String> {
    let arn = &refused.role;
    match refusal?.error_type.as_deref()? {
        "AccessDenied" => Some(format!(
            "the trust policy of {arn} must name whose credentials these are, and external_id be the one that it asks \
             for; a policy of theirs must allow sts:AssumeRole on the role"
        )),
        "ExpiredToken" | "InvalidClientTokenId" | "SignatureDoesNotMatch" => Some(
            "it is not the role but the credentials to assume it with: correct those of source_profile or \
             credential_source"
                .to_owned(),
        ),
        _ => None,
    }
}

/// The errors are those of
/// <https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html>.
fn cognito(identity: &CognitoIdentity, refusal: Option<&HttpRefusal>) -> String {
    let is = |code| refusal.is_some_and(|refusal: &HttpRefusal| refusal.is(code));
    let hint = if is("ResourceNotFoundException") {
        match (identity.origin(), identity.id()) {
            (OriginKind::Identity, _) => {
                return format!(
                    "is this an identity pool ID? then use {}; identities and pools have IDs of the same form, and \
                     `aws cognito-identity list-identity-pools` lists the pools",
                    Setting::CognitoPool
                );
            }
            (OriginKind::Pool, None) => {
                return format!(
                    "is this an identity ID? then use {}; `aws cognito-identity list-identity-pools` lists the pools",
                    Setting::CognitoIdentity
                );
            }
            (OriginKind::Pool, Some(_)) => "the identity that the pool gave has been deleted: start again",
        }
    } else if is("NotAuthorizedException") && identity.is_authenticated() {
        "the login's token must be valid, not expired, and of a provider that the pool lists; the provider's name must \
         be the pool's, such as cognito-idp.<region>.amazonaws.com/<user pool>"
    } else if is("NotAuthorizedException") {
        return format!(
            "without a login the pool must allow guest access (unauthenticated identities), and an identity that has \
             logins needs one: {}",
            Setting::Login
        );
    } else if is("InvalidIdentityPoolConfigurationException") {
        "give the pool a role, and let the role trust cognito-identity.amazonaws.com: `aws cognito-identity \
         get-identity-pool-roles` shows them"
    } else if is("ResourceConflictException") {
        return format!(
            "this login belongs to another identity: leave {} out and give the pool",
            Setting::CognitoIdentity
        );
    } else if is("TooManyRequestsException") || refusal.is_some_and(|refusal| refusal.status >= 500) {
        "the service is busy: try again in a while"
    } else {
        "check the ID and the network; Amazon Cognito is asked in the region that the ID begins with"
    };
    hint.to_owned()
}

fn x509(provider: &X509Credentials, refusal: Option<&HttpRefusal>) -> String {
    let alias = provider.role_alias().as_str();
    match refusal.map(|refusal| refusal.status) {
        Some(401 | 403) => {
            let thing = match provider.thing_name() {
                Some(name) => format!("the certificate must be attached to the thing {}", name.as_str()),
                None => format!("a policy with variables of a thing needs its name ({})", Setting::ThingName),
            };
            format!(
                "the certificate must be active and its policy allow iot:AssumeRoleWithCertificate on \
                 rolealias/{alias}; the alias's role must trust credentials.iot.amazonaws.com; {thing}"
            )
        }
        Some(404) => format!(
            "is there a role alias {alias} in this account and region? `aws iot list-role-aliases` tells; the endpoint \
             is the one of type iot:CredentialProvider"
        ),
        Some(429 | 500..=599) => "the service is busy: try again in a while".to_owned(),
        _ => {
            "check the endpoint: `aws iot describe-endpoint --endpoint-type iot:CredentialProvider` prints it"
                .to_owned()
        }
    }
}
