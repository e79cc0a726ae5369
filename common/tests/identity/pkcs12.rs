use std::path::Path;

use iot_transport::{Error as TransportError, Identity};

use crate::{Folder, KINDS, certificates, name, refused};

const PASSWORD: &str = "secret";

impl Folder {
    /// Writes `device.p12`, from `key.pem` and `cert.pem` unless `flags` say otherwise.
    fn export(&self, flags: &str) {
        self.openssl(&format!(
            "pkcs12 -export -in cert.pem -inkey key.pem -out device.p12 -passout pass:{PASSWORD} {flags}"
        ));
    }

    fn open(&self, password: &str) -> Result<Identity, TransportError> {
        Identity::from_pkcs12_file(&self.path("device.p12"), &password.into())
    }

    /// Signs a certificate for `name`, with a key of its own, by `issuer`; writes `<name>.key` and `<name>.pem`.
    pub(crate) fn issue(&self, name: &str, issuer: &str) {
        self.openssl(&format!("req {} -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}", KINDS[1]));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days 1 -out {name}.pem"
        ));
    }
}

#[test]
fn what_openssl_writes_is_read() {
    for kind in KINDS {
        let folder = Folder::new(kind);
        for flags in [
            "",
            "-legacy",
            "-legacy -descert",
            "-keypbe AES-128-CBC -certpbe AES-128-CBC -macalg sha512",
            "-keypbe NONE -certpbe NONE",
            "-nomac",
            "-name my-device",
        ] {
            folder.export(flags);
            let identity = folder.open(PASSWORD).unwrap_or_else(|error| panic!("{flags}: {error:?}"));
            assert_eq!(certificates(&identity), 1);
        }
    }
}

#[test]
fn wrong_and_empty_passwords() {
    let folder = Folder::new(KINDS[1]);
    let file = name(&folder.path("device.p12"));
    let wrong = format!("the password of the PKCS#12 file {file} is wrong");
    let doubt = ", or the file is damaged: it has no MAC that would tell";
    for (flags, password, problem) in [
        ("", "wrong", wrong.clone()),
        ("", "", format!("{wrong}: it is empty")),
        ("-legacy", "wrong", wrong.clone()),
        ("-legacy", "", format!("{wrong}: it is empty")),
        ("-nomac", "wrong", format!("{wrong}{doubt}")),
        ("-nomac", "", format!("{wrong}: it is empty{doubt}")),
        ("-nomac -legacy", "wrong", format!("{wrong}{doubt}")),
        ("-passout pass:", "wrong", wrong.clone()),
    ] {
        folder.export(flags);
        let refused = refused(folder.open(password));
        assert_eq!(
            refused,
            (problem, format!("try it: openssl pkcs12 -in {file} -noout")),
            "{flags} {password:?}"
        );
    }
    for flags in ["-passout pass:", "-passout pass: -legacy", "-passout pass: -nomac"] {
        folder.export(flags);
        folder.open("").unwrap_or_else(|error| panic!("{flags}: {error:?}"));
    }
}

#[test]
fn an_empty_password_opens_files_that_the_null_string_protects() {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/identity/files");
    for protection in ["3des", "rc2", "aes", "no-mac"] {
        let file = files.join(format!("null-password-{protection}.p12"));
        let identity = Identity::from_pkcs12_file(&file, &"".into());
        assert_eq!(certificates(&identity.unwrap_or_else(|error| panic!("{protection}: {error:?}"))), 1);
        let (problem, _) = refused(Identity::from_pkcs12_file(&file, &"wrong".into()));
        assert!(problem.contains("is wrong"), "{protection}: {problem}");
    }
}

#[test]
fn a_password_beyond_u_ffff_opens_what_openssl_writes() {
    let folder = Folder::new(KINDS[1]);
    let wrong = format!("the password of the PKCS#12 file {} is wrong", name(&folder.path("device.p12")));
    for flags in ["", "-legacy", "-legacy -descert", "-keypbe NONE -certpbe NONE", "-nomac -legacy", "-nomac"]
    {
        folder.export(&format!("{flags} -passout pass:pä🔑ss"));
        let identity = folder.open("pä🔑ss").unwrap_or_else(|error| panic!("{flags}: {error:?}"));
        assert_eq!(certificates(&identity), 1);
        let (problem, _) = refused(folder.open("pä🗝ss"));
        assert!(problem.starts_with(&wrong), "{flags}: {problem}");
    }
}

