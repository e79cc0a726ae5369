//! Clients for the tests: TLS, HTTP, a signer, MQTT packets.

pub(crate) mod authorizer;
pub(crate) mod mqtt;
pub(crate) mod services;
pub(crate) mod signed;
pub(crate) mod signer;
pub(crate) mod tls;
pub(crate) mod websocket;

use std::path::Path;

use sandbox::{Builder, Principal, Sandbox};

/// The policies that allow everything.
pub(crate) fn policies_dir() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/policies"))
}

pub(crate) fn builder() -> Builder {
    Sandbox::builder().policies_dir(policies_dir())
}

pub(crate) fn start() -> Sandbox {
    builder().start().unwrap()
}

/// A sandbox whose device may do only what the statements say, given as `(effect, action, resource)`.
pub(crate) fn start_with(statements: &[(&str, &str, &str)]) -> Sandbox {
    let sandbox = start();
    sandbox.set_policies(Principal::Device, &[policy(statements)]).unwrap();
    sandbox
}

pub(crate) fn policy(statements: &[(&str, &str, &str)]) -> String {
    let statements: Vec<_> = statements
        .iter()
        .map(|(effect, action, resource)| {
            format!(
                r#"{{"Effect":"{effect}","Action":"iot:{action}","Resource":"arn:aws:iot:${{region}}:${{account}}:{resource}"}}"#
            )
        })
        .collect();
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}
