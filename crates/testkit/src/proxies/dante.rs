use std::fs;

use super::server::{Ready, Server, installed};
use super::{Login, crypt};

/// Debian renames it.
const PROGRAMS: [&str; 2] = ["danted", "sockd"];

/// Dante: SOCKS5 with a ruleset. Its log has the name of a target that it refused, and the address of one
/// that it let through.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dante<'a> {
    /// Asks for a user and a password, as RFC 1929 has it.
    pub login: Option<Login<'a>>,
    /// The only ports to lead to; none for all. The ruleset refuses others (reply 2).
    pub only_ports: &'a [u16],
}

impl Dante<'_> {
    /// Starts it; it leads to 127.0.0.1 only, and resolves names.
    ///
    /// # Panics
    ///
    /// When it, or libnss-wrapper for a login, is not installed, or when it does not start.
    #[must_use]
    pub fn start(&self) -> Server {
        let server =
            Server::start(installed(&PROGRAMS), Ready::Logs(" running\n"), |command, folder, port| {
                let file = |name: &str| folder.join(name);
                let write =
                    |name: &str, text: String| fs::write(file(name), text).expect("the folder is writable");
                write("danted.conf", self.configuration(port));
                command.arg("-f").arg(file("danted.conf")).arg("-p").arg(file("danted.pid"));
                if let Some(Login { user, password }) = self.login {
                    // Dante knows the system's users only. libnss-wrapper shows it one that the system does not have.
                    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
                    write("passwd", format!("{users}\n{user}:x:65000:65000::/:/bin/false\n"));
                    write("shadow", format!("{user}:{}:19000:0:99999:7:::\n", crypt("-6", password)));
                    write("group", String::new());
                    command
                        .env("LD_PRELOAD", "libnss_wrapper.so")
                        .env("NSS_WRAPPER_PASSWD", file("passwd"))
                        .env("NSS_WRAPPER_SHADOW", file("shadow"))
                        .env("NSS_WRAPPER_GROUP", file("group"));
                }
            });
        let log = server.log();
        assert!(!log.contains("LD_PRELOAD"), "run `cargo xtask setup --tests` first: {log}");
        server
    }

    fn configuration(&self, port: u16) -> String {
        let method = if self.login.is_some() { "username" } else { "none" };
        let pass = |port: String| {
            format!("socks pass {{ from: 127.0.0.0/8 to: 127.0.0.0/8{port} log: connect error }}\n")
        };
        let rules: String = if self.only_ports.is_empty() {
            pass(String::new())
        } else {
            self.only_ports.iter().map(|port| pass(format!(" port = {port}"))).collect()
        };
        format!(
            "logoutput: stderr\ninternal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\n\
             clientmethod: none\nsocksmethod: {method}\n\
             client pass {{ from: 127.0.0.0/8 to: 127.0.0.0/8 log: error }}\n{rules}\
             socks block {{ from: 0.0.0.0/0 to: 0.0.0.0/0 log: connect error }}\n"
        )
    }
}
