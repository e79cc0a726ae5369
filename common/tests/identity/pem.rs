//! PEM files as other programs write them.

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use iot_transport::{Error as TransportError, Identity, Roots};

use crate::{Folder, KINDS, certificates, refused};

impl Folder {
    fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(file), content).unwrap();
    }

    fn pair(&self, certificate: &str, key: &str) -> Result<Identity, TransportError> {
        Identity::from_pem_files(&self.path(certificate), &self.path(key))
    }

    /// Runs the command of a hint in a shell.
    fn follow_in_shell(&self, hint: &str) {
        let (_, command) = hint.split_once(": ").unwrap_or_else(|| panic!("no command in {hint:?}"));
        let status = Command::new("sh").args(["-c", command]).current_dir(self.0.path()).status();
        assert!(status.unwrap().success(), "{command}");
    }

    /// Makes sure that nobody but its owner reads a file.
    #[cfg(unix)]
    fn is_private(&self, file: &str) {
        let mode = fs::metadata(self.path(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}: {mode:o}");
    }

    #[cfg(not(unix))]
    fn is_private(&self, _file: &str) {}
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
}

/// UTF-8 and UTF-16, each with a byte order mark.
fn marked(text: &str) -> [Vec<u8>; 3] {
    let utf8 = format!("\u{feff}{text}").into_bytes();
    [utf8, utf16(text, u16::to_le_bytes), utf16(text, u16::to_be_bytes)]
}

#[test]
fn a_byte_order_mark_does_not_hide_pem() {
    let folder = Folder::new(KINDS[1]);
    folder.openssl("pkcs8 -topk8 -in key.pem -out encrypted.pem -passout pass:secret");
    folder.openssl("ec -in key.pem -aes128 -out older.pem -passout pass:secret");
    for certificate in marked(&folder.read("cert.pem").replace('\n', "\r\n")) {
        folder.write("cert", certificate);
        for key in ["key.pem", "encrypted.pem", "older.pem"] {
            for content in marked(&folder.read(key)) {
                folder.write("key", content);
                let password = || Ok("secret".into());
                let identity =
                    Identity::from_encrypted_pem_files(&folder.path("cert"), &folder.path("key"), password);
                assert_eq!(certificates(&identity.unwrap_or_else(|error| panic!("{key}: {error:?}"))), 1);
            }
        }
        assert_eq!(Roots::from_file(folder.path("cert")).describe().unwrap().roots, 1);
    }
}

#[test]
fn byte_order_marks_between_certificates_lose_none() {
    let folder = Folder::new(KINDS[1]);
    let certificate = folder.read("cert.pem");
    folder.write("chain.pem", format!("\u{feff}{certificate}\u{feff}{certificate}"));
    assert_eq!(certificates(&folder.pair("chain.pem", "key.pem").unwrap()), 2);
}

#[test]
fn certificates_are_read_under_the_labels_that_openssl_reads() {
    let folder = Folder::new(KINDS[1]);
    folder.openssl("x509 -in cert.pem -trustout -addtrust serverAuth -setalias mine -out trusted.pem");
    let text = folder.read("trusted.pem");
    assert!(text.contains("BEGIN TRUSTED CERTIFICATE"));
    folder.write("older.pem", folder.read("cert.pem").replace(" CERTIFICATE", " X509 CERTIFICATE"));
    for file in ["trusted.pem", "older.pem"] {
        let identity = folder.pair(file, "key.pem").unwrap_or_else(|error| panic!("{file}: {error:?}"));
        assert_eq!(identity.certificates(), folder.pair("cert.pem", "key.pem").unwrap().certificates());
    }
    assert_eq!(Roots::from_file(folder.path("older.pem")).describe().unwrap().roots, 1);
}

#[test]
fn a_ca_file_with_trust_settings_is_named_and_not_trusted() {
    let folder = Folder::new(KINDS[1]);
    folder.openssl("x509 -in cert.pem -trustout -addreject serverAuth -out trusted.pem");
    let error = Roots::from_file(folder.path("trusted.pem")).describe().unwrap_err();
    assert!(error.to_string().contains("OpenSSL's trust settings (TRUSTED CERTIFICATE)"), "{error}");
    folder.follow(&error.hint().unwrap(), "");
    assert_eq!(Roots::from_file(folder.path("trusted.pem.pem")).describe().unwrap().roots, 1);
}

