//! Everything of the sandbox that outlives a restart, but for its services.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::authorizer::AuthorizerTable;
use crate::clock::Clock;
use crate::connections::ConnectionLog;
use crate::limits::Patience;
use crate::policy::PolicyStore;
use crate::received::Recorders;
use crate::sigv4::Verifier;
use crate::things::Things;
use crate::tls::Configurations;

/// Identities, policies and settings, shared by all connections.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) clock: Clock,
    /// Replaced when a restart brings another server certificate.
    pub(crate) tls: RwLock<Configurations>,
    pub(crate) policies: Arc<PolicyStore>,
    pub(crate) things: Things,
    pub(crate) authorizers: AuthorizerTable,
    pub(crate) verifier: Verifier,
    pub(crate) connections: ConnectionLog,
    pub(crate) recorders: Recorders,
    pub(crate) patience: Patience,
    /// CONNECTs to refuse, for tests: code and reason string.
    pub(crate) refusals: Mutex<VecDeque<(u8, String)>>,
}
