//! Real proxies on free ports of 127.0.0.1, ended on drop: each type has the settings of one program, and starts it as
//! a [`Server`]. They run as root and as an ordinary user, and leave nothing behind.

mod dante;
mod microsocks;
mod scripted;
mod server;
mod squid;
mod stunnel;
mod tinyproxy;
mod ways;

use std::io::Write;
use std::process::{Command, Stdio};

pub use dante::Dante;
pub use microsocks::Microsocks;
pub use scripted::{Scripted, Then};
pub use server::Server;
pub use squid::Squid;
pub use stunnel::Stunnel;
pub use tinyproxy::Tinyproxy;
pub use ways::{Way, http_ways, socks5_ways, ways};

/// What a proxy asks its clients for. Both are for the test only: they stand in files and in the list of processes.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    /// Letters and digits.
    pub user: &'a str,
    /// Whatever the program takes.
    pub password: &'a str,
}

/// The password as `crypt(3)` has it, by one of OpenSSL's schemes.
fn crypt(scheme: &str, password: &str) -> String {
    let mut openssl = Command::new("openssl")
        .args(["passwd", scheme, "-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is installed: `cargo xtask setup --tests`");
    let mut stdin = openssl.stdin.take().expect("stdin is piped");
    stdin.write_all(password.as_bytes()).expect("openssl reads the password");
    drop(stdin);
    let output = openssl.wait_with_output().expect("a child can be waited for once");
    assert!(output.status.success(), "openssl passwd failed");
    String::from_utf8(output.stdout).expect("openssl writes ASCII").trim_end().to_owned()
}
