//! The cryptography below TLS: aws-lc.

use std::sync::{Arc, Once};
use std::thread;

use aws_lc_rs::rand;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;

/// The one cryptography provider, always named: a process-wide default could be anyone's.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

/// Starts a thread, once per process, that draws the first random numbers, so that aws-lc seeds its generator while the
/// name is resolved and TCP connects. The seed is the process's, and comes from the processor's timing jitter: 10 to
/// 50 ms of CPU, more on a device, which the TLS handshake would otherwise spend. A handshake that begins earlier waits
/// for the rest of it inside aws-lc.
///
/// Builds of aws-lc with `AWS_LC_SYS_NO_JITTER_ENTROPY`, such as this workspace's, take the seed from the operating
/// system at once.
pub(crate) fn seed_ahead() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // Where either fails, the handshake seeds the generator, or has the failure to report.
        let _ = thread::Builder::new().name("randomness".to_owned()).spawn(|| rand::fill(&mut [0; 8]));
    });
}