#[test]
fn the_certificate_of_the_key_is_sent_first_wherever_it_stands() {
    let folder = Folder::new(KINDS[1]);
    folder.openssl(&format!("req -x509 {} -nodes -keyout root.key -out root.pem -subj /CN=root", KINDS[1]));
    for (name, issuer) in [("lower", "root"), ("device", "lower")] {
        folder.issue(name, issuer);
    }
    let in_order = |names: &[&str]| {
        let chain: String = names.iter().map(|name| folder.read(&format!("{name}.pem"))).collect();
        folder.write("chain.pem", chain);
        let identity = folder.pair("chain.pem", "device.key").unwrap();
        identity.certificates().into_iter().map(|found| found.subject).collect::<Vec<_>>()
    };
    assert_eq!(in_order(&["root", "lower", "device"]), ["CN=device", "CN=lower", "CN=root"]);
    assert_eq!(in_order(&["lower", "device"]), ["CN=device", "CN=lower"]);
    // A file that begins with it is left as it is.
    assert_eq!(in_order(&["device", "root", "lower"]), ["CN=device", "CN=root", "CN=lower"]);
    let (problem, _) = refused(folder.pair("chain.pem", "key.pem"));
    assert!(problem.contains("does not belong to the client certificate"), "{problem}");
}

#[test]
fn a_bundle_of_cas_is_no_client_certificate() {
    let folder = Folder::new(KINDS[1]);
    let certificate = folder.read("cert.pem");
    folder.write("ten.pem", certificate.repeat(10));
    assert_eq!(certificates(&folder.pair("ten.pem", "key.pem").unwrap()), 10);
    folder.write("bundle.pem", certificate.repeat(11));
    let (problem, hint) = refused(folder.pair("bundle.pem", "key.pem"));
    assert!(problem.ends_with("bundle.pem holds 11 certificates, more than 10"), "{problem}");
    assert!(hint.contains("a bundle of CAs"), "{hint}");
}

#[test]
fn files_of_other_formats_are_named_and_the_hint_converts_them() {
    let folder = Folder::new(KINDS[1]);
    folder.openssl("pkcs12 -export -in cert.pem -inkey key.pem -out device.p12 -passout pass:");
    folder.openssl("crl2pkcs7 -nocrl -certfile cert.pem -out bundle.p7b");
    for (tool, kind) in [("x509", "cert"), ("pkey", "key")] {
        folder.openssl(&format!("{tool} -in {kind}.pem -outform DER -out {kind}.der"));
        folder.openssl(&format!("base64 -in {kind}.der -out {kind}.base64"));
        folder.openssl(&format!("base64 -in {kind}.pem -out {kind}.twice"));
        let text = folder.read(&format!("{kind}.pem"));
        folder.write(&format!("{kind}.indented"), format!("  {}", text.trim_end().replace('\n', "\n  ")));
        folder.write(&format!("{kind}.escaped"), text.replace('\n', "\\n"));
        for (file, words) in [
            ("der", "is in DER form, not PEM"),
            ("base64", "is base64 without a BEGIN and an END line"),
            ("twice", "is PEM in base64"),
            ("indented", "is indented: white space stands before its BEGIN line"),
            ("escaped", "has \\n in place of its line breaks"),
        ] {
            let file = format!("{kind}.{file}");
            let pair = |file: &str| match kind {
                "cert" => folder.pair(file, "key.pem"),
                _ => folder.pair("cert.pem", file),
            };
            let converts = |file: &str| {
                let (problem, hint) = refused(pair(file));
                assert!(problem.ends_with(&format!("{file} {words}")), "{problem}");
                folder.follow_in_shell(&hint);
                pair(&format!("{file}.pem")).unwrap_or_else(|error| panic!("{file}: {error:?}"));
                if kind == "key" {
                    folder.is_private(&format!("{file}.pem"));
                }
            };
            converts(&file);
            // Windows PowerShell's > leaves UTF-16.
            if !file.ends_with(".der") {
                let wide = file.replacen('.', "-utf16.", 1);
                folder.write(&wide, utf16(&folder.read(&file), u16::to_le_bytes));
                converts(&wide);
            }
        }
    }
    let (problem, hint) = refused(folder.pair("bundle.p7b", "key.pem"));
    assert!(problem.ends_with("holds a PKCS#7 bundle"), "{problem}");
    folder.follow_in_shell(&hint);
    folder.pair("bundle.p7b.pem", "key.pem").unwrap();
    for (certificate, key) in [("device.p12", "key.pem"), ("cert.pem", "device.p12")] {
        let (problem, hint) = refused(folder.pair(certificate, key));
        assert!(problem.ends_with("is a PKCS#12 file, not PEM"), "{problem}");
        assert!(hint.contains("name it by the PKCS#12 file setting"), "{hint}");
    }
}

