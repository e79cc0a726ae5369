use std::path::PathBuf;

use rcgen::CertifiedKey as Generated;
use rcgen::{KeyPair, generate_simple_self_signed};

use super::*;

/// A certificate and its key as PEM.
fn pair() -> (String, String) {
    let Generated { cert, signing_key } =
        generate_simple_self_signed(["device".to_owned()]).expect("generates");
    (cert.pem(), signing_key.serialize_pem())
}

fn load(certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Identity, Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate_file, key_file) = (folder.path().join("cert"), folder.path().join("key"));
    std::fs::write(&certificate_file, certificate).expect("writable");
    std::fs::write(&key_file, key).expect("writable");
    Identity::from_pem_files(&certificate_file, &key_file)
}

fn refusal(certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> String {
    match load(certificate, key) {
        Err(Error::Identity { problem, hint, .. }) => format!("{problem}; {}", hint.unwrap_or_default()),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn reads_a_pair_and_hides_the_key() {
    let (certificate, key) = pair();
    let identity = load(&certificate, &key).expect("loads");
    assert_eq!(format!("{identity:?}"), "Identity { certificates: 1, .. }");
    let both = format!("{key}{certificate}{certificate}");
    assert_eq!(load(&both, &both).expect("loads").key.cert.len(), 2);
}

#[test]
fn says_what_a_file_holds_instead() {
    let (certificate, key) = pair();
    let public = KeyPair::generate().expect("generates").public_key_pem();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let legacy = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n\
                  -----END EC PRIVATE KEY-----\n";
    let request = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
    for (certificate_file, key_file, words) in [
        (key.as_str(), certificate.as_str(), "are swapped"),
        (&key, &key, "holds a private key, not a certificate"),
        (&certificate, &certificate, "holds a certificate, not a key"),
        (request, &key, "holds a certificate request"),
        ("", &key, "cert is empty"),
        ("hello", &key, "cert holds no certificate"),
        (&certificate, "", "key is empty"),
        (&certificate, "hello", "key holds no private key"),
        (&certificate, &public, "holds the public key"),
        (&certificate, encrypted, "key is damaged: what it holds is not an encrypted key"),
        (&certificate, legacy, "key is damaged: what it holds is not an encrypted key"),
        (&certificate, &encrypted.replace("AAAA", "A*"), "key is damaged: what stands between"),
        (&certificate, &encrypted[..50], "key is cut off"),
        (&certificate, &pair().1, "does not belong to the client certificate"),
        (&certificate[..80], &key, "cut off"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key, "cert cannot be read"),
        (
            &certificate,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "key cannot be used",
        ),
    ] {
        let refusal = refusal(certificate_file, key_file);
        assert!(refusal.contains(words), "expected {words:?} in {refusal:?}");
    }
}

#[test]
fn tells_der_from_pem() {
    let Generated { cert, signing_key } =
        generate_simple_self_signed(["device".to_owned()]).expect("generates");
    let (certificate, key) = (cert.pem(), signing_key.serialize_pem());
    assert!(refusal(cert.der(), &key).contains("DER form, not PEM; convert it: openssl x509 -inform DER"));
    assert!(refusal(&certificate, signing_key.serialize_der()).contains("openssl pkey -inform DER"));
}

#[test]
fn a_missing_file_is_named() {
    let nowhere = PathBuf::from("/nowhere/device.pem");
    let error = Identity::from_pem_files(&nowhere, &nowhere).expect_err("missing");
    assert_eq!(error.to_string(), "cannot read the client certificate /nowhere/device.pem");
}

#[test]
fn a_damaged_key_is_not_quoted() {
    let (certificate, key) = pair();
    let on_one_line = key.replace('\n', "");
    let error = load(&certificate, &on_one_line).expect_err("damaged");
    let secret =
        on_one_line.as_bytes()[40..50].iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    assert!(!format!("{error:?}").contains(&secret), "{error:?}");
    assert!(error.to_string().contains("on one line"), "{error}");
}

#[test]
#[cfg(unix)]
fn files_without_an_end_are_refused() {
    let zero = Path::new("/dev/zero");
    let identities = [
        Identity::from_pem_files(zero, zero),
        #[cfg(feature = "pkcs12")]
        Identity::from_pkcs12_file(zero, &"".into()),
    ];
    for identity in identities {
        let error = identity.expect_err("refused");
        assert!(error.to_string().ends_with("/dev/zero is larger than 1 MiB"), "{error}");
    }
}
