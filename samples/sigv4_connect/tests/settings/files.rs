//! The AWS configuration files.

use std::fs;
use std::path::Path;

use sandbox::Sandbox;
use testkit::Sample;

use crate::support::{cognito, refuses, sigv4_connect, with_config};

#[test]
fn a_service_that_needs_no_profile_works_with_files_that_cannot_be_read() {
    let sandbox = Sandbox::start().unwrap();
    let sample = cognito(&sandbox).env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &sandbox.cognito().endpoint);
    let outcome = with_config(sample, "very-secret-line\n").run().succeeded();
    let path = ".aws/config on line 1: Expected a profile definition";
    assert!(
        outcome.stderr.contains("the AWS configuration files are left out: error parsing"),
        "{outcome:#?}"
    );
    assert!(outcome.stderr.contains(path) && !outcome.stderr.contains("very-secret"), "{outcome:#?}");
    let sample = cognito(&sandbox).env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &sandbox.cognito().endpoint);
    let sample = with_config(sample, "");
    fs::write(sample.home().join(".aws/config"), b"# caf\xe9\n").unwrap();
    let outcome = sample.run().succeeded();
    assert!(outcome.stderr.contains("are left out: cannot read the AWS config file"), "{outcome:#?}");
}

/// A profile `dev` with the sandbox's keys, in a file that a variable names.
fn with_keys_in(sandbox: &Sandbox, file: &Path) -> Sample {
    let keys = sandbox.credentials();
    let config = format!(
        "[profile dev]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        keys.access_key_id, keys.secret_access_key, keys.session_token
    );
    fs::write(file, config).unwrap();
    sigv4_connect(sandbox).env("AWS_CONFIG_FILE", file).env("AWS_PROFILE", "dev")
}

#[test]
fn a_usual_file_that_cannot_be_read_is_left_out_where_the_other_one_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let sample = || with_keys_in(&sandbox, file.path());
    sample().env("HOME", "/dev/null").run().succeeded();
    let folder = sample();
    fs::create_dir_all(folder.home().join(".aws/credentials")).unwrap();
    let outcome = folder.run().succeeded();
    let words = "an AWS configuration file is left out: cannot read the AWS credentials file";
    assert!(outcome.stderr.contains(words), "{outcome:#?}");
}

#[test]
fn a_configuration_file_may_begin_with_a_byte_order_mark_or_be_in_utf_16() {
    let sandbox = Sandbox::start().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let sample = || with_keys_in(&sandbox, file.path());
    let text = format!("\u{feff}{}", {
        drop(sample());
        fs::read_to_string(file.path()).unwrap()
    });
    for content in
        [text.clone().into_bytes(), text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()]
    {
        let sample = sample();
        fs::write(file.path(), content).unwrap();
        sample.run().succeeded();
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let with_file = |content: Option<&[u8]>| {
        let sample = with_config(sigv4_connect(&sandbox), "");
        let path = sample.home().join(".aws/credentials");
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::create_dir(&path).unwrap(),
        }
        (sample, path.display().to_string())
    };
    let broken = with_file(Some(b"[default]\naws_access_key_id = AKIA\nvery-secret-line\n"));
    let words = format!("the profile failed: error parsing {} on line 3", broken.1);
    refuses(&sandbox, broken.0, &[&words]);
    let latin = with_file(Some(b"[default]\n# caf\xe9\n"));
    let words = format!("cannot read the AWS credentials file {}: it is not UTF-8", latin.1);
    refuses(&sandbox, latin.0, &[&words]);
    // Another source may be meant, and so this one is passed over.
    let (folder, path) = with_file(None);
    let words = format!("the profile: cannot read the AWS credentials file {path}: ");
    refuses(&sandbox, folder, &["none of its sources is set up", &words, "directory"]);
    let (folder, path) = with_file(None);
    let named = folder.env("AWS_PROFILE", "dev");
    refuses(
        &sandbox,
        named,
        &[&format!("the profile failed: cannot read the AWS credentials file {path}: ")],
    );
    let (folder, _) = with_file(None);
    let metadata = sandbox.metadata();
    folder
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata.container_credentials_uri)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", &metadata.container_authorization_token)
        .run()
        .succeeded();
}
