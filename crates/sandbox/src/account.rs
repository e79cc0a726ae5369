//! Everything of the sandbox that outlives a restart.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::authorizer::AuthorizerTable;
use crate::clock::Clock;
use crate::connections::ConnectionLog;
use crate::gate::Patience;
use crate::policy::PolicyStore;
use crate::received::Recorders;
use crate::services::Services;
use crate::sigv4::Verifier;
use crate::things::Things;
use crate::tls::Configurations;

/// The one region there is.
pub(crate) const REGION: &str = "us-east-1";
/// The account number of AWS's own examples.
pub(crate) const ACCOUNT_ID: &str = "123456789012";
/// The role that all services but Cognito let assume.
pub(crate) const ROLE_NAME: &str = "sandbox-role";

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
    pub(crate) services: Services,
    pub(crate) connections: ConnectionLog,
    pub(crate) recorders: Recorders,
    pub(crate) patience: Patience,
    /// CONNECTs to refuse, for tests: code and reason string.
    pub(crate) refusals: Mutex<VecDeque<(u8, String)>>,
}
