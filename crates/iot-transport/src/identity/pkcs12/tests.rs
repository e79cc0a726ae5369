use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, LocalKeyId, PrivateKey, PrivateKeyChain};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::*;

const PASSWORD: &str = "hush";

fn params(name: &str, is_ca: IsCa) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = is_ca;
    params
}

fn ca(name: &str) -> CertificateParams {
    params(name, IsCa::Ca(BasicConstraints::Unconstrained))
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn bag(der: &[u8], local_key_id: Option<&[u8]>) -> CertificateBag {
    CertificateBag {
        friendly_name: None,
        local_key_id: local_key_id.map(<[u8]>::to_vec),
        trusted: false,
        cert: Certificate::from_der(der).unwrap(),
    }
}

fn key_bag(key: &KeyPair, local_key_id: Option<&[u8]>) -> (PrivateKeyBag, Arc<dyn SigningKey>) {
    let der = key.serialize_der();
    let bag = PrivateKeyBag {
        friendly_name: None,
        local_key_id: local_key_id.map(LocalKeyId::from),
        key: PrivateKey::from_der(&der).unwrap(),
    };
    let signing_key = crypto::provider().key_provider.load_private_key(PrivatePkcs8KeyDer::from(der).into());
    (bag, signing_key.unwrap())
}

#[test]
fn the_chain_begins_with_the_keys_certificate_and_goes_up() {
    let root = CertifiedIssuer::self_signed(ca("root"), key()).unwrap();
    let upper = CertifiedIssuer::signed_by(ca("upper"), key(), &root).unwrap();
    let lower = CertifiedIssuer::signed_by(ca("lower"), key(), &upper).unwrap();
    let device_key = key();
    let device = params("device", IsCa::NoCa).signed_by(&device_key, &lower).unwrap();
    let stranger = params("stranger", IsCa::NoCa).signed_by(&key(), &lower).unwrap();
    let ders: [&[u8]; 5] = [root.der(), stranger.der(), lower.der(), device.der(), upper.der()];
    let bags: Vec<_> = ders.iter().map(|der| bag(der, None)).collect();
    let (key_bag, signing_key) = key_bag(&device_key, None);
    let expected: [&[u8]; 4] = [device.der(), lower.der(), upper.der(), root.der()];
    assert_eq!(chain(&bags, &key_bag, &signing_key), expected.map(|der| CertificateDer::from(der.to_vec())));
    let (key_bag, signing_key) = self::key_bag(&key(), None);
    assert!(chain(&bags, &key_bag, &signing_key).is_empty());
}

#[test]
fn two_issuers_that_name_each_other_end_the_chain() {
    let (one, other) = (key(), key());
    let authority = CertifiedIssuer::self_signed(ca("other"), other).unwrap();
    let first = CertifiedIssuer::signed_by(ca("one"), one, &authority).unwrap();
    let crossed = ca("other").signed_by(&key(), &first).unwrap();
    let device_key = key();
    let device = params("device", IsCa::NoCa).signed_by(&device_key, &first).unwrap();
    let bags = [bag(crossed.der(), None), bag(device.der(), None), bag(first.der(), None)];
    let (key_bag, signing_key) = key_bag(&device_key, None);
    assert_eq!(chain(&bags, &key_bag, &signing_key).len(), 3);
}

#[test]
fn of_two_certificates_for_the_key_the_files_own_choice_is_taken() {
    let device_key = key();
    let [old, new] = ["old", "new"].map(|name| params(name, IsCa::NoCa).self_signed(&device_key).unwrap());
    let (key_bag, signing_key) = key_bag(&device_key, Some(b"2"));
    let bags = [bag(old.der(), Some(b"1")), bag(new.der(), Some(b"2"))];
    assert_eq!(chain(&bags, &key_bag, &signing_key), [new.der().clone()]);
}

#[test]
fn several_keys_are_named() {
    let mut store = KeyStore::new();
    for name in ["first", "second\n"] {
        let key = key();
        let certificate = params(name, IsCa::NoCa).self_signed(&key).unwrap();
        let private_key = PrivateKey::from_der(&key.serialize_der()).unwrap();
        let certificate = Certificate::from_der(certificate.der()).unwrap();
        let pair = PrivateKeyChain::new(name, private_key, [certificate]);
        store.add_entry(name, KeyStoreEntry::PrivateKeyChain(pair));
    }
    let content = store.writer(PASSWORD).encryption_iterations(1).mac_iterations(1).write().unwrap();
    let error = parse(&content, &PASSWORD.into(), Path::new("two.p12")).err().unwrap();
    assert_eq!(error.to_string(), r#"the PKCS#12 file two.p12 holds 2 private keys: "first", "second\n""#);
    assert!(error.hint().is_some_and(|hint| hint.contains("into a file of its own")));
    let unnamed = [key_bag(&key(), None).0, key_bag(&key(), None).0];
    let error = only_key(&unnamed, Path::new("two.p12")).err().unwrap();
    assert_eq!(error.to_string(), "the PKCS#12 file two.p12 holds 2 private keys: unnamed, unnamed");
}
