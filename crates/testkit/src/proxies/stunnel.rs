use std::fs;
use std::path::Path;

use super::server::{Ready, Server};

/// stunnel: TLS in front of another proxy, which makes it one for `https://` URLs.
#[derive(Debug, Clone, Copy)]
pub struct Stunnel<'a> {
    /// The port of 127.0.0.1 that what was decrypted goes to.
    pub target_port: u16,
    /// What it presents, PEM; an absolute path.
    pub cert_file: &'a Path,
    /// The key of that, PEM; an absolute path.
    pub key_file: &'a Path,
}

impl Stunnel<'_> {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start(&self) -> Server {
        Server::start("stunnel", Ready::Logs("Accepting new connections"), |command, folder, port| {
            let file = folder.join("stunnel.conf");
            let text = format!(
                "foreground = yes\npid =\nsyslog = no\ndebug = info\n[proxy]\naccept = 127.0.0.1:{port}\n\
                 connect = 127.0.0.1:{}\ncert = {}\nkey = {}\n",
                self.target_port,
                self.cert_file.display(),
                self.key_file.display()
            );
            fs::write(&file, text).expect("the folder is writable");
            command.arg(file);
        })
    }
}
