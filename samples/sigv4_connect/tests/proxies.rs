//! Through proxies: the broker and AWS STS are reached by them alone, the metadata services never.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;

use sandbox::{CredentialEndpoint, Sandbox};
use testkit::proxies::ways;
use testkit::{Contact, Sample};

const BINARY: &str = env!("CARGO_BIN_EXE_sigv4_websocket_connect");

fn sigv4_connect(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY).https(sandbox).args(["--region", sandbox.region()])
}

#[test]
fn each_real_proxy_leads_to_the_broker_and_nobody_else_is_contacted() {
    let sandbox = Sandbox::start().unwrap();
    for way in ways() {
        way.leads(sigv4_connect(&sandbox).credentials(sandbox.credentials()), sandbox.https_port());
    }
}

/// The sandbox's proxies that need nothing but a URL, and where they listen.
fn proxies(sandbox: &Sandbox) -> Vec<(&str, SocketAddr)> {
    let proxies = sandbox.proxies();
    let address = |url: &str| url.rsplit(['/', '@']).next().unwrap().parse().unwrap();
    [&proxies.socks5, &proxies.socks5_auth, &proxies.http, &proxies.http_auth]
        .map(|url| (url.as_str(), address(url)))
        .to_vec()
}

#[test]
fn calls_to_sts_go_the_same_way() {
    let sandbox = Sandbox::start().unwrap();
    let sts = sandbox.sts();
    for (url, proxy) in proxies(&sandbox) {
        let (asked, connections) = (sandbox.proxied().len(), sandbox.connections().len());
        let sample = sigv4_connect(&sandbox)
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &sts.web_identity_token_file)
            .env("AWS_ROLE_ARN", &sts.role_arn)
            .env("AWS_ENDPOINT_URL_STS", &sts.endpoint)
            .args(["--proxy", url]);
        let (outcome, capture) = sample.run_captured();
        outcome.succeeded();
        capture.assert_only(&[proxy]);
        // One for the credentials, one for the broker.
        let target = format!("localhost:{}", sandbox.https_port());
        let targets: Vec<_> = sandbox.proxied().split_off(asked).into_iter().map(|one| one.target).collect();
        assert_eq!(targets, [target.clone(), target]);
        assert_eq!(sandbox.credential_requests().last().unwrap().endpoint, CredentialEndpoint::Sts);
        assert_eq!(sandbox.connections().len(), connections + 1);
    }
}

#[test]
fn a_proxy_that_refuses_is_what_is_told_of_calls_for_credentials() {
    let sandbox = Sandbox::start().unwrap();
    let sts = sandbox.sts();
    let wrong = sandbox.proxies().http_auth.replacen(":", ":x", 2).replacen(":x//", "://", 1);
    let sample = sigv4_connect(&sandbox)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &sts.web_identity_token_file)
        .env("AWS_ROLE_ARN", &sts.role_arn)
        .env("AWS_ENDPOINT_URL_STS", &sts.endpoint)
        .args(["--proxy", &wrong]);
    sample.run().failed(
        1,
        &["through the proxy http://127.0.0.1", "HTTP 407", "hint:", "user name and the password"],
    );
    assert!(sandbox.credential_requests().is_empty() && sandbox.connections().is_empty());
}

#[test]
fn the_metadata_services_are_asked_directly() {
    let sandbox = Sandbox::start().unwrap();
    let metadata = sandbox.metadata();
    let services: SocketAddr = metadata.endpoint.rsplit('/').next().unwrap().parse().unwrap();
    let ec2 = || {
        sigv4_connect(&sandbox)
            .without_env("AWS_EC2_METADATA_DISABLED")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.endpoint)
    };
    let container = || {
        sigv4_connect(&sandbox)
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata.container_credentials_uri)
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", &metadata.container_authorization_token)
    };
    for (url, proxy) in proxies(&sandbox) {
        for (sample, endpoint) in
            [(ec2(), CredentialEndpoint::InstanceMetadata), (container(), CredentialEndpoint::Container)]
        {
            let asked = sandbox.proxied().len();
            // As it is set for everybody, plain HTTP included.
            let sample = sample.env("ALL_PROXY", url).env("HTTP_PROXY", url).env("http_proxy", url);
            let (outcome, capture) = sample.run_captured();
            outcome.succeeded();
            let contacts = capture.contacts();
            assert!(contacts.contains(&Contact::Internet(services)), "{contacts:?}");
            assert!(contacts.contains(&Contact::Internet(proxy)), "{contacts:?}");
            assert_eq!(contacts.len(), 2, "{contacts:?}");
            let proxied = sandbox.proxied().split_off(asked);
            let [broker] = proxied.as_slice() else { panic!("only the broker: {proxied:?}") };
            assert_eq!(broker.target, format!("localhost:{}", sandbox.https_port()));
            assert_eq!(sandbox.credential_requests().last().unwrap().endpoint, endpoint);
        }
    }
}
