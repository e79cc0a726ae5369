//! The sandbox's certificates, made anew at each start.

use anyhow::Context;
use p12_keystore::{KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SubjectPublicKeyInfo,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::{Duration, OffsetDateTime};

/// The certificate that the sandbox's TLS listeners present, for tests of the clients' verification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerCertificate {
    /// For `localhost` and `127.0.0.1`, issued by the sandbox's CA.
    #[default]
    Valid,
    /// Issued by the sandbox's CA for another host name.
    WrongHost,
    /// Its time is over since yesterday.
    Expired,
    /// Its time begins tomorrow.
    NotYetValid,
    /// Issued by itself.
    SelfSigned,
    /// Issued by a CA that is not the one in the CA file.
    UnknownIssuer,
}

/// How often a PKCS#12 file's password is hashed. It is random, so that more would gain nothing; with the 2048 of OpenSSL
/// it would be most of a sandbox's start in a build without optimization.
const PKCS12_ITERATIONS: u32 = 100;

/// A certificate with its private key.
pub(crate) struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Identity {
    pub(crate) fn certificate_der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    pub(crate) fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }

    /// PKCS#8.
    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Both as a PKCS#12 file, encrypted with AES-256 as OpenSSL 3 does.
    pub(crate) fn pkcs12(&self, name: &str, password: &str) -> anyhow::Result<Vec<u8>> {
        let write = || {
            let key = PrivateKey::from_der(&self.key.serialize_der())?;
            let certificate = p12_keystore::Certificate::from_der(self.certificate.der())?;
            let mut store = KeyStore::new();
            let chain = PrivateKeyChain::new(name, key, [certificate]);
            store.add_entry(name, KeyStoreEntry::PrivateKeyChain(chain));
            store
                .writer(password)
                .encryption_iterations(PKCS12_ITERATIONS)
                .mac_iterations(PKCS12_ITERATIONS)
                .write()
        };
        write().context("cannot make a PKCS#12 file")
    }
}

/// A certification authority.
pub(crate) struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one. Its name should be its own, or verifiers blame the signature instead of the issuer.
    pub(crate) fn new(name: &str) -> anyhow::Result<Self> {
        let mut params = params(name, Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("cannot make a key for the CA")?;
        let certificate = params.self_signed(&key).context("cannot sign the CA certificate")?;
        Ok(Authority { certificate, issuer: Issuer::new(params, key) })
    }

    pub(crate) fn certificate_der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    pub(crate) fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    /// A client certificate; `name` becomes its common name.
    pub(crate) fn issue_device(&self, name: &str) -> anyhow::Result<Identity> {
        self.sign(device_params(name)?)
    }

    /// The same for a key that its owner keeps: `public_key` is its SubjectPublicKeyInfo, DER.
    pub(crate) fn certify(&self, name: &str, public_key: &[u8]) -> anyhow::Result<rcgen::Certificate> {
        let public_key =
            SubjectPublicKeyInfo::from_der(public_key).context("not a public key that can be certified")?;
        device_params(name)?.signed_by(&public_key, &self.issuer).context("cannot sign a certificate")
    }

    /// A server certificate of the given kind.
    pub(crate) fn issue_server(&self, kind: ServerCertificate) -> anyhow::Result<Identity> {
        let hosts = match kind {
            ServerCertificate::WrongHost => vec!["wrong-host.example.com".to_owned()],
            _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        };
        let mut params = params(&hosts[0].clone(), hosts)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let now = OffsetDateTime::now_utc();
        match kind {
            ServerCertificate::Expired => params.not_after = now - Duration::DAY,
            ServerCertificate::NotYetValid => params.not_before = now + Duration::DAY,
            ServerCertificate::SelfSigned => {
                let key = KeyPair::generate().context("cannot make a key for the server")?;
                params.use_authority_key_identifier_extension = false;
                let certificate = params.self_signed(&key).context("cannot sign the server certificate")?;
                return Ok(Identity { certificate, key });
            }
            ServerCertificate::UnknownIssuer => return Authority::new("Unknown CA")?.sign(params),
            ServerCertificate::Valid | ServerCertificate::WrongHost => {}
        }
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> anyhow::Result<Identity> {
        let key = KeyPair::generate().context("cannot make a key")?;
        let certificate = params.signed_by(&key, &self.issuer).context("cannot sign a certificate")?;
        Ok(Identity { certificate, key })
    }
}

fn device_params(name: &str) -> anyhow::Result<CertificateParams> {
    let mut params = params(name, Vec::new())?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// Valid from two days ago, so that a clock a little off does no harm, for a year.
fn params(common_name: &str, hosts: Vec<String>) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(hosts).context("not a host name for a certificate")?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "AWS IoT sandbox");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.use_authority_key_identifier_extension = true;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(2);
    params.not_after = now + Duration::days(365);
    Ok(params)
}

#[cfg(test)]
mod tests {
    use p12_keystore::Pkcs12Archive;

    use super::*;

    #[test]
    fn a_pkcs12_file_holds_the_identity() {
        let identity = Authority::new("test").unwrap().issue_device("thing").unwrap();
        let file = identity.pkcs12("thing", "password").unwrap();
        let archive = Pkcs12Archive::from_pkcs12(&file, "password").unwrap();
        let ([certificate], [key]) = (&archive.certs[..], &archive.keys[..]) else {
            panic!("not one of each")
        };
        assert_eq!(certificate.cert.as_der(), identity.certificate_der().as_ref());
        assert_eq!(key.key.as_der(), identity.key_der().secret_der());
        assert!(Pkcs12Archive::from_pkcs12(&file, "wrong").is_err());
    }
}