#[test]
fn bytes_behind_the_end_are_ignored_as_openssl_does() {
    let folder = Folder::new(KINDS[1]);
    folder.export("");
    let mut content = std::fs::read(folder.path("device.p12")).unwrap();
    content.extend(b"\r\nmore");
    std::fs::write(folder.path("device.p12"), content).unwrap();
    assert_eq!(certificates(&folder.open(PASSWORD).unwrap()), 1);
}

/// The parts of BER that DER has not.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ber {
    IndefiniteFile,
    IndefiniteContents,
    StringInPieces,
}

/// A file of OpenSSL's, whose outer lengths are of two bytes each, with such a part.
fn in_ber(der: &[u8], form: Ber) -> Vec<u8> {
    let constructed = |tag: u8, content: &[u8], is_indefinite: bool| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        match is_indefinite {
            true => [&[tag, 0x80], content, &[0, 0]].concat(),
            false => [&[tag, 0x82], &length[..], content].concat(),
        }
    };
    let string_end = 30 + (usize::from(der[28]) << 8 | usize::from(der[29]));
    let string = match form {
        Ber::StringInPieces => constructed(0x24, &der[26..string_end], false),
        _ => der[26..string_end].to_vec(),
    };
    let indefinite = form == Ber::IndefiniteContents;
    let contents = [&der[11..22], &constructed(0xa0, &string, indefinite)].concat();
    let body = [&der[4..7], &constructed(0x30, &contents, indefinite), &der[string_end..]].concat();
    constructed(0x30, &body, form == Ber::IndefiniteFile)
}

#[test]
fn ber_is_named_wherever_it_is_and_the_hint_rewrites_it() {
    let folder = Folder::new(KINDS[1]);
    folder.export("");
    let der = std::fs::read(folder.path("device.p12")).unwrap();
    let file = name(&folder.path("device.p12"));
    let problem = format!("the PKCS#12 file {file} is in BER form, and only DER is supported");
    for form in [Ber::IndefiniteFile, Ber::IndefiniteContents, Ber::StringInPieces] {
        std::fs::write(folder.path("device.p12"), in_ber(&der, form)).unwrap();
        let (found, hint) = refused(folder.open(PASSWORD));
        assert_eq!(found, problem, "{form:?}");
        assert!(hint.contains(&format!("openssl pkcs12 -in {file} -nodes | ")), "{hint}");
        let (first, second) = hint.split_once(" | openssl ").unwrap();
        folder.follow(first, "-passin pass:secret -out plain.pem");
        folder.openssl(&format!("{second} -in plain.pem -passout pass:secret"));
        let rewritten = folder.path("device.p12.new");
        assert_eq!(certificates(&Identity::from_pkcs12_file(&rewritten, &PASSWORD.into()).unwrap()), 1);
    }
    let inside = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/identity/files/ber-inside.p12");
    assert!(refused(Identity::from_pkcs12_file(&inside, &PASSWORD.into())).0.contains("is in BER form"));
}

#[test]
fn wrong_passwords_that_survive_the_padding_are_found_out() {
    let folder = Folder::new(KINDS[1]);
    folder.export("-legacy -iter 1 -nomac");
    for number in 0..2048 {
        let (problem, _) = refused(folder.open(&format!("wrong {number}")));
        assert!(problem.contains("is wrong, or the file is damaged"), "{number}: {problem}");
    }
}

#[test]
fn the_chain_is_put_in_order() {
    let folder = Folder::new(KINDS[1]);
    folder.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out root.pem -subj /CN=root -days 1");
    for (name, issuer) in [("upper", "root"), ("lower", "upper"), ("device", "lower"), ("stranger", "root")] {
        folder.issue(name, issuer);
    }
    // The leaf is neither first, nor are its issuers in order, and one certificate is not among them.
    let jumble: String =
        ["root", "lower", "stranger", "upper"].map(|name| folder.read(&format!("{name}.pem"))).concat();
    std::fs::write(folder.path("jumble.pem"), jumble).unwrap();
    folder.openssl(&format!(
        "pkcs12 -export -in device.pem -inkey device.key -certfile jumble.pem -out device.p12 -passout pass:{PASSWORD}"
    ));
    let identity = folder.open(PASSWORD).unwrap();
    assert_eq!(certificates(&identity), 4, "device, lower, upper, root");
}

