use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::server::{Ready, Server};
use super::{Login, crypt};

/// Where Debian, Fedora and Homebrew have the programs that check passwords for Squid.
const HELPER_FOLDERS: [&str; 4] =
    ["/usr/lib/squid", "/usr/lib64/squid", "/opt/homebrew/opt/squid/libexec", "/usr/local/opt/squid/libexec"];

/// Squid: HTTP CONNECT. Its log has each target as it was asked for, and what the ACL said to it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Squid<'a> {
    /// Asks for a user and a password by the Basic scheme (407 without).
    pub login: Option<Login<'a>>,
    /// The only ports to lead to; none for all. The ACL refuses others (403).
    pub only_ports: &'a [u16],
}

impl Squid<'_> {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start(&self) -> Server {
        Server::start("squid", Ready::Logs("Accepting HTTP Socket connections"), |command, folder, port| {
            // When root starts it, it becomes a user of its own, who has to find the passwords.
            fs::set_permissions(folder, Permissions::from_mode(0o711)).expect("the folder is ours");
            let configuration = folder.join("squid.conf");
            fs::write(&configuration, self.configuration(folder, port)).expect("the folder is writable");
            // The name is that of its shared memory, which two of them must not have in common.
            let name = format!("testkit{}p{port}", std::process::id());
            command.args(["-N", "-d", "2", "-n", &name, "-f"]).arg(configuration);
        })
    }

    fn configuration(&self, folder: &Path, port: u16) -> String {
        // Section 85 logs what is asked for, and the decision. Nothing is cached, and no file is written.
        let mut text = format!(
            "http_port 127.0.0.1:{port}\nvisible_hostname squid.test\ndebug_options ALL,1 85,2\n\
             cache_log /dev/null\naccess_log none\npid_filename none\nnetdb_filename none\ncoredump_dir none\n\
             cache deny all\npinger_enable off\nshutdown_lifetime 0 seconds\n"
        );
        if !self.only_ports.is_empty() {
            let ports: String = self.only_ports.iter().map(|port| format!(" {port}")).collect();
            text += &format!("acl open port{ports}\nhttp_access deny !open\n");
        }
        match self.login {
            Some(Login { user, password }) => {
                let file = folder.join("passwords");
                fs::write(&file, format!("{user}:{}\n", crypt("-apr1", password)))
                    .and_then(|()| fs::set_permissions(&file, Permissions::from_mode(0o644)))
                    .expect("the folder is writable");
                let helper = HELPER_FOLDERS.map(|folder| Path::new(folder).join("basic_ncsa_auth"));
                let helper = helper.iter().find(|helper| helper.is_file());
                let helper = helper.unwrap_or_else(|| panic!("no basic_ncsa_auth in {HELPER_FOLDERS:?}"));
                text += &format!(
                    "auth_param basic program {} {}\nauth_param basic realm squid\n\
                     acl known proxy_auth REQUIRED\nhttp_access allow known\n",
                    helper.display(),
                    file.display()
                );
            }
            None => text += "http_access allow all\n",
        }
        text + "http_access deny all\n"
    }
}
