//! What one connection may do.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::policy::{Decision, Policy, PolicyStore, Principal, Variables, decide};

/// The actions of an MQTT connection, and of a device that asks for credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Connect,
    Publish,
    RetainPublish,
    Subscribe,
    Receive,
    AssumeRoleWithCertificate,
}

impl Action {
    /// As policies write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::Connect => "iot:Connect",
            Action::Publish => "iot:Publish",
            Action::RetainPublish => "iot:RetainPublish",
            Action::Subscribe => "iot:Subscribe",
            Action::Receive => "iot:Receive",
            Action::AssumeRoleWithCertificate => "iot:AssumeRoleWithCertificate",
        }
    }

    fn resource_type(self) -> &'static str {
        match self {
            Action::Connect => "client",
            Action::Publish | Action::RetainPublish | Action::Receive => "topic",
            Action::Subscribe => "topicfilter",
            Action::AssumeRoleWithCertificate => "rolealias",
        }
    }
}

/// The policies that a custom authorizer gave to one connection; each refresh replaces them.
#[derive(Debug)]
pub(crate) struct AnsweredPolicies(RwLock<Arc<Vec<Policy>>>);

impl AnsweredPolicies {
    pub(crate) fn new(policies: Vec<Policy>) -> Self {
        AnsweredPolicies(RwLock::new(Arc::new(policies)))
    }

    pub(crate) fn replace(&self, policies: Vec<Policy>) {
        *self.0.write() = Arc::new(policies);
    }

    fn now(&self) -> Arc<Vec<Policy>> {
        Arc::clone(&self.0.read())
    }
}

/// Where a connection's policies come from.
#[derive(Clone, Debug)]
pub(crate) enum PolicySource {
    /// They are attached to these principals, all of whom have to allow what is done.
    Attached(&'static [Principal]),
    /// A custom authorizer gave them to this connection.
    Answered(Arc<AnsweredPolicies>),
}

/// The policies of a connection with the values of its policy variables. They are looked up for each question, so that
/// a change holds for open connections too.
#[derive(Clone, Debug)]
pub(crate) struct Permissions {
    store: Arc<PolicyStore>,
    source: PolicySource,
    variables: Variables,
}

impl Permissions {
    pub(crate) fn new(store: Arc<PolicyStore>, source: PolicySource, variables: Variables) -> Self {
        Permissions { store, source, variables }
    }

    /// Whether `action` on `name` (a client ID, topic, topic filter or role alias) is allowed; logs a refusal.
    pub(crate) fn allow(&self, action: Action, name: &str) -> bool {
        let resource = self.store.arn(action.resource_type(), name);
        match &self.source {
            PolicySource::Attached(principals) => {
                // Nobody is allowed nothing, not everything.
                !principals.is_empty()
                    && principals.iter().all(|principal| {
                        self.allowed_by(*principal, &self.store.of(*principal), action, &resource)
                    })
            }
            PolicySource::Answered(policies) => {
                self.allowed_by(Principal::Authorizer, &policies.now(), action, &resource)
            }
        }
    }

    fn allowed_by(&self, principal: Principal, policies: &[Policy], action: Action, resource: &str) -> bool {
        let decision = decide(policies, action.name(), resource, &self.variables);
        if decision != Decision::Allowed {
            let how = match decision {
                Decision::ExplicitlyDenied => "explicitly denied",
                _ => "not allowed by any policy",
            };
            log::info!("{} on {resource:?} by {principal} is {how}", action.name());
        }
        decision == Decision::Allowed
    }
}