#[test]
fn files_without_one_key_and_its_certificate() {
    let folder = Folder::new(KINDS[1]);
    for (flags, words) in [("-nokeys", "holds no private key"), ("-nocerts", "holds no certificate")] {
        folder.openssl(&format!(
            "pkcs12 -export -in cert.pem -inkey key.pem {flags} -out device.p12 -passout pass:{PASSWORD}"
        ));
        let (problem, hint) = refused(folder.open(PASSWORD));
        assert!(problem.ends_with(words), "{problem}");
        assert!(hint.contains("together with its key"), "{hint}");
    }
}

#[test]
fn a_certificate_of_another_key_is_not_taken() {
    let (folder, other) = (Folder::new(KINDS[1]), Folder::new(KINDS[1]));
    // OpenSSL refuses to put them together at once.
    folder.openssl("pkcs12 -export -nocerts -inkey key.pem -out device.p12 -passout pass:secret");
    assert!(refused(folder.open(PASSWORD)).0.ends_with("holds no certificate"));
    std::fs::copy(other.path("cert.pem"), folder.path("other.pem")).unwrap();
    folder.openssl(
        "pkcs12 -export -nocerts -inkey key.pem -certfile other.pem -out device.p12 -passout pass:secret",
    );
    let (problem, _) = refused(folder.open(PASSWORD));
    assert!(problem.contains("holds no certificate"), "{problem}");
}

#[test]
fn other_files_are_named() {
    let folder = Folder::new(KINDS[1]);
    folder.openssl("x509 -in cert.pem -outform DER -out cert.der");
    folder.openssl("pkey -in key.pem -outform DER -out key.der");
    folder.export("");
    let p12 = std::fs::read(folder.path("device.p12")).unwrap();
    let cut_off = &p12[..p12.len() - 10];
    std::fs::write(folder.path("cut-off"), cut_off).unwrap();
    std::fs::write(folder.path("empty"), "").unwrap();
    std::fs::write(folder.path("ber"), [0x30, 0x80, 2, 1, 3]).unwrap();
    std::fs::write(folder.path("jks"), [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]).unwrap();
    folder.openssl("base64 -in device.p12 -out base64");
    for (file, words, hint) in [
        (
            "cert.pem",
            "is PEM, not PKCS#12",
            "openssl pkcs12 -export -in device.pem.crt -inkey private.pem.key",
        ),
        ("key.pem", "is PEM, not PKCS#12", "openssl pkcs12 -export"),
        ("cert.der", "is not a PKCS#12 file", ""),
        ("key.der", "is not a PKCS#12 file", ""),
        ("cut-off", "is not a PKCS#12 file, or is cut off", ""),
        ("empty", "is empty", ""),
        ("ber", "is in BER form", "openssl pkcs12 -in"),
        ("jks", "is a Java keystore (JKS)", "keytool -importkeystore -srckeystore"),
        ("base64", "is base64", "decode it: (umask 077 && base64 -d < "),
    ] {
        let refused = refused(Identity::from_pkcs12_file(&folder.path(file), &PASSWORD.into()));
        assert!(refused.0.contains(words), "{file}: {refused:?}");
        assert!(refused.1.contains(hint), "{file}: {refused:?}");
    }
    let error = Identity::from_pkcs12_file(Path::new("/nowhere/device.p12"), &PASSWORD.into()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the PKCS#12 file /nowhere/device.p12");
}

#[test]
fn damage_behind_a_right_mac_is_not_the_passwords_fault() {
    let folder = Folder::new(KINDS[1]);
    folder.export("-keypbe PBE-SHA1-RC2-128 -legacy");
    let (problem, hint) = refused(folder.open(PASSWORD));
    assert!(problem.contains("that is not supported"), "{problem}");
    let (command, _) = hint.split_once(" | ").unwrap();
    folder.follow(command, "-passin pass:secret -out plain.pem");
    folder.openssl("pkcs12 -export -in plain.pem -out device.p12 -passout pass:secret");
    folder.open(PASSWORD).unwrap();
}
