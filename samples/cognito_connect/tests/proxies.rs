//! Through proxies: Amazon Cognito and the broker are reached by them alone.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;

use sandbox::{CredentialEndpoint, Sandbox};
use testkit::Sample;

const BINARY: &str = env!("CARGO_BIN_EXE_cognito_connect");

#[test]
fn calls_to_cognito_go_the_same_way() {
    let sandbox = Sandbox::start().unwrap();
    let (cognito, proxies) = (sandbox.cognito(), sandbox.proxies());
    for url in [&proxies.socks5, &proxies.socks5_auth, &proxies.http, &proxies.http_auth] {
        let proxy: SocketAddr = url.rsplit(['/', '@']).next().unwrap().parse().unwrap();
        let asked = sandbox.proxied().len();
        let (outcome, capture) = Sample::new(BINARY)
            .https(&sandbox)
            .args(["--region", sandbox.region(), "--cognito-identity", &cognito.identity_id])
            .args(["--proxy", url])
            .env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &cognito.endpoint)
            .run_captured();
        outcome.succeeded();
        capture.assert_only(&[proxy]);
        // One for the credentials, one for the broker.
        let target = format!("localhost:{}", sandbox.https_port());
        let targets: Vec<_> = sandbox.proxied().split_off(asked).into_iter().map(|one| one.target).collect();
        assert_eq!(targets, [target.clone(), target]);
        assert_eq!(sandbox.credential_requests().last().unwrap().endpoint, CredentialEndpoint::Cognito);
    }
}
