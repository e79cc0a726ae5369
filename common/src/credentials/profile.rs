//! Credentials of a profile of the AWS configuration files
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>).
//!
//! A profile with `role_arn` trades the credentials of another one for those of the role; the SDK's own provider does
//! the same, but tells of a refusal in its debug format and of a profile without credentials not at all.

use aws_config::profile::{Profile, ProfileSet};
use aws_credential_types::Credentials;
use iot_transport::{Cause, region};

use super::login::Login;
use super::metadata::{self, Absent};
use super::process::CredentialProcess;
use super::services::{Role, Sso};
use super::settings::Settings;
use super::{environment, part};

/// The profile that was asked for holds no credentials, as one with a region alone.
#[derive(Debug, thiserror::Error)]
#[error(
    "the profile \"{0}\" holds no credentials: no aws_access_key_id, role_arn, sso_account_id, credential_process \
     or login_session"
)]
pub(super) struct NoCredentials(String);

/// The profile that was asked for is in none of the files.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoSuchProfile(String);

/// The source of a profile's credentials, and the roles that they are traded for, in this order.
struct Plan {
    base: Base,
    roles: Vec<Role>,
}

enum Base {
    Keys(Credentials),
    /// `credential_source`.
    Named(Named),
    WebIdentity {
        role: Role,
        file: String,
    },
    Sso(Sso),
    /// `credential_process`.
    Process(CredentialProcess),
    /// `login_session`.
    Login(Login),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Environment,
    Ec2InstanceMetadata,
    EcsContainer,
}

/// The credentials of the profile that `settings` are for; STS is asked in `region`.
///
/// # Errors
/// [`NoCredentials`] where the profile says nothing of credentials.
pub(super) async fn credentials(settings: &Settings, region: &str) -> Result<Credentials, Cause> {
    let Plan { base, roles } = plan(settings.profiles())?;
    let mut credentials = match base {
        Base::Keys(credentials) => credentials,
        Base::Named(Named::Environment) => environment::credentials()?.ok_or_else(environment::not_set)?,
        Base::Named(Named::Ec2InstanceMetadata) => present(metadata::instance(settings).await)?,
        Base::Named(Named::EcsContainer) => present(metadata::container(settings).await)?,
        Base::WebIdentity { role, file } => settings.assume_with_token(&role, region, file.into()).await?,
        Base::Sso(sso) => settings.role_of_login(&sso).await?,
        Base::Process(process) => process.run().await?,
        Base::Login(login) => login.credentials(settings, region).await?,
    };
    for role in roles {
        check(&credentials)?;
        credentials = settings.assume(&role, region, credentials).await?;
    }
    Ok(credentials)
}

/// The profile names the source: one that is absent is an error, and the chain does not go on to another.
fn present(asked: Result<Credentials, Cause>) -> Result<Credentials, Cause> {
    asked.map_err(|error| match error.downcast::<Absent>() {
        Ok(absent) => format!("credential_source: {absent}").into(),
        Err(error) => error,
    })
}

/// Refuses credentials that a header or a signature cannot hold, whoever gave them.
pub(super) fn check(credentials: &Credentials) -> Result<(), part::InvalidPart> {
    part::check("the access key ID", credentials.access_key_id())?;
    part::check("the secret access key", credentials.secret_access_key())?;
    part::check("the session token", credentials.session_token().unwrap_or_default())
}

/// Follows the profiles from the selected one to where the credentials are.
fn plan(profiles: &ProfileSet) -> Result<Plan, Cause> {
    let mut path = vec![profiles.selected_profile()];
    let mut roles = Vec::new();
    let base = loop {
        let name = path[path.len() - 1];
        let profile = profiles.get_profile(name).ok_or_else(|| missing(profiles, &path))?;
        // The keys of a profile that another one names come before its role; half a key counts as none.
        if path.len() > 1 {
            match keys(profile) {
                Ok(Some(keys)) => break Base::Keys(keys),
                Err(error) if error.is::<part::InvalidPart>() => return Err(error),
                Ok(None) | Err(_) => {}
            }
        }
        let Some(role) = role(profile) else { break base(profiles, profile, path.len() == 1)? };
        roles.push(role);
        let source_profile = get(profile, "source_profile");
        match (source_profile, get(profile, "credential_source")) {
            (Some(_), Some(_)) => {
                return Err(invalid(
                    profile,
                    "has both source_profile and credential_source: one of them is too many",
                ));
            }
            (None, None) => {
                return Err(invalid(
                    profile,
                    "has role_arn, but neither source_profile nor credential_source to assume the role with",
                ));
            }
            (None, Some(_)) => break base(profiles, profile, false)?,
            (Some(source), None) if source == name => {
                break match base(profiles, profile, true) {
                    Err(error) if error.is::<NoCredentials>() => {
                        return Err(invalid(
                            profile,
                            "is its own source_profile, and holds no credentials to assume the role with",
                        ));
                    }
                    base => base?,
                };
            }
            (Some(source), None) if path.contains(&source) => {
                let path = path.join(" → ");
                return Err(format!(
                    "the source_profile of these profiles leads in a circle: {path} → {source}"
                )
                .into());
            }
            (Some(source), None) => path.push(source),
        }
    };
    roles.reverse();
    Ok(Plan { base, roles })
}