#[test]
fn an_answer_of_the_aws_cli_is_named_with_the_field_that_holds_the_pem() {
    let folder = Folder::new(KINDS[1]);
    let text = |file: &str| format!("{:?}", folder.read(file));
    let (certificate, key) = (text("cert.pem"), text("key.pem"));
    // The CLI of Windows PowerShell leaves UTF-16.
    let created =
        format!("{{\"certificatePem\": {certificate},\r\n \"keyPair\": {{\"PrivateKey\": {key}}}}}\r\n");
    folder.write("created.json", utf16(&created, u16::to_le_bytes));
    folder.write(
        "described.json",
        format!("{{\"certificateDescription\":{{\"certificatePem\":{certificate}}}}}"),
    );
    folder.write("text.json", &certificate);
    folder.write("other.json", "[]");
    for (certificate, key, words, filter) in [
        ("created.json", "key.pem", "created.json is JSON", "jq -r .certificatePem "),
        ("cert.pem", "created.json", "created.json is JSON", "jq -r .keyPair.PrivateKey "),
        (
            "described.json",
            "key.pem",
            "described.json is JSON",
            "jq -r .certificateDescription.certificatePem ",
        ),
        ("text.json", "key.pem", "text.json is JSON", "jq -r . "),
        ("cert.pem", "described.json", "described.json is JSON", ""),
        ("other.json", "key.pem", "other.json is JSON", ""),
    ] {
        let (problem, hint) = refused(folder.pair(certificate, key));
        assert!(problem.ends_with(words), "{problem}");
        assert!(hint.contains(filter) && hint.is_empty() == filter.is_empty(), "{hint}");
        let is_wide = words.starts_with("created");
        assert_eq!(hint.contains("iconv -f UTF-16 -t UTF-8 "), is_wide, "{hint}");
        assert_eq!(hint.contains("(umask 077 && "), is_wide && key == "created.json", "{hint}");
    }
}

#[test]
fn the_first_key_of_a_file_is_the_one_that_is_read() {
    let folder = Folder::new(KINDS[1]);
    folder.openssl("ec -in key.pem -out sec1.pem");
    folder.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem");
    let [first, other] = ["sec1.pem", "other.pem"].map(|file| folder.read(file));
    assert!(first.contains("==\n-----END EC PRIVATE KEY"), "{first}");
    // OpenSSL takes base64 without its padding, too.
    folder.write("keys.pem", format!("{}{other}", first.replace('=', "")));
    folder.pair("cert.pem", "keys.pem").unwrap();
    folder.write("keys.pem", first.replace("-----END EC PRIVATE KEY-----\n", "") + &other);
    assert!(refused(folder.pair("cert.pem", "keys.pem")).0.contains("its END line is missing"));
}

#[test]
fn keystores_and_keys_of_other_programs_are_named() {
    let folder = Folder::new(KINDS[1]);
    folder.write("jks", [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]);
    let section = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    folder.write("openssh", section("OPENSSH PRIVATE KEY"));
    folder.write("other", section("DSA PRIVATE KEY"));
    for (certificate, key, words, command) in [
        ("jks", "key.pem", "jks is a Java keystore (JKS)", "keytool -importkeystore -srckeystore"),
        ("cert.pem", "jks", "jks is a Java keystore (JKS)", "keytool -importkeystore -srckeystore"),
        ("cert.pem", "openssh", "openssh is in the form of OpenSSH", "ssh-keygen -p -m PKCS8 -f"),
        ("cert.pem", "other", "a key of a kind that is not supported: DSA PRIVATE KEY", ""),
    ] {
        let (problem, hint) = refused(folder.pair(certificate, key));
        assert!(problem.ends_with(words) && hint.contains(command), "{problem}: {hint}");
    }
    let error = Roots::from_file(folder.path("jks")).describe().unwrap_err();
    let jks = folder.path("jks").display().to_string();
    let command = format!("keytool -list -rfc -keystore {jks} > {jks}.pem");
    assert!(error.hint().is_some_and(|hint| hint.ends_with(&command)), "{error:?}");
    // A key that can be used behind one that cannot.
    folder.write("both", section("DSA PRIVATE KEY") + &folder.read("key.pem"));
    folder.pair("cert.pem", "both").unwrap();
}

#[test]
#[cfg(unix)]
fn a_named_pipe_for_both_files_is_read_once() {
    let folder = Folder::new(KINDS[1]);
    let pipe = folder.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (done, outcome) = mpsc::channel();
    let path = pipe.clone();
    // A second reading would wait for a second writer.
    thread::spawn(move || done.send(Identity::from_pem_files(&path, &path)));
    let content = folder.read("cert.pem") + &folder.read("key.pem");
    // It would wait for a reader that does not come.
    thread::spawn(move || fs::write(&pipe, content));
    let identity = outcome.recv_timeout(Duration::from_secs(60)).expect("read once").unwrap();
    assert_eq!(certificates(&identity), 1);
}
