//! Wrong usage: exit code 2, and no flag that is taken and ignored.

use crate::report::doctor;

#[test]
fn flags_that_do_not_fit_together() {
    let endpoint = "a1b2c3-ats.iot.eu-west-1.amazonaws.com";
    for (flags, words) in [
        (&[][..], &["--endpoint"][..]),
        (&["--endpoint", endpoint, "--cert", "c"], &["--key"]),
        (
            &["--endpoint", endpoint, "--cert", "c", "--key", "k", "--profile", "p"],
            &["unexpected", "--profile"],
        ),
        (
            &["--endpoint", endpoint, "--cert", "c", "--key", "k", "--websocket"],
            &["unexpected", "--websocket"],
        ),
        (&["--endpoint", endpoint, "--auth", "sigv4", "--cert", "c"], &["unexpected", "--cert"]),
        (&["--endpoint", endpoint, "--auth", "none", "--region", "r"], &["unexpected", "--region"]),
        (&["--endpoint", endpoint, "--auth", "unknown"], &["invalid value", "mtls"]),
        (&["--endpoint", endpoint, "--region", "us-east-1"], &["--region", "eu-west-1", "us-east-1"]),
        (
            &["--endpoint", endpoint, "--auth-username", "u", "--dry-run"],
            &["--dry-run", "nothing to examine"],
        ),
        (&["--pkcs11-lib", "l", "--list"], &["--list", "nothing to examine"]),
        (&["--endpoint", endpoint, "--topic", "a/#"], &["--topic", "wildcard"]),
        (&["--endpoint", endpoint, "--auth-token-key-name", "k"], &["a signed token is incomplete"]),
    ] {
        doctor().args(flags).run().failed(2, words);
    }
}

#[test]
fn each_method_has_its_help() {
    for (method, flag) in [
        ("none", "--https-port"),
        ("mtls", "--key-password-file"),
        ("pkcs12", "--pkcs12-file"),
        ("pkcs11", "--token-label"),
        ("windows", "--cert-store"),
        ("sigv4", "--cognito-identity-pool"),
        ("custom", "--authorizer-name"),
    ] {
        let help = doctor().args(["--auth", method, "--help"]).run().succeeded().stdout;
        assert!(help.contains(flag), "{method}: {help}");
        assert!(!help.contains("\n      --dry-run") && !help.contains("\n      --list"), "{method}: {help}");
    }
}
