use clap::Parser;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    sigv4: SigV4Args,
}

fn source(flags: &[&str]) -> Result<CredentialSource, String> {
    let args = Cli::try_parse_from([&["cli"], flags].concat()).map_err(|error| error.to_string())?;
    args.sigv4.source().map_err(|error| error.to_string())
}

const ID: &str = "us-east-1:12345678-1234-1234-1234-123456789012";

#[test]
fn the_source_follows_from_the_flags() {
    assert!(matches!(source(&[]), Ok(CredentialSource::DefaultChain)));
    assert!(matches!(source(&["--profile", "dev"]), Ok(CredentialSource::Profile { .. })));
    let keys = ["--access_key_id", "AKID", "--secret_access_key", "s"];
    assert!(matches!(source(&keys), Ok(CredentialSource::Static(_))));
    assert!(matches!(source(&["--cognito_identity", ID]), Ok(CredentialSource::Cognito(_))));
    assert!(matches!(source(&["--cognito-identity-pool", ID]), Ok(CredentialSource::Cognito(_))));
    for (flags, word) in [
        (&["--access-key", "AKID", "--secret", "s", "--profile", "dev"][..], "--profile"),
        (&["--secret", "s"], "--access-key"),
        (&["--credential-source", "environment", "--secret", "s"], "--secret"),
        (&["--credential-source", "default-chain", "--config-file", "f"], "--config-file"),
        (&["--cognito-identity", ID, "--profile", "dev"], "--cognito-identity"),
        (&["--cognito-identity", ID, "--cognito-identity-pool", ID], "--cognito-identity-pool"),
        (&["--credential-source", "cognito"], "--cognito-identity-pool"),
        (&["--login", "a=b"], "--cognito-identity"),
        (&["--x509-endpoint", "a.example", "--x509-role-alias", "r", "--x509-cert", "c"], "--x509-key"),
        (&["--credential-source", "static", "--x509-thing-name", "t"], "--x509-thing-name"),
        (&["--secret", "s", "--secret-file", "f"], "--secret-file"),
    ] {
        let error = source(flags).err().unwrap_or_default();
        assert!(error.contains(word), "{flags:?}: {error}");
    }
}

#[test]
fn values_are_checked_at_the_edge() {
    for (flags, word) in [
        (["--cognito-identity", "us-east-1"], "<region>:<UUID>"),
        (["--x509-role-alias", "a/b"], "characters of a-z"),
        (["--x509-thing-name", "a b"], "characters of a-z"),
        (["--x509-endpoint", "https://a.example"], "a.example"),
        (["--x509-endpoint", "a.example:0"], "is not a port"),
    ] {
        let error = source(&flags).err().unwrap_or_default();
        assert!(error.contains(word), "{flags:?}: {error}");
    }
}

#[test]
fn logins_are_hidden_and_checked() {
    let token = ["--cognito-identity", ID, "--login", "example.com=hu=sh"];
    let found = source(&token).unwrap();
    assert!(!format!("{found:?}").contains("hu=sh"), "{found:?}");
    for (flags, word) in [
        (["--login", "hush"].as_slice(), "PROVIDER=TOKEN"),
        (&["--login", "=hush"], "PROVIDER=TOKEN"),
        (&["--login", "a="], "is empty"),
        (&["--login", "a=hush", "--login", "a=hush"], "two logins"),
        (&["--login-file", "a"], "PROVIDER=FILE"),
        (&["--login-file", "a=/nowhere/token"], "/nowhere/token"),
    ] {
        let error = source(&[&["--cognito-identity", ID], flags].concat()).err().unwrap_or_default();
        assert!(error.contains(word) && !error.contains("hush"), "{flags:?}: {error}");
    }
}
