//! What one connection may do.

use std::collections::HashMap;
use std::sync::Arc;

use crate::policy::{Decision, PolicyStore, Principal, decide};

/// The actions of an MQTT connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Connect,
    Publish,
    RetainPublish,
    Subscribe,
    Receive,
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
        }
    }

    fn resource_type(self) -> &'static str {
        match self {
            Action::Connect => "client",
            Action::Publish | Action::RetainPublish | Action::Receive => "topic",
            Action::Subscribe => "topicfilter",
        }
    }
}

/// The policy variables of a connection. Their names are compared without regard to case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(HashMap<String, String>);

impl Variables {
    /// Adds a value.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_ascii_lowercase(), value.to_owned());
        self
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_ascii_lowercase()).map(String::as_str)
    }
}

/// The principal of a connection with the values of its policy variables. The policies are looked up for each
/// question, so that a change holds for open connections too.
#[derive(Clone, Debug)]
pub(crate) struct Permissions {
    store: Arc<PolicyStore>,
    principal: Principal,
    variables: Variables,
}

impl Permissions {
    pub(crate) fn new(store: Arc<PolicyStore>, principal: Principal, variables: Variables) -> Self {
        Permissions { store, principal, variables }
    }

    /// Whether `action` on `name` (a client ID, topic or topic filter) is allowed; logs a refusal.
    pub(crate) fn allow(&self, action: Action, name: &str) -> bool {
        let resource = self.store.arn(action.resource_type(), name);
        let policies = self.store.of(self.principal);
        let decision = decide(&policies, action.name(), &resource, &self.variables);
        if decision != Decision::Allowed {
            let how = match decision {
                Decision::ExplicitlyDenied => "explicitly denied",
                _ => "not allowed by any policy",
            };
            log::info!("{} on {resource:?} by {} is {how}", action.name(), self.principal);
        }
        decision == Decision::Allowed
    }
}
