//! The settings of the AWS SDK's clients, from the environment and a profile.
//!
//! Every client of the SDK is configured here. Left to itself, the SDK panics on an endpoint variable or a number of
//! attempts that is set and empty, and shows the whole request, with the token in it, for an endpoint without a scheme.

use aws_config::BehaviorVersion;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileLoadError, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_runtime::env_config::property::PropertiesKey;
use aws_smithy_types::retry::{RetryConfig, RetryMode};
use aws_types::SdkConfig;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use http::Uri;
use iot_transport::text::{one_line, words};
use iot_transport::{Cause, Route};

use super::{config_files, environment, part, sdk_failure, sdk_http};

/// A service that the SDK calls, by its ID in the names of settings
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/ss-endpoints-table.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    CognitoIdentity,
    SignIn,
    Sso,
    SsoOidc,
    Sts,
}

impl Service {
    /// As in `AWS_ENDPOINT_URL_STS`; a `services` section has it in lower case.
    fn id(self) -> &'static str {
        match self {
            Service::CognitoIdentity => "COGNITO_IDENTITY",
            Service::SignIn => "SIGNIN",
            Service::Sso => "SSO",
            Service::SsoOidc => "SSO_OIDC",
            Service::Sts => "STS",
        }
    }
}

/// A setting that cannot be used. The message names the variable, or the profile and its key.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct InvalidSetting(pub(super) String);

/// The settings of the environment and of one profile. There is no `Debug` form: profiles hold secrets.
pub(super) struct Settings {
    files: EnvConfigFiles,
    profiles: ProfileSet,
    route: Route,
}

/// A setting's value, and how a message names it.
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: String,
}

impl Settings {
    /// Reads the profile of that name in `files`; none, or an empty one, is the profile that `AWS_PROFILE` names, or
    /// `default`.
    ///
    /// # Errors
    /// A file that does not parse, with its path and the line. A profile that does not exist is none.
    pub(super) async fn of(
        files: EnvConfigFiles,
        name: Option<String>,
        route: &Route,
    ) -> Result<Self, Cause> {
        // The SDK writes them into the header User-Agent.
        for variable in ["AWS_EXECUTION_ENV", "AWS_SDK_UA_APP_ID"] {
            environment::variable(variable)?;
        }
        let name = match name.filter(|name| !name.is_empty()) {
            Some(name) => Some(name),
            None => environment::variable("AWS_PROFILE")?,
        };
        let selected = name.unwrap_or_else(|| "default".to_owned()).into();
        let loaded = aws_config::profile::load(&Fs::real(), &Env::real(), &files, Some(selected)).await;
        let profiles = loaded.map_err(|error| -> Cause {
            match error {
                // Path, line, and what the parser expected; nothing of the line.
                ProfileFileLoadError::ParseError { 0: error, .. } => {
                    InvalidSetting(words(&error.to_string()).collect::<Vec<_>>().join(" ")).into()
                }
                other => sdk_failure::of(other),
            }
        })?;
        Ok(Self { files, profiles, route: route.clone() })
    }

    /// As [`of`](Self::of) the usual files, for a service that needs no profile: files that cannot be read are left out
    /// with a warning.
    pub(super) async fn of_environment(route: &Route) -> Result<Self, Cause> {
        let read = match config_files::find(None, None) {
            Ok(files) => Self::of(files, None, route).await,
            Err(error @ iot_transport::Error::File { .. }) => Err(error.into()),
            Err(error) => return Err(error.into()),
        };
        match read {
            Err(error) => {
                log::warn!(
                    "the AWS configuration files are left out: {}",
                    iot_transport::text::Chain(&*error)
                );
                Self::without_files(route).await
            }
            read => read,
        }
    }

