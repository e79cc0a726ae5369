//! What the sandbox remembers of requests for credentials.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// A service that gives out credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialEndpoint {
    /// Amazon Cognito identity pools.
    Cognito,
    /// AWS STS.
    Sts,
    /// The portal of IAM Identity Center.
    Sso,
    /// AWS Sign-In.
    SignIn,
    /// The instance metadata service of EC2 (IMDSv2).
    InstanceMetadata,
    /// The credentials endpoint of containers (ECS, EKS).
    Container,
    /// The credentials provider of AWS IoT.
    CredentialsProvider,
}

/// How a request for credentials was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialOutcome {
    /// By credentials.
    Issued {
        /// Their access key ID.
        access_key_id: String,
    },
    /// By something on the way to credentials, an identity ID, a session token of IMDSv2, the name of a role; or by
    /// whose credentials they are.
    Answered,
    /// By an error.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The name of the exception.
        error: String,
    },
}

/// One request for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CredentialRequest {
    /// The service that was asked.
    pub endpoint: CredentialEndpoint,
    /// What it answered.
    pub outcome: CredentialOutcome,
}

/// How many requests are remembered.
const CAPACITY: usize = 10_000;

/// The latest requests.
#[derive(Debug, Default)]
pub(crate) struct CredentialRequestLog(Mutex<VecDeque<CredentialRequest>>);

impl CredentialRequestLog {
    pub(super) fn add(&self, request: CredentialRequest) {
        let mut log = self.0.lock();
        if log.len() == CAPACITY {
            log.pop_front();
        }
        log.push_back(request);
    }

    pub(crate) fn snapshot(&self) -> Vec<CredentialRequest> {
        self.0.lock().iter().cloned().collect()
    }
}
