//! The clocks of client and broker part, and AWS refuses signatures that are five minutes off.

use std::time::Instant;

use common::{CredentialSource, SigV4, StaticCredentials};
use iot_client::{Auth, Error, MqttVersion};
use sandbox::{Principal, Sandbox};

use crate::auth::ALLOW_ALL;
use crate::row::Row;
use crate::support::options;
use crate::{quick, relay_to};

#[tokio::test]
async fn a_clock_that_steps_is_waited_for() {
    for (offset, words) in [(3600, "60 minutes slow"), (-3600, "60 minutes fast")] {
        let sandbox = Sandbox::start().unwrap();
        sandbox.set_policies(Principal::Iam, &[ALLOW_ALL.to_owned()]).unwrap();
        let relay = relay_to(sandbox.https_port());
        let keys = sandbox.credentials().clone();
        let token = Some(keys.session_token.into());
        let keys = StaticCredentials::new(keys.access_key_id, keys.secret_access_key, token);
        let credentials = CredentialSource::Static(keys);
        let auth = Auth::from(SigV4::new(credentials, sandbox.region().to_owned()));
        let options = quick(options(&sandbox, relay.port(), auth, "test-1"), MqttVersion::V5);
        let name = format!("the broker's clock steps by {offset} s");
        let mut row = Row::start(&name, &sandbox, options).await;
        sandbox.set_clock_offset_seconds(offset);
        relay.cut();
        row.disconnected().await;
        for _ in 0..3 {
            let error = row.failed().await;
            let Error::UpgradeRefused { refusal, .. } = &*error else { panic!("{error:?}") };
            assert_eq!(refusal.status, 403);
            let skew = refusal.clock_skew.unwrap();
            assert!((skew + offset).abs() < 10, "{skew}");
            let hint = error.hint().unwrap();
            // A minute may have begun.
            assert!(hint.contains(words) || hint.contains(&words.replace("60", "59")), "{hint}");
        }
        sandbox.set_clock_offset_seconds(0);
        row.recovered(Instant::now()).await;
        row.finish().await;
    }
}
