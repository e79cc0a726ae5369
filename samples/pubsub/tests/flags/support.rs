//! What the tests of this sample share.

use sandbox::{Principal, Sandbox};
use testkit::{Running, Sample};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_pubsub");

/// The sample with all that it needs to connect.
pub(crate) fn pubsub(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY).mqtt(sandbox).device(sandbox.device())
}

/// The sample with no pause between messages.
pub(crate) fn quick(sandbox: &Sandbox) -> Sample {
    pubsub(sandbox).args(["--interval", "0"])
}

/// A sample that publishes what it reads.
pub(crate) fn lines(sandbox: &Sandbox) -> Sample {
    pubsub(sandbox).args(["--message", "-"])
}

/// Lets the device do whatever it likes.
pub(crate) fn allow_all(sandbox: &Sandbox) {
    let policy =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;
    sandbox.set_policies(Principal::Device, &[policy.to_owned()]).unwrap();
}

/// A sample that goes on publishing, and has lost its broker: at least one message waits, and each 50 ms another takes
/// its place. One more may have been sent without an acknowledgement; it keeps its place in the queue.
pub(crate) fn waiting(sandbox: &mut Sandbox, shutdown_timeout: &str) -> Running {
    let queue = ["--queue-messages", "2", "--when-full", "drop-oldest"];
    let sample = pubsub(sandbox).args(["--count", "0", "--interval", "0.05"]).args(queue);
    let mut running = Running::new(sample.args(["--shutdown-timeout", shutdown_timeout]).spawn());
    running.until("Received on");
    sandbox.stop();
    running.hears("dropped the oldest message");
    running
}
