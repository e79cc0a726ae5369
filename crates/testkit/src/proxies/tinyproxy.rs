use std::fs;

use super::Login;
use super::server::{Ready, Server};

/// Tinyproxy: HTTP CONNECT. Its log has each request line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tinyproxy<'a> {
    /// Asks for a user and a password, both of letters and digits, by the Basic scheme: 407 without, but 401 to a wrong
    /// one.
    pub login: Option<Login<'a>>,
    /// The only ports to lead to; none for all. Others are refused (403).
    pub only_ports: &'a [u16],
}

impl Tinyproxy<'_> {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start(&self) -> Server {
        Server::start("tinyproxy", Ready::Logs("Accepting connections"), |command, folder, port| {
            let mut text =
                format!("Port {port}\nListen 127.0.0.1\nTimeout 600\nLogLevel Info\nMaxClients 100\n");
            if let Some(Login { user, password }) = self.login {
                text += &format!("BasicAuth {user} {password}\n");
            }
            for port in self.only_ports {
                text += &format!("ConnectPort {port}\n");
            }
            let file = folder.join("tinyproxy.conf");
            fs::write(&file, text).expect("the folder is writable");
            command.arg("-d").arg("-c").arg(file);
        })
    }
}
