//! The thread on which the listeners and the broker run.

use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;

use crate::account::Account;
use crate::broker::Broker;
use crate::gateway::{Gateway, Port, TlsPort};
use crate::services::Services;

/// The sockets of the gateway, bound and not yet served.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) mqtt: TcpListener,
    pub(crate) https: TcpListener,
    pub(crate) metadata: TcpListener,
}

/// A running gateway with its broker. Dropping it closes the listeners and all connections, and joins the thread.
pub(crate) struct Running {
    broker: Arc<Broker>,
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Serves all ports; connections that came in since the listeners were bound are served too.
    pub(crate) fn start(
        account: Arc<Account>,
        services: Arc<Services>,
        listeners: Listeners,
    ) -> anyhow::Result<Self> {
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
        let ports = [
            (listeners.mqtt, Port::Tls(TlsPort::Mqtt)),
            (listeners.https, Port::Tls(TlsPort::Https)),
            (listeners.metadata, Port::Metadata),
        ];
        let ports = {
            let _context = runtime.enter();
            let listener = |(listener, port): (TcpListener, Port)| {
                listener.set_nonblocking(true).context("cannot listen")?;
                anyhow::Ok((tokio::net::TcpListener::from_std(listener).context("cannot listen")?, port))
            };
            ports.into_iter().map(listener).collect::<anyhow::Result<Vec<_>>>()?
        };
        let broker = Arc::new(Broker::new());
        let gateway = Arc::new(Gateway { account, services, broker: Arc::clone(&broker) });
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let sweeping = Arc::clone(&broker);
        let serve = move || {
            runtime.block_on(async move {
                for (listener, port) in ports {
                    tokio::spawn(Arc::clone(&gateway).accept(listener, port));
                }
                tokio::spawn(async move { sweeping.sweep().await });
                // Both a message and a dropped sender mean to stop.
                let _ = stopped.await;
            });
            // The runtime is dropped here, and with it every task and its sockets.
        };
        let thread = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(serve)
            .context("cannot start a thread")?;
        Ok(Running { broker, handle, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.broker
    }

    /// For what runs beside the gateway and ends with it.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Publishes and waits until the message is on its way. The wait blocks this thread, not the sandbox's.
    pub(crate) fn publish(&self, topic: &str, payload: &[u8]) -> anyhow::Result<()> {
        let (broker, topic, payload) = (Arc::clone(&self.broker), topic.to_owned(), payload.to_vec());
        let (done, wait) = mpsc::channel();
        self.handle.spawn(async move {
            broker.publish(topic, payload).await;
            // The receiver below waits for it.
            let _ = done.send(());
        });
        wait.recv().map_err(|_| anyhow!("the sandbox stopped while it published"))
    }

    /// Waits until the sandbox has dealt with what had reached its sockets before the call. A timer fires only after
    /// the sockets were looked at, and after the tasks that they have woken; a second turn is for tasks that woke others.
    pub(crate) fn settle(&self) {
        let (done, wait) = mpsc::channel();
        self.handle.spawn(async move {
            for _ in 0..2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // The receiver below waits for it.
            let _ = done.send(());
        });
        // An error means that the runtime is gone: nothing is left to wait for.
        let _ = wait.recv();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic on the thread was printed there.
            let _ = thread.join();
        }
    }
}
