//! Signatures as TLS wants them, from what tokens make: raw signatures of a digest that was computed here.

use std::ops::RangeInclusive;

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::types::Ulong;
use rustls::pki_types::CertificateDer;
use rustls::{SignatureAlgorithm, SignatureScheme};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION,
};
use x509_parser::public_key::PublicKey as ParsedKey;

use crate::{crypto, x509};

/// DigestInfo of RFC 8017 §9.2, note 1, up to where the digest follows.
const SHA256_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];
const SHA384_INFO: [u8; 19] = [
    0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
    0x04, 0x30,
];
const SHA512_INFO: [u8; 19] = [
    0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00,
    0x04, 0x40,
];

/// The schemes that go with a mechanism, the ones in front preferred. SHA-256 first: tokens that hash on their own
/// side for PSS know it at least.
const PSS: [SignatureScheme; 3] =
    [SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PSS_SHA384, SignatureScheme::RSA_PSS_SHA512];
const PKCS1: [SignatureScheme; 3] =
    [SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::RSA_PKCS1_SHA384, SignatureScheme::RSA_PKCS1_SHA512];

/// What the TLS library verifies, and so a server may take.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// A way for a token to sign, and what TLS can do with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method {
    pub(super) mechanism: MechanismType,
    pub(super) schemes: &'static [SignatureScheme],
}

/// A public key: its algorithm, and on which curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PublicKey {
    Rsa,
    P256,
    P384,
    P521,
}

impl PublicKey {
    /// The key of a certificate; `None` where TLS has no use for it, or the certificate cannot be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = x509::parse(certificate)?;
        let algorithm = &certificate.public_key().algorithm;
        if algorithm.algorithm == OID_PKCS1_RSAENCRYPTION {
            return match certificate.public_key().parsed() {
                Ok(ParsedKey::RSA(key)) if RSA_BITS.contains(&key.key_size()) => Some(Self::Rsa),
                _ => None,
            };
        }
        if algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
            return None;
        }
        let curve = algorithm.parameters.as_ref()?.as_oid().ok()?;
        match curve {
            curve if curve == OID_EC_P256 => Some(Self::P256),
            curve if curve == OID_NIST_EC_P384 => Some(Self::P384),
            curve if curve == OID_NIST_EC_P521 => Some(Self::P521),
            _ => None,
        }
    }

    /// Ways to sign with such a key, the preferred one first.
    pub(super) fn methods(self) -> &'static [Method] {
        const fn ecdsa(schemes: &'static [SignatureScheme]) -> Method {
            Method { mechanism: MechanismType::ECDSA, schemes }
        }
        match self {
            Self::Rsa => {
                const {
                    &[
                        Method { mechanism: MechanismType::RSA_PKCS_PSS, schemes: &PSS },
                        Method { mechanism: MechanismType::RSA_PKCS, schemes: &PKCS1 },
                    ]
                }
            }
            // In TLS 1.3 each curve has one digest (RFC 8446 §4.2.3).
            Self::P256 => const { &[ecdsa(&[SignatureScheme::ECDSA_NISTP256_SHA256])] },
            Self::P384 => const { &[ecdsa(&[SignatureScheme::ECDSA_NISTP384_SHA384])] },
            Self::P521 => const { &[ecdsa(&[SignatureScheme::ECDSA_NISTP521_SHA512])] },
        }
    }

    pub(super) fn algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::Rsa => SignatureAlgorithm::RSA,
            Self::P256 | Self::P384 | Self::P521 => SignatureAlgorithm::ECDSA,
        }
    }
}

/// What to ask the token for, so that `message` is signed by `scheme`; `None` for schemes that are not ours.
pub(super) fn request(scheme: SignatureScheme, message: &[u8]) -> Option<(Mechanism<'static>, Vec<u8>)> {
    let (algorithm, info, hash_alg, mgf) = match scheme {
        SignatureScheme::RSA_PSS_SHA256
        | SignatureScheme::RSA_PKCS1_SHA256
        | SignatureScheme::ECDSA_NISTP256_SHA256 => {
            (&SHA256, SHA256_INFO, MechanismType::SHA256, PkcsMgfType::MGF1_SHA256)
        }
        SignatureScheme::RSA_PSS_SHA384
        | SignatureScheme::RSA_PKCS1_SHA384
        | SignatureScheme::ECDSA_NISTP384_SHA384 => {
            (&SHA384, SHA384_INFO, MechanismType::SHA384, PkcsMgfType::MGF1_SHA384)
        }
        SignatureScheme::RSA_PSS_SHA512
        | SignatureScheme::RSA_PKCS1_SHA512
        | SignatureScheme::ECDSA_NISTP521_SHA512 => {
            (&SHA512, SHA512_INFO, MechanismType::SHA512, PkcsMgfType::MGF1_SHA512)
        }
        _ => return None,
    };
    let digest = digest::digest(algorithm, message);
    Some(match scheme {
        _ if PSS.contains(&scheme) => {
            // The salt is as long as the digest (RFC 8446 §4.2.3).
            let s_len = Ulong::try_from(algorithm.output_len()).ok()?;
            let parameters = PkcsPssParams { hash_alg, mgf, s_len };
            (Mechanism::RsaPkcsPss(parameters), digest.as_ref().to_vec())
        }
        _ if PKCS1.contains(&scheme) => (Mechanism::RsaPkcs, [&info, digest.as_ref()].concat()),
        _ => (Mechanism::Ecdsa, digest.as_ref().to_vec()),
    })
}

