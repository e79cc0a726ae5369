//! The two commands of the root README. The other one runs this test.

use std::fs;

use testkit::{readme, workspace};

#[test]
fn the_first_command_runs_every_sample() {
    let text = fs::read_to_string(workspace().join("README.md")).unwrap();
    assert_eq!(readme::commands(&text), ["cargo xtask demo", "cargo xtask test"]);

    let outcome = readme::xtask(&["demo"]).succeeded();
    for entry in fs::read_dir(workspace().join("samples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(outcome.stdout.contains(&name), "{name} was run: {}", outcome.stdout);
        assert!(text.contains(&format!("samples/{name}/README.md")), "{name} has a row in the table");
    }
}
