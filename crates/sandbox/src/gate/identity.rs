//! Who a client is: what the gateway has found out, completed by the CONNECT.

use std::net::SocketAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::account::Account;
use crate::authorizer::{self, ConnectRequest, Handshake};
use crate::connections::LogEntry;
use crate::credentials::Holder;
use crate::gate::lease::Lease;
use crate::mqtt::connect::Connect;
use crate::policy::{PolicySource, Principal, Variables};
use crate::things::Registered;

/// A client at the other end of a stream, as the gateway hands it on.
pub(crate) struct Client {
    pub(crate) peer: SocketAddr,
    pub(crate) authentication: Authentication,
    pub(crate) entry: LogEntry,
}

/// How a client proves who it is.
pub(crate) enum Authentication {
    /// It did, by the certificate of a registered device.
    Certificate(Registered),
    /// It did, by a request signed with this holder's credentials.
    Signature(Holder),
    /// It will: a custom authorizer decides about its CONNECT and what came before.
    CustomAuthorizer(Handshake),
}

impl Authentication {
    pub(crate) fn principal(&self) -> Principal {
        match self {
            Authentication::Certificate(_) => Principal::Device,
            Authentication::Signature(holder) => holder.principal(),
            Authentication::CustomAuthorizer(_) => Principal::Authorizer,
        }
    }
}

/// What is known of a client once its CONNECT was read.
pub(super) struct Identity {
    pub(super) policies: PolicySource,
    /// The thing that it is attached to.
    pub(super) thing: Option<String>,
    /// The policy variables that its authentication brings.
    pub(super) variables: Variables,
    /// `None` when the connection may last.
    pub(super) lease: Option<Lease>,
}

impl Authentication {
    /// Completes the authentication of a peer by its CONNECT.
    pub(super) fn complete(
        self,
        peer: SocketAddr,
        connect: &Connect<'_>,
        account: &Account,
    ) -> Result<Identity, authorizer::Refusal> {
        match self {
            Authentication::Certificate(device) => Ok(Identity {
                policies: PolicySource::Attached(&[Principal::Device]),
                thing: Some(device.thing_name),
                variables: device.subject,
                lease: None,
            }),
            Authentication::Signature(holder) => Ok(Identity {
                policies: PolicySource::Attached(holder.principals()),
                thing: None,
                variables: holder.variables(),
                lease: None,
            }),
            Authentication::CustomAuthorizer(handshake) => {
                let request = ConnectRequest {
                    connection: Uuid::new_v4(),
                    handshake,
                    username: connect.username.map(str::to_owned),
                    password: connect.password.map(<[u8]>::to_vec),
                    client_id: Some(connect.client_id).filter(|id| !id.is_empty()).map(str::to_owned),
                };
                let grant = account.authorizers.authorize(&request)?;
                log::info!(
                    "{peer}: authenticated as {} by the custom authorizer {:?}",
                    grant.principal_id,
                    grant.authorizer
                );
                Ok(Identity {
                    policies: PolicySource::Answered(Arc::clone(&grant.policies)),
                    thing: None,
                    variables: Variables::default(),
                    lease: Some(Lease { request, grant }),
                })
            }
        }
    }
}
