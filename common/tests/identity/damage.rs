//! Files come from anywhere: whatever is changed in one, the outcome is an identity or an error, never a panic.

use std::fs;
use std::path::Path;

use iot_transport::Identity;

use crate::{Folder, KINDS};

/// The content with each byte changed in turn, three ways, and cut off at each place.
fn damaged(content: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..content.len()).flat_map(move |at| {
        let changed = [0x01, 0x80, 0xff].map(|bits| {
            let mut copy = content.to_vec();
            copy[at] ^= bits;
            copy
        });
        changed.into_iter().chain([content[..at].to_vec()])
    })
}

#[test]
fn of_pkcs12() {
    let folder = Folder::new(KINDS[1]);
    // Without the MAC, which would find all the damage before the rest is looked at.
    for flags in ["-nomac", "-legacy -nomac", "-keypbe NONE -certpbe NONE -nomac"] {
        folder.openssl(&format!(
            "pkcs12 -export -in cert.pem -inkey key.pem -out whole -passout pass:x -iter 1 {flags}"
        ));
        for content in damaged(&fs::read(folder.path("whole")).unwrap()) {
            fs::write(folder.path("damaged"), content).unwrap();
            let _ = Identity::from_pkcs12_file(&folder.path("damaged"), &"x".into());
        }
    }
}

#[test]
fn of_pkcs12_that_the_null_string_protects() {
    let folder = Folder::new(KINDS[1]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/identity/files/null-password-no-mac.p12");
    for content in damaged(&fs::read(file).unwrap()) {
        fs::write(folder.path("damaged"), content).unwrap();
        let _ = Identity::from_pkcs12_file(&folder.path("damaged"), &"".into());
    }
}

#[test]
fn of_encrypted_keys() {
    let folder = Folder::new(KINDS[1]);
    let certificate = folder.path("cert.pem");
    for command in ["pkcs8 -topk8 -iter 1", "ec -aes128"] {
        folder.openssl(&format!("{command} -in key.pem -out whole -passout pass:x"));
        for content in damaged(&fs::read(folder.path("whole")).unwrap()) {
            fs::write(folder.path("damaged"), content).unwrap();
            let _ =
                Identity::from_encrypted_pem_files(&certificate, &folder.path("damaged"), || Ok("x".into()));
        }
    }
}
