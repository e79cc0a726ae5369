use std::env;
use std::ffi::OsString;

use clap::Args;
use iot_client::Auth;
use iot_transport::{Endpoint, region};

use super::error::usage;
use crate::credentials::CredentialSource;
use crate::sigv4_upgrade::SigV4;

/// The region that is signed for.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Signature")]
pub struct RegionArgs {
    /// The AWS region of the endpoint; read from the endpoint's name where it can be, else from AWS_REGION or
    /// AWS_DEFAULT_REGION.
    #[arg(long, visible_alias = "signing-region", alias = "signing_region")]
    pub region: Option<String>,
}

impl RegionArgs {
    /// A signature for `endpoint` with `credentials`.
    ///
    /// # Errors
    ///
    /// A region that is not to be known, or contradicts the endpoint's name.
    pub(super) fn sign_with(
        &self,
        credentials: CredentialSource,
        endpoint: &Endpoint,
    ) -> Result<Auth, clap::Error> {
        let region = self.signing_region(endpoint, |name| env::var_os(name))?;
        Ok(SigV4::new(credentials, region).into())
    }

    fn signing_region(
        &self,
        endpoint: &Endpoint,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<String, clap::Error> {
        match (self.region.as_deref(), endpoint.region()) {
            (Some(flag), Some(named)) if flag != named => Err(usage(format!(
                "--region {flag} contradicts the region in the name of --endpoint {}, which is {named}",
                endpoint.host()
            ))),
            (Some(region), _) => check("--region", region),
            (None, Some(region)) => Ok(region.to_owned()),
            (None, None) => {
                let set =
                    |name| variable(name).filter(|region| !region.is_empty()).map(|region| (name, region));
                match set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")) {
                    // Neither is the name of a region which is not UTF-8.
                    Some((name, region)) => check(name, &region.to_string_lossy()),
                    None => Err(usage(format!(
                        "--region (or AWS_REGION) is needed: the name of --endpoint {} does not tell it",
                        endpoint.host()
                    ))),
                }
            }
        }
    }
}

/// A region becomes part of what is signed; a typing error would come back as a wrong signature.
fn check(from: &str, region: &str) -> Result<String, clap::Error> {
    match region::is_name(region) {
        true => Ok(region.to_owned()),
        false => Err(usage(format!("{from} {region:?} is not the name of an AWS region, such as us-east-1"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signing_region(host: &str, flag: Option<&str>, ambient: Option<&str>) -> Result<String, String> {
        let endpoint = Endpoint::parse(host).unwrap();
        // An empty variable counts as unset.
        let variable = |name: &str| match name {
            "AWS_REGION" => Some(OsString::new()),
            _ => ambient.map(OsString::from),
        };
        let args = RegionArgs { region: flag.map(str::to_owned) };
        args.signing_region(&endpoint, variable).map_err(|error| error.to_string())
    }

    #[test]
    fn the_region_comes_from_the_flag_the_name_or_the_environment() {
        let aws = "a1b2c3-ats.iot.eu-west-1.amazonaws.com";
        assert_eq!(signing_region(aws, None, Some("us-east-2")).as_deref(), Ok("eu-west-1"));
        assert_eq!(signing_region(aws, Some("eu-west-1"), None).as_deref(), Ok("eu-west-1"));
        for (other, region) in [
            ("a1b2c3-ats.iot.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
            ("a1b2c3-ats.iot.eu-west-1.api.aws", "eu-west-1"),
        ] {
            assert_eq!(signing_region(other, None, Some("us-east-2")).as_deref(), Ok(region));
            assert!(signing_region(other, Some("us-east-1"), None).unwrap_err().contains("contradicts"));
        }
        assert_eq!(signing_region("localhost", Some("us-east-1"), None).as_deref(), Ok("us-east-1"));
        assert_eq!(signing_region("localhost", None, Some("us-gov-west-1")).as_deref(), Ok("us-gov-west-1"));
        let error = signing_region(aws, Some("us-east-1"), None).unwrap_err();
        assert!(error.contains("us-east-1") && error.contains("eu-west-1"), "{error}");
        assert!(signing_region("localhost", None, None).unwrap_err().contains("--region"));
        let error = signing_region("localhost", None, Some("foo")).unwrap_err();
        assert!(error.contains("AWS_DEFAULT_REGION"), "{error}");
        for bad in ["", "us east 1", "US-EAST-1", "localhost"] {
            assert!(signing_region("localhost", Some(bad), None).is_err(), "{bad:?}");
        }
    }
}
