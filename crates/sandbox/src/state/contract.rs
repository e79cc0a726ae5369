//! `sandbox.json`: what other programs may rely on.

use std::path::Path;

use serde::Serialize;

use crate::authorizer::Authorizers;
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
    pub(crate) device: DeviceFiles<'a>,
    pub(crate) credentials: Keys<'a>,
    pub(crate) cognito: &'a Cognito,
    pub(crate) sts: &'a Sts,
    pub(crate) sso: &'a Sso,
    pub(crate) sign_in: &'a SignIn,
    pub(crate) metadata: &'a Metadata,
    pub(crate) credentials_provider: &'a CredentialsProvider,
    pub(crate) authorizers: &'a Authorizers,
    pub(crate) proxies: &'a Proxies,
}

#[derive(Serialize)]
pub(crate) struct DeviceFiles<'a> {
    pub(crate) thing_name: &'a str,
    pub(crate) cert_file: &'a Path,
    pub(crate) key_file: &'a Path,
    pub(crate) pkcs12_file: &'a Path,
    pub(crate) pkcs12_password: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Keys<'a> {
    pub(crate) access_key_id: &'a str,
    pub(crate) secret_access_key: &'a str,
    pub(crate) session_token: &'a str,
}
