//! Through real proxies, with a custom authorizer by both transports.
#![cfg(target_os = "linux")]

use sandbox::Sandbox;
use testkit::Sample;
use testkit::proxies::ways;

const BINARY: &str = env!("CARGO_BIN_EXE_custom_auth_connect");

#[test]
fn each_real_proxy_leads_to_the_broker_and_nobody_else_is_contacted() {
    let sandbox = Sandbox::start().unwrap();
    let authorizer = &sandbox.authorizers().unsigned;
    for way in ways() {
        for transport in [&[][..], &["--websocket"]] {
            let sample = Sample::new(BINARY)
                .https(&sandbox)
                .args(["--authorizer-name", &authorizer.name, "--auth-username", &authorizer.username])
                .args(transport)
                .env("AWS_IOT_AUTH_PASSWORD", &authorizer.password);
            way.leads(sample, sandbox.https_port());
        }
    }
}
