//! Topics that cannot be what a flag makes of them.

use sandbox::{Principal, Sandbox};
use testkit::Sample;

use crate::support::{BINARY, pubsub};

#[test]
fn a_topic_that_nobody_can_publish_to_is_wrong_usage() {
    for (flag, topic, words) in [
        ("--topic", "$share/g/x", "the topic to publish to is x"),
        ("--topic", "$share/g", "no topic"),
        ("--topic", "$SYS/broker", "reserves the topics that begin with $"),
        ("--topic", "$aws/rules/rule/x", "Basic Ingest"),
        ("--topic", "a/#", "wildcard"),
        ("--topic", "", "empty"),
        ("--will-topic", "$share/g/x", "the topic to publish to is x"),
        ("--response-topic", "$share/g/x", "the topic to publish to is x"),
    ] {
        let sample = Sample::new(BINARY).args(["--endpoint", "localhost", "--cert", "c", "--key", "k"]);
        let will: &[&str] = if flag == "--will-topic" { &["--will-message", "gone"] } else { &[] };
        sample.args([flag, topic]).args(will).run().failed(2, &[flag, words]);
    }
}

#[test]
fn a_refused_retained_message_is_named_with_both_permissions() {
    let sandbox = Sandbox::start().unwrap();
    let statement =
        |effect: &str, action: &str| format!(r#"{{"Effect":"{effect}","Action":"{action}","Resource":"*"}}"#);
    let statements = [statement("Allow", "iot:*"), statement("Deny", "iot:RetainPublish")].join(",");
    let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    sandbox.set_policies(Principal::Device, &[policy]).unwrap();
    let words = ["publish to test/topic", "iot:Publish and iot:RetainPublish on topic/test/topic"];
    pubsub(&sandbox).args(["--retain", "--count", "1"]).run().failed(1, &words);
}
