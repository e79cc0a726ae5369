//! The registry: which certificate belongs to which thing.

use std::collections::HashMap;

use anyhow::{Context, anyhow};
use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::policy::Variables;

/// A certificate that was registered, with the thing it is attached to.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    /// The SHA-256 of its DER, as AWS IoT names certificates.
    pub(crate) certificate_id: String,
    pub(crate) thing_name: String,
    /// `iot:Certificate.Subject.*`.
    pub(crate) subject: Variables,
}

/// All registered certificates, by the SHA-256 of their DER.
#[derive(Debug, Default)]
pub(crate) struct Things(RwLock<HashMap<[u8; 32], Registered>>);

impl Things {
    /// Registers a certificate and attaches it to a thing.
    pub(crate) fn register(&self, thing_name: &str, certificate: &[u8]) -> anyhow::Result<()> {
        let fingerprint: [u8; 32] = Sha256::digest(certificate).into();
        let registered = Registered {
            certificate_id: hex::encode(fingerprint),
            thing_name: thing_name.to_owned(),
            subject: subject(certificate)?,
        };
        self.0.write().insert(fingerprint, registered);
        Ok(())
    }

    pub(crate) fn find(&self, certificate: &[u8]) -> Option<Registered> {
        let fingerprint: [u8; 32] = Sha256::digest(certificate).into();
        self.0.read().get(&fingerprint).cloned()
    }

    /// Whether a thing has this name.
    pub(crate) fn exists(&self, thing_name: &str) -> bool {
        self.0.read().values().any(|registered| registered.thing_name == thing_name)
    }
}

fn subject(certificate: &[u8]) -> anyhow::Result<Variables> {
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|error| anyhow!("not a certificate: {error}"))?;
    let subject = certificate.subject();
    let attributes = [
        ("CommonName", subject.iter_common_name().next()),
        ("Country", subject.iter_country().next()),
        ("Organization", subject.iter_organization().next()),
        ("OrganizationalUnit", subject.iter_organizational_unit().next()),
        ("State", subject.iter_state_or_province().next()),
    ];
    let mut variables = Variables::default();
    for (name, attribute) in attributes {
        if let Some(attribute) = attribute {
            let value = attribute.as_str().with_context(|| format!("the subject's {name} is no text"))?;
            variables = variables.with(&format!("iot:Certificate.Subject.{name}"), value);
        }
    }
    Ok(variables)
}
