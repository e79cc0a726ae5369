//! A private key whose signatures take as long as the test wants.

use std::sync::Mutex as StdMutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use http::Request;
use iot_transport::https::{HttpClient, HttpLimits};
use iot_transport::text::Chain;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::advice;

/// Longer than any of these tests may take.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
struct SlowKey {
    key: Arc<dyn SigningKey>,
    asked: UnboundedSender<()>,
    release: Arc<StdMutex<Receiver<()>>>,
}

impl SigningKey for SlowKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = self.key.choose_scheme(offered)?;
        Some(Box::new(SlowSigner { key: self.clone(), signer }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

#[derive(Debug)]
struct SlowSigner {
    key: SlowKey,
    signer: Box<dyn Signer>,
}

impl Signer for SlowSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.key.asked.send(()).expect("the test listens");
        let release = self.key.release.lock().expect("not poisoned");
        release.recv_timeout(LIMIT).map_err(|_| rustls::Error::General("never released".to_owned()))?;
        self.signer.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.signer.scheme()
    }
}

/// The identity, a message for each signature that begins, and what lets one go on.
fn slow_identity(pki: &Pki) -> (Identity, UnboundedReceiver<()>, Sender<()>) {
    let (asked, began) = unbounded_channel();
    let (go_on, release) = channel();
    let plain = pki.identity().certified_key();
    let key = SlowKey { key: Arc::clone(&plain.key), asked, release: Arc::new(StdMutex::new(release)) };
    let identity = Identity::on_a_device(CertifiedKey::new(plain.cert.clone(), Arc::new(key)));
    (identity, began, go_on)
}

/// On a runtime with a single thread, as the samples have it.
#[tokio::test]
async fn other_tasks_run_while_a_signature_is_under_way() {
    let pki = Pki::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (identity, mut began, go_on) = slow_identity(&pki);
        let dialer = dialer(echo(pki.server(&[version], true)).await, Auth::MutualTls(identity), pki.roots());
        let dial = tokio::spawn(async move { first_byte(&dialer).await });
        began.recv().await.expect("a signature begins");

        // Timers and sockets of another task.
        let plain = super::dialer(echo(pki.server(&[version], false)).await, signed(), pki.roots());
        assert_eq!(first_byte(&plain).await.expect("connects"), 7);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(!dial.is_finished());

        go_on.send(()).expect("the key waits");
        assert_eq!(dial.await.expect("no panic").expect("connects"), 7);
    }
}

/// A client certificate is for HTTPS requests, too, such as those to the credentials provider.
#[tokio::test]
async fn other_tasks_run_while_a_signature_for_credentials_is_under_way() {
    let pki = Pki::new();
    let (identity, mut began, go_on) = slow_identity(&pki);
    let address = echo(pki.server(&[&rustls::version::TLS13], true)).await;
    let client = HttpClient::new(&pki.roots().into()).with_identity(&identity, &Arc::default());
    let request = Request::get(format!("https://localhost:{}/", address.port())).body(String::new());
    let request = request.expect("a request");
    let call = tokio::spawn(async move { client.send(request, HttpLimits::default()).await.err() });
    began.recv().await.expect("a signature begins");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!call.is_finished());

    // What follows is no HTTP.
    go_on.send(()).expect("the key waits");
    let error = call.await.expect("no panic");
    assert!(error.as_ref().is_some_and(|error| error.connected), "{error:?}");
}