/// `is_selected`: nothing but its name led to this profile.
fn base(profiles: &ProfileSet, profile: &Profile, is_selected: bool) -> Result<Base, Cause> {
    if let Some(source) = get(profile, "credential_source") {
        return named(profile, source).map(Base::Named);
    }
    if let Some(file) = get(profile, "web_identity_token_file") {
        let role =
            arn(profile).ok_or_else(|| invalid(profile, "has web_identity_token_file but no role_arn"))?;
        return Ok(Base::WebIdentity { role, file: file.to_owned() });
    }
    if let Some(sso) = sso(profiles, profile)? {
        return Ok(Base::Sso(sso));
    }
    if let Some(session) = get(profile, "login_session") {
        let region = get(profile, "region").map(ToOwned::to_owned);
        return Ok(Base::Login(Login { session: session.to_owned(), region }));
    }
    if let Some(command) = get(profile, "credential_process") {
        let (profile, command) = (profile.name().to_owned(), command.to_owned());
        return Ok(Base::Process(CredentialProcess { profile, command }));
    }
    match keys(profile)? {
        Some(keys) => Ok(Base::Keys(keys)),
        None if is_selected => Err(NoCredentials(profile.name().to_owned()).into()),
        None => Err(invalid(profile, "is a source_profile, and holds no credentials")),
    }
}

fn named(profile: &Profile, source: &str) -> Result<Named, Cause> {
    let known = [
        ("Environment", Named::Environment),
        ("Ec2InstanceMetadata", Named::Ec2InstanceMetadata),
        ("EcsContainer", Named::EcsContainer),
    ];
    let found = known.into_iter().find(|(name, _)| source.eq_ignore_ascii_case(name)).map(|(_, named)| named);
    found.ok_or_else(|| {
        let known = known.map(|(name, _)| name).join(", ");
        invalid(profile, &format!("has credential_source = {source}, which is none of {known}"))
    })
}

/// The role of a profile that takes its credentials elsewhere. A web identity's role is where they begin.
fn role(profile: &Profile) -> Option<Role> {
    get(profile, "web_identity_token_file").is_none().then(|| arn(profile)).flatten()
}

fn arn(profile: &Profile) -> Option<Role> {
    let text = |key| get(profile, key).map(ToOwned::to_owned);
    let (session_name, external_id) = (text("role_session_name"), text("external_id"));
    Some(Role { arn: text("role_arn")?, session_name, external_id })
}

fn sso(profiles: &ProfileSet, profile: &Profile) -> Result<Option<Sso>, Cause> {
    // Without a role these settings are for tokens alone.
    if ["sso_account_id", "sso_role_name"].iter().all(|key| get(profile, key).is_none()) {
        return Ok(None);
    }
    let session = get(profile, "sso_session");
    let of_session = match session {
        Some(name) => Some(profiles.sso_session(name).ok_or_else(|| {
            invalid(
                profile,
                &format!("has sso_session = {name}, and there is no section [sso-session {name}]"),
            )
        })?),
        None => None,
    };
    let of_both = |key| {
        let of_session = of_session.and_then(|session| session.get(key)).filter(|value| !value.is_empty());
        of_session.or_else(|| get(profile, key))
    };
    let part = |key| {
        let found = of_both(key).map(ToOwned::to_owned);
        found.ok_or_else(|| {
            invalid(profile, &format!("is one for IAM Identity Center (SSO), and has no {key}"))
        })
    };
    let sso = Sso {
        account_id: part("sso_account_id")?,
        role_name: part("sso_role_name")?,
        region: part("sso_region")?,
        start_url: part("sso_start_url")?,
        session: session.map(ToOwned::to_owned),
    };
    // It becomes part of a host name.
    match region::is_name(&sso.region) {
        true => Ok(Some(sso)),
        false => Err(invalid(
            profile,
            "has an sso_region that is not the name of an AWS region, such as us-east-1",
        )),
    }
}

fn keys(profile: &Profile) -> Result<Option<Credentials>, Cause> {
    let part = |key| -> Result<Option<String>, Cause> {
        let Some(value) = get(profile, key) else { return Ok(None) };
        part::check(&format!("{key} of the profile \"{}\"", profile.name()), value)?;
        Ok(Some(value.to_owned()))
    };
    let (id, secret, token) =
        (part("aws_access_key_id")?, part("aws_secret_access_key")?, part("aws_session_token")?);
    let (id, secret) = match (id, secret, &token) {
        (Some(id), Some(secret), _) => (id, secret),
        (None, None, None) => return Ok(None),
        (None, _, _) => return Err(invalid(profile, "has part of an access key, and no aws_access_key_id")),
        (_, None, _) => return Err(invalid(profile, "has aws_access_key_id but no aws_secret_access_key")),
    };
    let mut credentials =
        Credentials::builder().access_key_id(id).secret_access_key(secret).provider_name("ProfileFile");
    credentials.set_session_token(token);
    credentials.set_account_id(part("aws_account_id")?.map(Into::into));
    Ok(Some(credentials.build()))
}

/// A setting of the profile; an empty one counts as none.
fn get<'a>(profile: &'a Profile, key: &str) -> Option<&'a str> {
    profile.get(key).map(str::trim).filter(|value| !value.is_empty())
}

fn invalid(profile: &Profile, problem: &str) -> Cause {
    format!("the profile \"{}\" {problem}", profile.name()).into()
}

/// `path` ends with the profile that is in none of the files.
fn missing(profiles: &ProfileSet, path: &[&str]) -> Cause {
    if let [.., by, name] = path {
        return format!("the profile \"{by}\" has source_profile = {name}, and there is no such profile")
            .into();
    }
    let mut others: Vec<_> = profiles.profiles().collect();
    others.sort_unstable();
    let problem = match others.is_empty() {
        true => "the AWS configuration files define no profile".to_owned(),
        false => format!("there is no such profile, only {}", others.join(", ")),
    };
    NoSuchProfile(problem).into()
}
