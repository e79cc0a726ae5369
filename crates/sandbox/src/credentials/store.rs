//! All credentials that a signature may be made with.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use parking_lot::RwLock;

use crate::credentials::{Credentials, Holder};

/// How many issued ones are known; the oldest is forgotten for the next.
const CAPACITY: usize = 10_000;

/// Credentials with what the sandbox knows of them.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) credentials: Credentials,
    pub(crate) holder: Holder,
    /// From when on they are refused, by the sandbox's clock.
    pub(crate) expires: Option<Timestamp>,
}

/// The credentials, by access key ID.
#[derive(Debug, Default)]
pub(crate) struct CredentialStore(RwLock<Entries>);

#[derive(Debug, Default)]
struct Entries {
    known: HashMap<String, Known>,
    /// The access key IDs of those that services have issued, oldest first.
    issued: VecDeque<String>,
}

impl CredentialStore {
    /// Adds credentials that stay for as long as the sandbox.
    pub(crate) fn add(&self, known: Known) {
        self.0.write().known.insert(known.credentials.access_key_id.clone(), known);
    }

    /// Adds credentials that a service issues.
    pub(crate) fn add_issued(&self, known: Known) {
        let mut entries = self.0.write();
        if entries.issued.len() == CAPACITY
            && let Some(oldest) = entries.issued.pop_front()
        {
            entries.known.remove(&oldest);
        }
        entries.issued.push_back(known.credentials.access_key_id.clone());
        entries.known.insert(known.credentials.access_key_id.clone(), known);
    }

    pub(crate) fn find(&self, access_key_id: &str) -> Option<Known> {
        self.0.read().known.get(access_key_id).cloned()
    }

    /// Ends the time of all that were issued.
    pub(crate) fn expire_issued(&self) {
        let Entries { known, issued } = &mut *self.0.write();
        for access_key_id in issued {
            if let Some(known) = known.get_mut(access_key_id) {
                known.expires = Some(Timestamp::MIN);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(number: usize) -> Known {
        let credentials = Credentials {
            access_key_id: format!("ASIA{number}"),
            secret_access_key: String::new(),
            session_token: String::new(),
        };
        Known { credentials, holder: Holder::role("test"), expires: None }
    }

    #[test]
    fn the_latest_issued_are_kept_and_the_fixed_ones() {
        let store = CredentialStore::default();
        store.add(known(0));
        for number in 1..=CAPACITY + 1 {
            store.add_issued(known(number));
        }
        let is_known = |number| store.find(&format!("ASIA{number}")).is_some();
        assert!(is_known(0) && !is_known(1) && is_known(2) && is_known(CAPACITY + 1));
        assert_eq!(store.0.read().known.len(), CAPACITY + 1);
    }

    #[test]
    fn only_issued_ones_are_expired() {
        let store = CredentialStore::default();
        store.add(known(0));
        store.add_issued(known(1));
        store.expire_issued();
        assert_eq!(store.find("ASIA0").unwrap().expires, None);
        assert_eq!(store.find("ASIA1").unwrap().expires, Some(Timestamp::MIN));
    }
}
