//! A local AWS IoT Core, for tests and for trying things out without an AWS account. A development tool: it listens on
//! 127.0.0.1 only, and its keys lie in files.
//!
//! ```no_run
//! let sandbox = sandbox::Sandbox::start()?;
//! println!("mutual TLS: {}:{}, trust {}", sandbox.endpoint(), sandbox.mqtt_port(), sandbox.ca_file().display());
//! # anyhow::Ok(())
//! ```
//!
//! A connection goes through these layers, each a module of its own:
//! - `gateway`: TLS (`tls`, `pki`), client certificates (`things`), WebSocket requests signed with Signature Version 4
//!   (`sigv4`). It decides who the client is, or leaves that to a custom authorizer.
//! - `services`: Cognito, STS, SSO, the metadata services and the IoT credentials provider, which give out temporary
//!   credentials to sign with (`credentials`).
//! - `gate`: asks the custom authorizer (`authorizer`) at CONNECT, looks at each MQTT packet (`mqtt`) both ways, and
//!   enforces policies (`policy`) and the limits of AWS.
//! - `broker`: the crate `mqtt5`, without a TCP port of its own.
//!
//! `proxy` has proxies to reach the ports through: HTTP CONNECT, also over TLS, and SOCKS5.
//!
//! [`Relay`] stands before any port and makes the way to it long, or breaks it in one of many ways ([`relay::Fault`]).
//!
//! It shares no code with the crate `common`, so that a mistake in one is not hidden by the same mistake in the other.

mod account;
mod authorizer;
mod broker;
mod builder;
mod clock;
mod connections;
mod credentials;
mod device;
mod excerpt;
mod gate;
mod gateway;
mod limits;
mod listen;
mod mqtt;
mod names;
mod pki;
mod policy;
mod proxy;
mod received;
pub mod relay;
mod running;
mod sandbox;
mod secret;
mod services;
mod shortage;
mod sigv4;
mod state;
mod things;
mod tls;

pub use authorizer::{
    Authorizer, AuthorizerCall, AuthorizerExample, Authorizers, SignedAuthorizerExample, TokenSigning,
};
pub use builder::Builder;
pub use connections::{Connection, Transport};
pub use credentials::Credentials;
pub use device::Device;
pub use listen::ListenError;
pub use pki::ServerCertificate;
pub use policy::Principal;
pub use proxy::{Proxied, Proxies, ProxyKind};
pub use received::{Received, Recording};
pub use relay::Relay;
pub use sandbox::Sandbox;
pub use services::{
    Cognito, CredentialEndpoint, CredentialOutcome, CredentialRequest, CredentialsProvider, Metadata, SignIn,
    Sso, Sts,
};
pub use shortage::shortage_hint;
pub use tls::TlsVersions;