/// The token's signature in the form of TLS. `None` for one that is not of the length that the scheme has.
pub(super) fn encode(scheme: SignatureScheme, signature: Vec<u8>) -> Option<Vec<u8>> {
    // How long r and s each are; of curves they fill the order (PKCS#11 v2.40 mechanisms, §2.3.1).
    let half = match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256 => 32,
        SignatureScheme::ECDSA_NISTP384_SHA384 => 48,
        SignatureScheme::ECDSA_NISTP521_SHA512 => 66,
        _ => return Some(signature),
    };
    if signature.len() != 2 * half {
        return None;
    }
    let (r, s) = signature.split_at(half);
    // Ecdsa-Sig-Value of RFC 3279 §2.2.3.
    der(0x30, &[integer(r)?, integer(s)?].concat())
}

/// An ASN.1 INTEGER from an unsigned number: no zeros in front but one that keeps the sign (ITU-T X.690 §8.3).
fn integer(number: &[u8]) -> Option<Vec<u8>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..)?;
    match digits.first() {
        Some(first) if *first < 0x80 => der(0x02, digits),
        _ => der(0x02, &[&[0], digits].concat()),
    }
}

/// Tag, length and content. P-521 needs the length's second form, and none a longer one (ITU-T X.690 §8.1.3).
fn der(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let length = u8::try_from(content.len()).ok()?;
    let head: &[u8] = if length < 0x80 { &[tag, length] } else { &[tag, 0x81, length] };
    Some([head, content].concat())
}

/// Whether `signature` is the one of this certificate's key.
pub(super) fn verifies(
    certificate: &CertificateDer<'_>,
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Some(certificate) = x509::parse(certificate) else { return false };
    let public_key = certificate.public_key().subject_public_key.data.as_ref();
    let algorithms = crypto::provider().signature_verification_algorithms;
    let of_scheme = algorithms.mapping.iter().find(|(known, _)| *known == scheme);
    of_scheme.is_some_and(|(_, verifiers)| {
        verifiers.iter().any(|verifier| verifier.verify_signature(public_key, message, signature).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn r_and_s_become_der() {
        let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
        let mut raw = vec![0; 64];
        assert_eq!(encode(scheme, raw.clone()), Some(vec![0x30, 6, 2, 1, 0, 2, 1, 0]), "zeros are two zeros");
        (raw[31], raw[63]) = (0x7f, 0x80);
        assert_eq!(encode(scheme, raw), Some(vec![0x30, 7, 2, 1, 0x7f, 2, 2, 0, 0x80]), "s keeps its sign");

        let longest = encode(scheme, vec![0xff; 64]).expect("encodes");
        assert_eq!((longest.len(), &longest[..5]), (72, [0x30, 70, 2, 33, 0].as_slice()));
        let p521 = encode(SignatureScheme::ECDSA_NISTP521_SHA512, vec![1; 132]).expect("encodes");
        assert_eq!((p521.len(), &p521[..3]), (139, [0x30, 0x81, 136].as_slice()));
    }

    #[test]
    fn a_signature_of_another_length_is_none() {
        for length in [0, 63, 65, 96] {
            assert_eq!(encode(SignatureScheme::ECDSA_NISTP256_SHA256, vec![1; length]), None, "{length}");
        }
        assert_eq!(encode(SignatureScheme::RSA_PSS_SHA256, vec![1]), Some(vec![1]));
    }

    #[test]
    fn an_rsa_key_that_nobody_would_verify_is_none() {
        for (bits, expected) in [("1024", None), ("2048", Some(PublicKey::Rsa))] {
            let folder = tempfile::tempdir().expect("a folder");
            let words = "-nodes -keyout key -out certificate -subj /CN=a -days 1";
            testkit::openssl(folder.path(), &format!("req -x509 -newkey rsa:{bits} {words}"));
            let file = folder.path().join("certificate");
            let certificate = CertificateDer::from_pem_file(file).expect("a certificate");
            assert_eq!(PublicKey::of(&certificate), expected, "{bits}");
        }
    }

    #[test]
    fn only_schemes_of_a_method_are_asked_for() {
        for key in [PublicKey::Rsa, PublicKey::P256, PublicKey::P384, PublicKey::P521] {
            for method in key.methods() {
                for scheme in method.schemes {
                    let (mechanism, _) = request(*scheme, b"message").expect("known");
                    assert_eq!(mechanism.mechanism_type(), method.mechanism);
                }
            }
        }
        assert!(request(SignatureScheme::ED25519, b"").is_none());
    }
}
