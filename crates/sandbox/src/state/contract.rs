//! `sandbox.json`: what other programs may rely on.

use std::path::Path;

use serde::Serialize;

use crate::authorizer::Authorizers;
use crate::credentials::Credentials;
use crate::device::Device;
use crate::proxy::Proxies;
use crate::services::{Cognito, CredentialsProvider, Metadata, SignIn, Sso, Sts};

/// The file's contents. A part that is not built yet is absent.
#[derive(Serialize)]
pub(crate) struct Contract<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) mqtt_port: u16,
    pub(crate) https_port: u16,
    pub(crate) region: &'a str,
    pub(crate) account_id: &'a str,
    pub(crate) ca_file: &'a Path,
    pub(crate) device: &'a Device,
    pub(crate) credentials: &'a Credentials,
    pub(crate) cognito: &'a Cognito,
    pub(crate) sts: &'a Sts,
    pub(crate) sso: &'a Sso,
    pub(crate) sign_in: &'a SignIn,
    pub(crate) metadata: &'a Metadata,
    pub(crate) credentials_provider: &'a CredentialsProvider,
    pub(crate) authorizers: &'a Authorizers,
    pub(crate) proxies: &'a Proxies,
}
