use crate::message::QoS;
use crate::request::Action;

/// The filters that the broker has granted, to be renewed when it has lost the session.
#[derive(Default)]
pub(super) struct Subscriptions(Vec<(String, QoS)>);

impl Subscriptions {
    /// Takes over the change that the broker has granted.
    pub(super) fn granted(&mut self, action: &Action) {
        match action {
            Action::Publish(_) => {}
            Action::Subscribe { filter, qos } => {
                self.0.retain(|(known, _)| known != filter);
                self.0.push((filter.clone(), *qos));
            }
            Action::Unsubscribe { filter } => self.0.retain(|(known, _)| known != filter),
        }
    }

    pub(super) fn filters(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(filter, _)| filter)
    }

    /// The actions that renew them, in the order in which the application has subscribed.
    pub(super) fn renewals(&self) -> impl DoubleEndedIterator<Item = Action> {
        self.0.iter().map(|(filter, qos)| Action::Subscribe { filter: filter.clone(), qos: *qos })
    }
}