    /// The settings of the environment alone.
    pub(super) async fn without_files(route: &Route) -> Result<Self, Cause> {
        let none = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, "").build();
        Self::of(none, None, route).await
    }

    pub(super) fn profiles(&self) -> &ProfileSet {
        &self.profiles
    }

    /// The configuration of a client of `service` in `region`; without `credentials` its calls are not signed.
    ///
    /// # Errors
    /// [`InvalidSetting`] for an endpoint or a number of attempts that cannot be used.
    pub(super) async fn client(
        &self,
        service: Service,
        region: &str,
        credentials: Option<Credentials>,
    ) -> Result<SdkConfig, Cause> {
        // The token provider of IAM Identity Center makes a client of another service of it.
        let endpoints = match service {
            Service::Sso => {
                Endpoints { sso_oidc: self.endpoint(Service::SsoOidc)?, own: self.endpoint(service)? }
            }
            _ => Endpoints { sso_oidc: None, own: self.endpoint(service)? },
        };
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(sdk_http::client(&self.route))
            .profile_files(self.files.clone())
            .profile_name(self.profiles.selected_profile())
            .region(Region::new(region.to_owned()))
            .retry_config(self.retries()?)
            .no_credentials()
            .load()
            .await;
        let mut config = config.into_builder().service_config(endpoints);
        config.set_endpoint_url(None);
        config.set_credentials_provider(credentials.map(SharedCredentialsProvider::new));
        Ok(config.build())
    }

    /// For the metadata services, which have no endpoint among those above.
    pub(super) fn metadata(&self) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_http_client(sdk_http::client(&self.route))
    }

    /// The SDK's provider for what `aws login` has left, with AWS Sign-In in `region`.
    ///
    /// It is given a profile with nothing but the login, so that it assumes no role itself.
    ///
    /// # Errors
    /// [`InvalidSetting`] for a setting that cannot be used, or that this provider would not follow.
    pub(super) async fn login(
        &self,
        session: &str,
        region: &str,
    ) -> Result<ProfileFileCredentialsProvider, Cause> {
        let endpoint = self.endpoint(Service::SignIn)?;
        follows_environment(endpoint.as_deref())?;
        let endpoint = endpoint.map(|url| format!("endpoint_url = {url}\n")).unwrap_or_default();
        let profile = format!("[profile login]\nlogin_session = {session}\n{endpoint}");
        let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, profile).build();
        let client = self.client(Service::SignIn, region, None).await?;
        let config = self
            .metadata()
            .with_region(Some(Region::new(region.to_owned())))
            .with_retry_config(self.retries()?)
            .with_use_fips(client.use_fips())
            .with_use_dual_stack(client.use_dual_stack());
        Ok(ProfileFileCredentialsProvider::builder()
            .configure(&config)
            .profile_files(files)
            .profile_name("login")
            .build())
    }

    /// An `http://` or `https://` URL that the environment or the profile has in place of an address of AWS's own.
    pub(super) fn url(&self, variable: &str, key: &str) -> Result<Option<String>, Cause> {
        self.find(variable, key)?.map(url).transpose()
    }

    /// The endpoint of `service`, where it is not AWS's own.
    fn endpoint(&self, service: Service) -> Result<Option<String>, Cause> {
        const GENERAL: &str = "AWS_ENDPOINT_URL";
        const KEY: &str = "endpoint_url";
        let ignored = self.find("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls")?;
        if ignored.is_some_and(|ignored| ignored.value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let own = format!("{GENERAL}_{}", service.id());
        for name in [own.as_str(), GENERAL] {
            if let Some(value) = environment::variable(name)? {
                return url(Setting { name: name.to_owned(), value }).map(Some);
            }
        }
        // With underscores as documented, or with hyphens as in the names of the AWS CLI's commands.
        let name = service.id().to_ascii_lowercase();
        let of_service = self.of_services(&name, KEY);
        let of_service = of_service.or_else(|| self.of_services(&name.replace('_', "-"), KEY));
        of_service.or_else(|| self.of_profile(KEY)).map(url).transpose()
    }

    fn retries(&self) -> Result<RetryConfig, Cause> {
        let mut retries = RetryConfig::standard();
        if let Some(Setting { name, value }) = self.find("AWS_MAX_ATTEMPTS", "max_attempts")? {
            let attempts = value.parse().ok().filter(|&attempts: &u32| attempts > 0);
            retries = retries.with_max_attempts(attempts.ok_or_else(|| {
                InvalidSetting(format!("{name} {:?} is not a number of attempts, from 1", one_line(&value)))
            })?);
        }
        if let Some(Setting { name, value }) = self.find("AWS_RETRY_MODE", "retry_mode")? {
            let mode: Result<RetryMode, _> = value.parse();
            retries = retries.with_retry_mode(mode.map_err(|_| {
                InvalidSetting(format!("{name} {:?} is neither standard nor adaptive", one_line(&value)))
            })?);
        }
        Ok(retries)
    }

    /// A setting of the environment, or else of the profile.
    pub(super) fn find(&self, variable: &str, key: &str) -> Result<Option<Setting>, Cause> {
        Ok(match environment::variable(variable)? {
            Some(value) => Some(Setting { name: variable.to_owned(), value }),
            None => self.of_profile(key),
        })
    }

    fn of_profile(&self, key: &str) -> Option<Setting> {
        let value = self.profiles.get(key).map(str::trim).filter(|value| !value.is_empty())?;
        let profile = self.profiles.selected_profile();
        Some(Setting { name: format!("{key} of the profile \"{profile}\""), value: value.to_owned() })
    }

    /// A setting of the `services` section that the profile names.
    fn of_services(&self, service: &str, key: &str) -> Option<Setting> {
        let section = self.profiles.get("services")?;
        let place = PropertiesKey::builder()
            .section_key("services")
            .section_name(section)
            .property_name(service)
            .sub_property_name(key)
            .build()
            .ok()?;
        let value = self
            .profiles
            .other_sections()
            .get(&place)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())?;
        Some(Setting { name: format!("{key} of {service} in [services {section}]"), value: value.to_owned() })
    }
}

