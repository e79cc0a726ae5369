//! The prerequisites: programs, what each is for, and the packages that bring it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::token;

/// Where servers live that a user's `PATH` may not name.
const SERVER_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"];

/// What the prerequisites are for; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// Building the samples and the sandbox, and running all of them that need no device.
    Build,
    /// A PKCS#11 token for the samples that sign with one.
    Token,
    /// The tests with foreign peers, and the comparison with the official clients.
    Tests,
}

/// A program that has to be there, and the packages that bring it.
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) reason: &'static str,
    pub(super) need: Need,
    pub(super) works: fn() -> bool,
    pub(super) apt: &'static [&'static str],
    /// Empty for what Fedora has no package of.
    pub(super) dnf: &'static [&'static str],
    /// Empty for what macOS or Apple's command line tools bring, and for what is of use on Linux only.
    pub(super) brew: &'static [&'static str],
}

pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "a C compiler",
        reason: "builds paho's C library and aws-lc",
        need: Need::Build,
        works: c_compiler_works,
        apt: &["gcc", "g++", "libc6-dev"],
        dnf: &["gcc", "gcc-c++"],
        brew: &[],
    },
    Tool {
        name: "make",
        reason: "is what cmake drives",
        need: Need::Build,
        works: || runs("make", &["--version"]),
        apt: &["make"],
        dnf: &["make"],
        brew: &[],
    },
    Tool {
        name: "cmake",
        reason: "configures paho's C library",
        need: Need::Build,
        works: || runs("cmake", &["--version"]),
        apt: &["cmake"],
        dnf: &["cmake"],
        brew: &["cmake"],
    },
    Tool {
        name: "SoftHSM2",
        reason: "is the PKCS#11 token of the sandbox's device",
        need: Need::Token,
        works: || token::library().is_ok() && runs("softhsm2-util", &["--version"]),
        apt: &["softhsm2"],
        dnf: &["softhsm"],
        brew: &["softhsm"],
    },
    Tool {
        name: "pkcs11-tool",
        reason: "puts certificates on tokens and counts logins",
        need: Need::Tests,
        works: || found("pkcs11-tool"),
        apt: &["opensc"],
        dnf: &["opensc"],
        brew: &["opensc"],
    },
    Tool {
        name: "python3 with venv",
        reason: "runs the official Python client as a peer",
        need: Need::Tests,
        works: || runs("python3", &["-c", "import ensurepip, venv"]),
        apt: &["python3", "python3-venv"],
        dnf: &["python3", "python3-pip"],
        brew: &["python"],
    },
    Tool {
        name: "mosquitto",
        reason: "is a second broker to test the client with",
        need: Need::Tests,
        works: || found("mosquitto"),
        apt: &["mosquitto"],
        dnf: &["mosquitto"],
        brew: &["mosquitto"],
    },
    Tool {
        name: "curl",
        reason: "is a foreign client for the proxies",
        need: Need::Tests,
        works: || runs("curl", &["--version"]),
        apt: &["curl"],
        dnf: &["curl"],
        brew: &[],
    },
    Tool {
        name: "dante",
        reason: "is a SOCKS5 proxy with a ruleset",
        need: Need::Tests,
        works: || found("danted") || found("sockd"),
        apt: &["dante-server"],
        dnf: &["dante-server"],
        brew: &["dante"],
    },
    Tool {
        name: "nss_wrapper",
        reason: "shows dante users that the system does not have",
        need: Need::Tests,
        works: || nss_wrapper_works(),
        apt: &["libnss-wrapper"],
        dnf: &["nss_wrapper"],
        brew: &[],
    },
    Tool {
        name: "microsocks",
        reason: "is a SOCKS5 proxy with a password",
        need: Need::Tests,
        works: || found("microsocks"),
        apt: &["microsocks"],
        dnf: &[],
        brew: &["microsocks"],
    },
    Tool {
        name: "squid",
        reason: "is an HTTP proxy with an ACL",
        need: Need::Tests,
        works: || found("squid"),
        apt: &["squid"],
        dnf: &["squid"],
        brew: &["squid"],
    },
    Tool {
        name: "tinyproxy",
        reason: "is a second HTTP proxy",
        need: Need::Tests,
        works: || found("tinyproxy"),
        apt: &["tinyproxy"],
        dnf: &["tinyproxy"],
        brew: &["tinyproxy"],
    },
    Tool {
        name: "stunnel",
        reason: "puts TLS before a proxy",
        need: Need::Tests,
        works: || found("stunnel"),
        apt: &["stunnel4"],
        dnf: &["stunnel"],
        brew: &["stunnel"],
    },
    Tool {
        name: "strace",
        reason: "shows whom a sample contacts past its proxy",
        need: Need::Tests,
        works: || !cfg!(target_os = "linux") || runs("strace", &["-V"]),
        apt: &["strace"],
        dnf: &["strace"],
        brew: &[],
    },
    Tool {
        name: "openssl",
        reason: "makes keys and certificates the way users do",
        need: Need::Tests,
        works: || runs("openssl", &["version"]),
        apt: &["openssl"],
        dnf: &["openssl"],
        brew: &["openssl@3"],
    },
    Tool {
        name: "node",
        reason: "runs the official Node client as a peer",
        need: Need::Tests,
        works: || runs("node", &["--version"]),
        apt: &["nodejs"],
        dnf: &["nodejs"],
        brew: &["node"],
    },
    Tool {
        name: "npm",
        reason: "installs the official Node client",
        need: Need::Tests,
        works: || runs("npm", &["--version"]),
        apt: &["npm"],
        dnf: &["npm"],
        brew: &["node"],
    },
];

/// Whether the program starts and succeeds.
pub(super) fn runs(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether the program is on `PATH` or among the servers; for one that has no harmless flag that succeeds.
fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
        || SERVER_FOLDERS.iter().any(|folder| Path::new(folder).join(program).is_file())
}

/// Whether the loader finds it on Linux.
fn nss_wrapper_works() -> bool {
    !cfg!(target_os = "linux") || preloads("libnss_wrapper.so")
}

/// Whether programs start with the library and without a word: the loader says what it misses, and goes on.
fn preloads(library: &str) -> bool {
    let output = Command::new("env").arg("true").env("LD_PRELOAD", library).stdin(Stdio::null()).output();
    output.is_ok_and(|output| output.status.success() && output.stderr.is_empty())
}

/// Compiles an include: a compiler without the C library's headers is of no use here.
fn c_compiler_works() -> bool {
    let compile = || {
        let mut compiler = Command::new("cc")
            .args(["-fsyntax-only", "-x", "c", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut source) = compiler.stdin.take() {
            source.write_all(b"#include <stdlib.h>\n")?;
        }
        compiler.wait()
    };
    compile().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_need_includes_the_ones_before_it() {
        assert!(Need::Build < Need::Token && Need::Token < Need::Tests);
    }

    #[test]
    fn what_is_not_there_is_noticed() {
        assert!(!runs("no-such-program-here", &[]));
        assert!(!found("no-such-program-here"));
        assert!(!cfg!(target_os = "linux") || !preloads("no-such-library.so"));
    }

    #[test]
    fn the_compiler_that_built_this_works() {
        assert!(c_compiler_works());
    }
}
