use iot_transport::{Error as TransportError, Identity};
use secrecy::SecretString;

use crate::{Folder, KINDS, certificates, name, refused};

const PASSWORD: &str = "pässword 1";

impl Folder {
    /// Writes `key.pem` as `encrypted.pem`.
    fn encrypt(&self, command: &str) {
        std::fs::write(self.path("password"), PASSWORD).unwrap();
        self.openssl(&format!("{command} -in key.pem -out encrypted.pem -passout file:password"));
    }

    fn load(&self, key: &str, password: &str) -> Result<Identity, TransportError> {
        Identity::from_encrypted_pem_files(&self.path("cert.pem"), &self.path(key), || Ok(password.into()))
    }
}

#[test]
fn pkcs8() {
    for kind in KINDS {
        let folder = Folder::new(kind);
        for scheme in [
            "-v2 aes-256-cbc",
            "-v2 aes-192-cbc -v2prf hmacWithSHA512",
            "-v2 aes-128-cbc -v2prf hmacWithSHA1",
            "-v2 des3",
            "-scrypt",
        ] {
            folder.encrypt(&format!("pkcs8 -topk8 {scheme}"));
            assert!(folder.read("encrypted.pem").contains("BEGIN ENCRYPTED PRIVATE KEY"));
            let identity = folder.load("encrypted.pem", PASSWORD);
            assert_eq!(certificates(&identity.unwrap_or_else(|error| panic!("{scheme}: {error:?}"))), 1);
            assert_wrong_passwords_are_refused(&folder);
        }
    }
}

#[test]
fn proc_type() {
    for (kind, tool) in KINDS.iter().zip(["rsa -traditional", "ec", "ec"]) {
        let folder = Folder::new(kind);
        for cipher in ["aes128", "aes192", "aes256", "des3"] {
            folder.encrypt(&format!("{tool} -{cipher}"));
            assert!(folder.read("encrypted.pem").contains("Proc-Type: 4,ENCRYPTED"));
            let identity = folder.load("encrypted.pem", PASSWORD);
            assert_eq!(certificates(&identity.unwrap_or_else(|error| panic!("{cipher}: {error:?}"))), 1);
            assert_wrong_passwords_are_refused(&folder);
        }
    }
}

fn assert_wrong_passwords_are_refused(folder: &Folder) {
    let key = name(&folder.path("encrypted.pem"));
    for (password, end) in [("wrong", ""), ("", ": it is empty")] {
        let (problem, hint) = refused(folder.load("encrypted.pem", password));
        assert_eq!(problem, format!("the password of the private key {key} is wrong{end}"));
        assert_eq!(hint, format!("try it: openssl pkey -in {key} -noout"));
    }
}

#[test]
fn wrong_passwords_that_survive_the_padding_are_found_out() {
    let folder = Folder::new(KINDS[1]);
    folder.encrypt("ec -aes128");
    // One in 256 does: of these, about sixteen.
    for number in 0..4096 {
        let (problem, _) = refused(folder.load("encrypted.pem", &format!("wrong {number}")));
        assert!(problem.ends_with("is wrong"), "{number}: {problem}");
    }
}

#[test]
fn other_encryptions_are_named_and_the_hint_re_encrypts() {
    const LEGACY: &str = " -provider legacy -provider default";
    let folder = Folder::new(KINDS[0]);
    for (command, scheme, providers) in [
        ("pkcs8 -topk8 -v1 PBE-MD5-DES", "PBES1 (MD5 and DES)", LEGACY),
        ("pkcs8 -topk8 -v1 PBE-SHA1-RC2-64", "PBES1 (SHA-1 and RC2)", LEGACY),
        ("pkcs8 -topk8 -v1 PBE-SHA1-3DES", "a scheme of PKCS#12 (SHA-1 and 3DES)", ""),
        ("pkcs8 -topk8 -v1 PBE-SHA1-RC4-128", "a scheme of PKCS#12 (SHA-1 and 128-bit RC4)", LEGACY),
        ("pkcs8 -topk8 -v2 camellia-256-cbc", "the scheme 1.2.392.200011.61.1.1.1.4", ""),
        ("pkcs8 -topk8 -v2 rc2", "an unknown form of PBES2", LEGACY),
        ("rsa -traditional -camellia128", "CAMELLIA-128-CBC", ""),
        ("rsa -traditional -des", "DES-CBC", LEGACY),
    ] {
        folder.encrypt(&format!("{command}{LEGACY}"));
        // Before anybody is asked for a password.
        let identity = Identity::from_encrypted_pem_files(
            &folder.path("cert.pem"),
            &folder.path("encrypted.pem"),
            || panic!("no password can help"),
        );
        let (problem, hint) = refused(identity);
        let key = name(&folder.path("encrypted.pem"));
        assert_eq!(
            problem,
            format!("the private key {key} is encrypted with {scheme}, which is not supported")
        );
        assert!(hint.ends_with(&format!(".aes{providers}")), "{hint}");
        folder.follow(&hint, "-passin file:password -passout pass:new");
        folder.load("encrypted.pem.aes", "new").unwrap_or_else(|error| panic!("{command}: {error:?}"));
    }
}