#[test]
fn a_key_that_hangs_keeps_neither_the_caller_nor_the_runtime() {
    let (ended, end) = channel();
    let (keep, kept) = channel();
    let pki = Pki::new();
    let (identity, mut began, go_on) = slow_identity(&pki);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("builds");
        runtime.block_on(async {
            let address = echo(pki.server(&[&rustls::version::TLS13], true)).await;
            let dialer = dialer(address, Auth::MutualTls(identity), pki.roots());
            {
                let timeline = Timeline::start();
                let dial = dialer.dial(&timeline);
                tokio::select! {
                    _ = dial => panic!("the key hangs"),
                    _ = began.recv() => {}
                }
                assert_eq!(timeline.waiting_for(), Some(Layer::Tls));
            }
            // The next attempt waits for the thread of the first, and starts no other.
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
            let again = Dialer {
                shared: Arc::new(Shared {
                    port: listener.local_addr().expect("an address").port(),
                    endpoint: dialer.shared.endpoint.clone(),
                    route: dialer.shared.route.clone(),
                    tls: Arc::clone(&dialer.shared.tls),
                    blocking_key: dialer.shared.blocking_key.clone(),
                    carrier: Carrier::Tls,
                    auth: AuthKind::Certificate,
                }),
            };
            let timeline = Timeline::start();
            let mut dial = Box::pin(again.dial(&timeline));
            let reaches_tls = async {
                while timeline.waiting_for() != Some(Layer::Tls) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                _ = &mut dial => panic!("the key hangs"),
                () = reaches_tls => {}
            }
            let dial = tokio::time::timeout(Duration::from_millis(50), dial);
            assert!(dial.await.is_err(), "the deadline holds");
            assert_eq!(timeline.waiting_for(), Some(Layer::Tls));
            let turn = dialer.shared.blocking_key.clone().expect("its key blocks");
            assert!(turn.try_lock().is_err(), "one thread holds it still");
            keep.send(turn).expect("the test listens");
        });
        drop(runtime);
        ended.send(()).expect("the test waits");
    });
    end.recv_timeout(LIMIT).expect("the runtime has ended");
    // The device answers at last: the thread ends.
    go_on.send(()).expect("the key waits");
    let turn = kept.recv_timeout(LIMIT).expect("sent");
    drop(turn.blocking_lock());
}

#[tokio::test]
async fn the_error_of_a_key_is_found_below_the_handshake() {
    /// Says no.
    #[derive(Debug, Clone)]
    struct NoKey(Arc<dyn SigningKey>, fn() -> iot_transport::Error);

    impl SigningKey for NoKey {
        fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
            Some(Box::new(self.clone()))
        }

        fn algorithm(&self) -> SignatureAlgorithm {
            self.0.algorithm()
        }
    }

    impl Signer for NoKey {
        fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
            Err(rustls::Error::Other(rustls::OtherError(Arc::new(Arc::new(self.1())))))
        }

        fn scheme(&self) -> SignatureScheme {
            SignatureScheme::ECDSA_NISTP256_SHA256
        }
    }

    fn wrong_pin() -> iot_transport::Error {
        iot_transport::Error::Identity {
            problem: "the PIN".to_owned(),
            hint: Some("a hint".to_owned()),
            source: None,
        }
    }
    fn pulled_out() -> iot_transport::Error {
        iot_transport::Error::Signature { key: "key".to_owned(), source: "C_Sign: CKR_DEVICE_REMOVED".into() }
    }
    let pki = Pki::new();
    let key: [(fn() -> iot_transport::Error, bool); 2] = [(wrong_pin, true), (pulled_out, false)];
    for (failure, permanent) in key {
        let plain = pki.identity().certified_key();
        let key = NoKey(Arc::clone(&plain.key), failure);
        let identity = Identity::on_a_device(CertifiedKey::new(plain.cert.clone(), Arc::new(key)));
        let server = pki.server(&[&rustls::version::TLS13], true);
        let dialer = dialer(echo(server).await, Auth::MutualTls(identity), pki.roots());
        let error = first_byte(&dialer).await.expect_err("the key says no");
        assert_eq!(error.is_permanent(), permanent, "{error:?}");
        let shown = format!("{}\nhint: {}", Chain(&error), advice(&error).unwrap_or_default());
        assert!(shown.contains(&format!("failed: {}", failure())), "{shown}");
        assert_eq!(shown.contains("hint: a hint"), permanent, "{shown}");
    }
}

#[tokio::test]
async fn a_key_that_panics_is_an_internal_failure() {
    let pki = Pki::new();
    let (identity, began, _go_on) = slow_identity(&pki);
    // The key finds nobody to tell, and panics.
    drop(began);
    let server = pki.server(&[&rustls::version::TLS13], true);
    let dialer = dialer(echo(server).await, Auth::MutualTls(identity), pki.roots());
    let error = first_byte(&dialer).await.expect_err("the key panics");
    let panicked = |error: &Error| {
        matches!(error, Error::Transport(iot_transport::Error::Panicked { part: "TLS handshake", .. }))
    };
    assert!(panicked(&error), "{error:?}");
    assert!(error.to_string().contains("the test listens"), "{error}");
    assert!(error.is_permanent());
}
