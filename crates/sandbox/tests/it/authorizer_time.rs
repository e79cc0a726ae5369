//! The time that custom authorizers give connections, with seconds that pass fast.

use std::time::{Duration, Instant};

use sandbox::{Authorizer, Sandbox};

use crate::support::authorizer::{BOTH, By, POLICY, authorizer, user};
use crate::support::builder;
use crate::support::mqtt::Publish;

const SECOND: Duration = Duration::from_millis(1);

fn start(authorizer: Authorizer) -> Sandbox {
    let sandbox = builder().authorizer_second(SECOND).start().unwrap();
    sandbox.set_authorizer(authorizer).unwrap();
    sandbox
}

const NAMED: &str = "x-amz-customauthorizer-name=timed";

#[test]
fn a_connection_ends_with_its_time() {
    let sandbox = start(Authorizer {
        disconnect_after_seconds: 300,
        refresh_after_seconds: 86_400,
        ..authorizer("timed")
    });
    for by in BOTH {
        let before = Instant::now();
        let mut client = user(by, 5, NAMED).connected(&sandbox);
        assert_eq!(client.disconnected(), 0xA0);
        assert!(before.elapsed() >= 300 * SECOND);
        user(by, 4, NAMED).connected(&sandbox).closed();
    }
    assert_eq!(sandbox.authorizer_calls().len(), 4, "nothing was refreshed");
    assert!(sandbox.connections().iter().all(|connection| !connection.clean_disconnect));
}

#[test]
fn a_refresh_replaces_the_policies() {
    let timed = || Authorizer { refresh_after_seconds: 300, ..authorizer("timed") };
    let sandbox = start(timed());
    let mut client = user(By::WebSocket, 5, NAMED).connected(&sandbox);
    let mut denied = || {
        client.publish(&Publish::new("a", 1));
        let puback = client.packet();
        assert_eq!(puback.first, 0x40, "{puback:?}");
        puback.body.get(2) == Some(&0x87)
    };
    assert!(!denied());
    let documents = vec![POLICY.replace("iot:*", "iot:Connect")];
    sandbox.set_authorizer(Authorizer { policy_documents: documents, ..timed() }).unwrap();
    // Each is a round trip.
    let limit = Instant::now() + Duration::from_secs(30);
    while !denied() {
        assert!(Instant::now() < limit);
    }
    let calls = sandbox.authorizer_calls();
    assert!(calls.len() >= 2);
    assert!(calls.iter().all(|call| call.input == calls[0].input), "the same connection asks again");
}

#[test]
fn a_refresh_does_not_move_the_end() {
    let timed = || Authorizer { refresh_after_seconds: 300, ..authorizer("timed") };
    let sandbox = start(Authorizer { disconnect_after_seconds: 700, ..timed() });
    let before = Instant::now();
    let mut client = user(By::Tls, 5, NAMED).connected(&sandbox);
    sandbox.set_authorizer(Authorizer { disconnect_after_seconds: 86_400, ..timed() }).unwrap();
    assert_eq!(client.disconnected(), 0xA0);
    assert!(before.elapsed() >= 700 * SECOND);
    assert_eq!(sandbox.authorizer_calls().len(), 3);
}

#[test]
fn a_refresh_that_says_no_ends_the_connection() {
    let timed = || Authorizer { refresh_after_seconds: 300, ..authorizer("timed") };
    for level in [5, 4] {
        for no in [
            Authorizer { users: Default::default(), ..timed() },
            Authorizer { active: false, ..timed() },
            Authorizer { principal_id: String::new(), ..timed() },
        ] {
            let sandbox = start(timed());
            let mut client = user(By::Tls, level, NAMED).connected(&sandbox);
            sandbox.set_authorizer(no).unwrap();
            if level == 5 {
                assert_eq!(client.disconnected(), 0x87);
            } else {
                client.closed();
            }
        }
    }
}