/// Refuses variables by which the SDK's provider of logins, which looks in the environment by itself, would send the
/// login to another endpoint than `endpoint`.
fn follows_environment(endpoint: Option<&str>) -> Result<(), Cause> {
    let variables = ["AWS_ENDPOINT_URL_SIGNIN", "AWS_ENDPOINT_URL"];
    let Some(name) = variables.into_iter().find(|name| std::env::var_os(name).is_some()) else {
        return Ok(());
    };
    match environment::variable(name)? {
        None => Err(InvalidSetting(format!("{name} is set but empty: unset it")).into()),
        Some(value) if endpoint == Some(&value) => Ok(()),
        Some(_) => Err(InvalidSetting(format!(
            "{name} cannot be ignored for a profile made by `aws login`, although ignore_configured_endpoint_urls \
             is set: unset {name}"
        ))
        .into()),
    }
}

/// The endpoints of one configuration, in place of what the SDK would look up.
#[derive(Debug)]
struct Endpoints {
    own: Option<String>,
    sso_oidc: Option<String>,
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        match (key.env(), key.service_id()) {
            ("AWS_ENDPOINT_URL", "SSO OIDC") => self.sso_oidc.clone(),
            ("AWS_ENDPOINT_URL", _) => self.own.clone(),
            _ => None,
        }
    }
}

/// Refuses text that the SDK takes for a URL and fails at later, with the whole request in its message.
fn url(setting: Setting) -> Result<String, Cause> {
    let Setting { name, value } = setting;
    part::check_text(&name, &value)?;
    // A password before the host is for nobody's eyes.
    let shown = if value.contains('@') { String::new() } else { format!(" {:?}", one_line(&value)) };
    let invalid = |problem: String| -> Cause { InvalidSetting(format!("{name}{shown} {problem}")).into() };
    let Some((scheme, rest)) = value.split_once("://") else {
        let correct = if shown.is_empty() { "https://…".to_owned() } else { format!("https://{value}") };
        return Err(invalid(format!("has no scheme: write {correct}")));
    };
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(invalid("begins with neither https:// nor http://".to_owned()));
    }
    let parsed: Result<Uri, _> = value.parse();
    match parsed.ok().as_ref().and_then(Uri::host) {
        Some(host) if !host.is_empty() && !rest.is_empty() => Ok(value),
        _ => Err(invalid("is not a URL".to_owned())),
    }
}
