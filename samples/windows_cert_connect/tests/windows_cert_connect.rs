//! What can be tried of the sample without Windows: its flags, and what it says on other systems.

use std::path::Path;

use sandbox::Sandbox;
use testkit::{Sample, readme};

const BINARY: &str = env!("CARGO_BIN_EXE_windows_cert_connect");
const THUMBPRINT: &str = "6AC133AC58F0A88B83E9C794EBA156A98DA39B4C";
const ELSEWHERE: [&str; 4] = [THUMBPRINT, "only Windows has one", "hint:", "PKCS#12"];

#[test]
fn elsewhere_than_on_windows_it_says_so() {
    let path = format!(r"CurrentUser\MY\{THUMBPRINT}");
    // The second and third are the names of the official samples.
    for flag in ["--cert-store", "--cert_store", "--cert"] {
        Sample::new(BINARY).args(["--endpoint", "localhost", flag, &path]).run().failed(1, &ELSEWHERE);
    }
}

#[test]
fn a_path_that_is_none_is_a_usage_error() {
    for (path, words) in [
        (THUMBPRINT, "three parts"),
        (r"Services\MY\6AC1", "not a location"),
        (r"CurrentUser\MY\6AC1", "not a thumbprint"),
    ] {
        let sample = Sample::new(BINARY).args(["--endpoint", "localhost", "--cert-store", path]);
        sample.run().failed(2, &["--cert-store", words]);
    }
    Sample::new(BINARY).run().failed(2, &["--endpoint", "--cert-store"]);
}

#[test]
fn the_readme_works() {
    let sandbox = Sandbox::start().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR"));
    readme::commands_end(sample, "windows_cert_connect", BINARY, &sandbox, |outcome| {
        outcome.failed(1, &["only Windows has one"]);
    });
}