#[test]
fn scrypt_that_would_exhaust_the_memory_is_refused() {
    let folder = Folder::new(KINDS[1]);
    folder.encrypt("pkcs8 -topk8 -scrypt -scrypt_N 128 -scrypt_r 256 -scrypt_p 1");
    folder.load("encrypted.pem", PASSWORD).unwrap();
    folder.openssl("asn1parse -in encrypted.pem -noout -out encrypted.der");
    let mut der = std::fs::read(folder.path("encrypted.der")).unwrap();
    // N and r as DER (RFC 7914 §7). OpenSSL itself refuses to write what the next line asks for: 64 GiB.
    let at = der.windows(8).position(|window| window == [2, 2, 0, 128, 2, 2, 1, 0]).unwrap();
    der[at..at + 8].copy_from_slice(&[2, 2, 0x40, 0, 2, 2, 0x7f, 0xff]);
    std::fs::write(folder.path("encrypted.der"), &der).unwrap();
    folder.openssl("base64 -in encrypted.der -out encrypted.b64");
    let base64 = folder.read("encrypted.b64");
    let pem = format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{base64}-----END ENCRYPTED PRIVATE KEY-----\n");
    std::fs::write(folder.path("encrypted.pem"), pem).unwrap();
    let (problem, _) = refused(folder.load("encrypted.pem", PASSWORD));
    assert!(problem.contains("more than 1 GiB of memory"), "{problem}");
}

#[test]
fn a_plain_key_needs_no_password_and_an_encrypted_one_does() {
    let folder = Folder::new(KINDS[1]);
    folder.encrypt("ec -aes256");
    let (certificate, plain) = (folder.path("cert.pem"), folder.path("key.pem"));
    Identity::from_encrypted_pem_files(&certificate, &plain, || panic!("nobody is asked")).unwrap();
    let (problem, hint) = refused(Identity::from_pem_files(&certificate, &folder.path("encrypted.pem")));
    assert!(problem.ends_with("encrypted.pem is encrypted"), "{problem}");
    assert!(hint.contains("give its password") && hint.contains("openssl pkey -in"), "{hint}");
    let no_password = || Err("nobody knows it".into());
    let error = Identity::from_encrypted_pem_files(&certificate, &folder.path("encrypted.pem"), no_password)
        .unwrap_err();
    assert_eq!(error.to_string(), "nobody knows it");
}

#[test]
fn one_file_may_hold_both() {
    let folder = Folder::new(KINDS[0]);
    for command in ["rsa -traditional -aes256", "pkcs8 -topk8"] {
        folder.encrypt(command);
        let both = folder.read("encrypted.pem") + &folder.read("cert.pem");
        // As a file looks that went through Windows.
        std::fs::write(folder.path("both.pem"), both.replace('\n', "\r\n")).unwrap();
        let both = folder.path("both.pem");
        let password = || Ok(SecretString::from(PASSWORD));
        assert_eq!(certificates(&Identity::from_encrypted_pem_files(&both, &both, password).unwrap()), 1);
    }
}

#[test]
fn a_key_of_another_certificate_is_still_found_out() {
    let (folder, other) = (Folder::new(KINDS[1]), Folder::new(KINDS[1]));
    folder.encrypt("ec -aes256");
    let password = || Ok(SecretString::from(PASSWORD));
    let identity =
        Identity::from_encrypted_pem_files(&other.path("cert.pem"), &folder.path("encrypted.pem"), password);
    assert!(refused(identity).0.contains("does not belong to the client certificate"));
}
