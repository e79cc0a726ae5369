use super::Login;
use super::server::{Ready, Server};

/// microsocks: SOCKS5 without a ruleset. Its log has each target that was connected to, by the name that was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Microsocks<'a> {
    /// Asks for a user and a password, as RFC 1929 has it.
    pub login: Option<Login<'a>>,
}

impl Microsocks<'_> {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start(&self) -> Server {
        Server::start("microsocks", Ready::Accepts, |command, _, port| {
            command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
            if let Some(Login { user, password }) = self.login {
                command.args(["-u", user, "-P", password]);
            }
        })
    }
}
