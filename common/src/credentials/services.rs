//! The services that trade one proof of who asks for temporary AWS credentials.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::sso::SsoTokenProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::token::ProvideToken;
use aws_lc_rs::digest;
use aws_runtime::fs_util::{Os, home_dir};
use aws_sdk_sts::types::Credentials as StsCredentials;
use aws_smithy_types::DateTime;
use aws_types::os_shim_internal::Env;
use iot_transport::{Cause, file};

use super::sdk_failure;
use super::settings::{Service, Settings};

/// The longest web identity token that is read, in bytes. AWS STS takes 20,000 characters.
const MAX_TOKEN: u64 = 64 * 1024;

/// A role of AWS IAM, with the values that its trust policy may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session_name: Option<String>,
    pub(super) external_id: Option<String>,
}

/// A service does not give the credentials of a role. The proof that it was shown lies in files and in the environment,
/// where it can be renewed.
#[derive(Debug, thiserror::Error)]
#[error("{service} does not give the role {role}")]
pub(super) struct RoleRefused {
    service: &'static str,
    /// Its ARN, or its name in IAM Identity Center.
    pub(super) role: String,
    source: Cause,
}

/// There is no login to IAM Identity Center.
#[derive(Debug, thiserror::Error)]
#[error("there is no valid login to IAM Identity Center (SSO) for {login}")]
pub(super) struct NoLogin {
    login: String,
    source: Cause,
}

#[cfg(test)]
impl RoleRefused {
    pub(super) fn for_test(source: Cause) -> Self {
        Self { service: "AWS STS", role: "a".to_owned(), source }
    }
}

impl NoLogin {
    pub(super) fn hint(&self) -> String {
        "run `aws sso login`, with --profile or --sso-session for another than the default profile (SSO)"
            .to_owned()
    }
}

/// The settings of a profile for IAM Identity Center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sso {
    pub(super) account_id: String,
    pub(super) role_name: String,
    pub(super) region: String,
    pub(super) start_url: String,
    /// Of older profiles there is none, and the login is kept under the start URL.
    pub(super) session: Option<String>,
}

impl Settings {
    /// Trades `credentials` for those of `role`, at AWS STS in `region`.
    pub(super) async fn assume(
        &self,
        role: &Role,
        region: &str,
        credentials: Credentials,
    ) -> Result<Credentials, Cause> {
        let session_token = credentials.session_token().unwrap_or_default().to_owned();
        let client = aws_sdk_sts::Client::new(&self.client(Service::Sts, region, Some(credentials)).await?);
        let call = client
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(role.session_name())
            .set_external_id(role.external_id.clone());
        let refused = |error| role.refused(sdk_failure::of_call(error, &[&session_token]));
        let answer = call.send().await.map_err(refused)?;
        given(answer.credentials, "AssumeRoleProvider")
    }

    /// Trades the token in the file `path` for the credentials of `role`, at AWS STS in `region`.
    pub(super) async fn assume_with_token(
        &self,
        role: &Role,
        region: &str,
        path: PathBuf,
    ) -> Result<Credentials, Cause> {
        let content = file::read("web identity token", &path, MAX_TOKEN)?
            .ok_or_else(|| format!("the web identity token {} is larger than 64 KiB", path.display()))?;
        let token = String::from_utf8(file::decode(content))
            .map_err(|_| format!("the web identity token {} is not UTF-8", path.display()))?;
        // Editors and `echo` end the last line.
        let token = token.trim();
        if token.is_empty() {
            return Err(format!("the web identity token {} is empty", path.display()).into());
        }
        let client = aws_sdk_sts::Client::new(&self.client(Service::Sts, region, None).await?);
        let call = client
            .assume_role_with_web_identity()
            .role_arn(&role.arn)
            .role_session_name(role.session_name())
            .web_identity_token(token);
        let refused = |error| role.refused(sdk_failure::of_call(error, &[token]));
        let answer = call.send().await.map_err(refused)?;
        given(answer.credentials, "WebIdentityToken")
    }

    /// Trades the login that `aws sso login` has left for the credentials of a role.
    pub(super) async fn role_of_login(&self, sso: &Sso) -> Result<Credentials, Cause> {
        let config = self.client(Service::Sso, &sso.region, None).await?;
        // The login's file has the same form for both kinds of profile; its name is the SHA-1 of this.
        let login = sso.session.as_ref().unwrap_or(&sso.start_url);
        let no_login = |source| NoLogin { login: login.clone(), source };
        check_login(login).map_err(no_login)?;
        let token = SsoTokenProvider::builder()
            .configure(&config)
            .region(aws_types::region::Region::new(sso.region.clone()))
            .start_url(&sso.start_url)
            .session_name(login)
            .build()
            .await
            .provide_token()
            .await
            .map_err(|error| no_login(sdk_failure::of(error)))?;
        let call = aws_sdk_sso::Client::new(&config)
            .get_role_credentials()
            .role_name(&sso.role_name)
            .account_id(&sso.account_id)
            .access_token(token.token());
        let answer = call.send().await.map_err(|error| RoleRefused {
            service: "IAM Identity Center (SSO)",
            role: sso.role_name.clone(),
            source: sdk_failure::of_call(error, &[token.token()]),
        })?;
        let given = answer.role_credentials().ok_or("the answer holds no credentials")?;
        let expiration =
            u64::try_from(given.expiration()).map_err(|_| "the answer's expiration is not a time")?;
        Ok(Credentials::new(
            given.access_key_id().ok_or("the answer's credentials have no access key ID")?,
            given.secret_access_key().ok_or("the answer's credentials have no secret access key")?,
            given.session_token().map(ToOwned::to_owned),
            UNIX_EPOCH.checked_add(Duration::from_millis(expiration)),
            "SSO",
        ))
    }
}

impl Role {
    /// Each session has a name, which AWS CloudTrail shows.
    fn session_name(&self) -> String {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        self.session_name.clone().unwrap_or_else(|| format!("aws-iot-samples-{}", now()))
    }

    fn refused(&self, source: Cause) -> RoleRefused {
        RoleRefused { service: "AWS STS", role: self.arn.clone(), source }
    }
}

/// Names the file of a login that cannot be read; the SDK does not.
fn check_login(login: &str) -> Result<(), Cause> {
    let home = home_dir(&Env::real(), Os::real()).ok_or("there is no home directory")?;
    let name = hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, login.as_bytes()));
    let file = PathBuf::from(home).join(".aws/sso/cache").join(name).with_extension("json");
    match File::open(&file) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("cannot read {}: {error}", file.display()).into()),
    }
}

fn given(credentials: Option<StsCredentials>, provider: &'static str) -> Result<Credentials, Cause> {
    let given = credentials.ok_or("the answer holds no credentials")?;
    let expiration: DateTime = *given.expiration();
    Ok(Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token().to_owned()),
        Some(SystemTime::try_from(expiration).map_err(|_| "the answer's expiration is not a time")?),
        provider,
    ))
}
