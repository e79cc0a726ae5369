//! The authorizers that every sandbox has, and what a client needs to be let in by them.

use std::fmt;
use std::sync::LazyLock;

use anyhow::{Context, anyhow};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::authorizer::{Authorizer, TokenSigning};
use crate::secret;

/// What signs the tokens. It is made once for a process, since that takes longer than the rest of a sandbox's start.
static KEY: LazyLock<Option<RsaKeyPair>> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).ok());

/// Characters of a line of PEM (RFC 7468 §2).
const LINE: usize = 64;

/// The authorizers that a sandbox has from the start. Their policies are those of
/// [`Principal::Authorizer`](crate::Principal::Authorizer).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Authorizers {
    /// The one with signing disabled.
    pub unsigned: AuthorizerExample,
    /// The one that asks for a signed token.
    pub signed: SignedAuthorizerExample,
}

/// What a client needs for a custom authorizer without signing.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuthorizerExample {
    /// The authorizer's name.
    pub name: String,
    /// The user name, without a query.
    pub username: String,
    /// The password.
    pub password: String,
}

/// What a client needs for a custom authorizer with signing.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SignedAuthorizerExample {
    /// The authorizer's name.
    pub name: String,
    /// The name under which to send the token.
    pub token_key_name: String,
    /// The token.
    pub token_value: String,
    /// The token's signature, Base64; it has to be URI-encoded in a query.
    pub token_signature: String,
    /// The user name, without a query.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for AuthorizerExample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuthorizerExample")
            .field("name", &self.name)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SignedAuthorizerExample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignedAuthorizerExample")
            .field("name", &self.name)
            .field("token_key_name", &self.token_key_name)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The examples with their entries for the table.
#[derive(Debug)]
pub(crate) struct Examples {
    pub(crate) client: Authorizers,
    pub(crate) table: [Authorizer; 2],
}

impl Examples {
    /// Makes passwords and a token at random.
    pub(crate) fn generate(policy_documents: &[String]) -> anyhow::Result<Self> {
        let key = KEY.as_ref().context("cannot make an RSA key")?;
        let (token_value, token_signature) = loop {
            let token = secret::token()?;
            let signature = sign(key, &token)?;
            // Nearly all do. One that needs no encoding would let a client pass that forgets it.
            if signature.contains('+') && signature.contains('/') {
                break (token, signature);
            }
        };
        let client = Authorizers {
            unsigned: AuthorizerExample {
                name: "sandbox-unsigned".to_owned(),
                username: "sandbox-user".to_owned(),
                password: secret::token()?,
            },
            signed: SignedAuthorizerExample {
                name: "sandbox-signed".to_owned(),
                token_key_name: "sandbox-token".to_owned(),
                token_value,
                token_signature,
                username: "sandbox-user".to_owned(),
                password: secret::token()?,
            },
        };
        let entry = |name: &str, username: &str, password: &str| {
            let mut authorizer = Authorizer::new(name);
            authorizer.users.insert(username.to_owned(), password.to_owned());
            authorizer.policy_documents = policy_documents.to_vec();
            authorizer
        };
        let Authorizers { unsigned, signed } = &client;
        let mut with_signing = entry(&signed.name, &signed.username, &signed.password);
        with_signing.signing = Some(TokenSigning {
            token_key_name: signed.token_key_name.clone(),
            public_key: public_key_pem(key)?,
        });
        let table = [entry(&unsigned.name, &unsigned.username, &unsigned.password), with_signing];
        Ok(Examples { client, table })
    }
}

fn sign(key: &RsaKeyPair, token: &str) -> anyhow::Result<String> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
        .map_err(|_| anyhow!("cannot sign a token"))?;
    Ok(STANDARD.encode(signature))
}

fn public_key_pem(key: &RsaKeyPair) -> anyhow::Result<String> {
    let der: PublicKeyX509Der<'_> =
        key.public_key().as_der().map_err(|_| anyhow!("cannot write the public key"))?;
    let base64 = STANDARD.encode(der.as_ref());
    let lines: Result<Vec<_>, _> = base64.as_bytes().chunks(LINE).map(std::str::from_utf8).collect();
    let lines = lines.context("Base64 is ASCII")?;
    Ok(format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n")))
}
