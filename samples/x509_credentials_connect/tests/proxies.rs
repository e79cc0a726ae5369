//! Through proxies: AWS IoT's credentials provider and the broker are reached by them alone.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;

use sandbox::{CredentialEndpoint, Sandbox};
use testkit::Sample;

const BINARY: &str = env!("CARGO_BIN_EXE_x509_credentials_connect");

#[test]
fn calls_to_the_credentials_provider_go_the_same_way() {
    let sandbox = Sandbox::start().unwrap();
    let (device, provider, proxies) = (sandbox.device(), sandbox.credentials_provider(), sandbox.proxies());
    let ca_file = sandbox.ca_file().as_os_str();
    for url in [&proxies.socks5, &proxies.socks5_auth, &proxies.http, &proxies.http_auth] {
        // With roots of its own it takes no other way.
        for own_roots in [false, true] {
            let proxy: SocketAddr = url.rsplit(['/', '@']).next().unwrap().parse().unwrap();
            let asked = sandbox.proxied().len();
            let sample = Sample::new(BINARY)
                .https(&sandbox)
                .args(["--region", sandbox.region(), "--proxy", url])
                .args(["--x509-endpoint", &provider.endpoint, "--x509-role-alias", &provider.role_alias])
                .args(["--x509-cert".as_ref(), device.cert_file.as_os_str()])
                .args(["--x509-key".as_ref(), device.key_file.as_os_str()]);
            let sample = if own_roots { sample.args(["--x509-ca-file".as_ref(), ca_file]) } else { sample };
            let (outcome, capture) = sample.run_captured();
            outcome.succeeded();
            capture.assert_only(&[proxy]);
            // One for the credentials, one for the broker.
            let target = format!("localhost:{}", sandbox.https_port());
            let targets: Vec<_> =
                sandbox.proxied().split_off(asked).into_iter().map(|one| one.target).collect();
            assert_eq!(targets, [target.clone(), target]);
            let requests = sandbox.credential_requests();
            assert_eq!(requests.last().unwrap().endpoint, CredentialEndpoint::CredentialsProvider);
        }
    }
}
