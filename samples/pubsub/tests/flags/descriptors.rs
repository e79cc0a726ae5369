//! A process that may open few files.

use sandbox::Sandbox;
use testkit::Sample;

use crate::support::BINARY;

/// Wherever the limit is met, the message names it and nothing else.
#[test]
fn a_lack_of_file_descriptors_is_named_in_whatever_layer_it_is_met() {
    let sandbox = Sandbox::start().unwrap();
    let mut refused = 0;
    for limit in (5..32).rev() {
        let limited = format!("ulimit -n {limit} && exec \"$@\"");
        let sample = Sample::new("/bin/sh").args(["-c", &limited, "sh", BINARY]);
        let sample = sample.mqtt(&sandbox).device(sandbox.device());
        let outcome = sample.args(["--count", "1", "--interval", "0"]).run();
        match outcome.code {
            Some(0) => assert_eq!(refused, 0, "{limit} are too few, and more were, too: {outcome:?}"),
            // tokio's runtime does not start.
            Some(101) => {
                for words in ["Failed building the Runtime", "Too many open files"] {
                    assert!(outcome.stderr.contains(words), "{outcome:?}");
                }
                break;
            }
            _ => {
                let outcome = outcome.failed(1, &["Too many open files", "hint:", "ulimit -n"]);
                assert!(!outcome.stderr.contains("firewall"), "{outcome:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 3, "only {refused}");
}
