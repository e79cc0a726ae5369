use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;

/// Whom a program and its children tried to contact over the network: every connection, and every datagram with a
/// destination, whether or not it got there. strace reports the system calls, so nothing can pass unseen, and nothing
/// has to be set up on the network or needs a privilege.
#[derive(Debug, Clone)]
pub struct Capture {
    contacts: Vec<Contact>,
}

/// The other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// TCP or UDP. A query for a name is one to port 53.
    Internet(SocketAddr),
    /// A service on this machine, which may well look names up on its part: systemd-resolved, nscd.
    Local(PathBuf),
}

/// The system calls that name another end, and the one that shows a port of the program's own.
const CALLS: &str = "trace=connect,sendto,sendmsg,sendmmsg,listen";

impl Capture {
    /// Runs `command` to its end. Its environment is what `command` sets and nothing else, as that of a
    /// [`Sample`](crate::Sample) is.
    ///
    /// # Panics
    ///
    /// When strace is not installed or may not trace, or when the program is still running after two minutes.
    pub fn of(command: &Command) -> (Outcome, Self) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let trace = folder.path().join("trace");
        let mut strace = Command::new("strace");
        // -yy shows the address that a socket is bound to, -s 0 keeps what is sent out of the trace.
        strace.args(["-f", "-yy", "-s", "0", "-e", CALLS, "-e", "signal=none", "-o"]).arg(&trace).arg("--");
        strace.arg(command.get_program()).args(command.get_args()).env_clear();
        strace.envs(command.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
        if let Some(folder) = command.get_current_dir() {
            strace.current_dir(folder);
        }
        let outcome = Outcome::of(&mut strace);
        let text = fs::read_to_string(&trace).unwrap_or_default();
        assert!(
            text.contains(" +++ "),
            "nothing was traced; `cargo xtask setup --tests` installs strace: {outcome:?}"
        );
        (outcome, Self::parse(&text))
    }

    /// Each contact once, in the order of the first time. Those within the program, to a port that it listens on itself,
    /// are not among them, nor are services that this machine does not have.
    #[must_use]
    pub fn contacts(&self) -> &[Contact] {
        &self.contacts
    }

    /// Requires that there was no contact but to these addresses: no query for a name, no connection past a proxy.
    ///
    /// # Panics
    ///
    /// When there was another one, or none to one of these.
    #[track_caller]
    pub fn assert_only(&self, addresses: &[SocketAddr]) {
        for address in addresses {
            let expected = Contact::Internet(*address);
            assert!(self.contacts.contains(&expected), "no contact to {address}: {:?}", self.contacts);
        }
        assert_eq!(self.contacts.len(), addresses.len(), "other contacts: {:?}", self.contacts);
    }

    fn parse(trace: &str) -> Self {
        let own: Vec<_> = trace.lines().filter_map(listener).collect();
        let mut capture = Self { contacts: Vec::new() };
        for contact in trace.lines().flat_map(destinations) {
            let outside = match &contact {
                Contact::Internet(address) => !own.contains(address),
                // libc asks for nscd wherever it is; an abstract name has no file.
                Contact::Local(path) => {
                    path.as_os_str().as_encoded_bytes().starts_with(b"@") || path.exists()
                }
            };
            if outside && !capture.contacts.contains(&contact) {
                capture.contacts.push(contact);
            }
        }
        capture
    }
}

/// The address of `listen(9<TCP:[127.0.0.1:40001]>, 128) = 0`.
fn listener(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once(" listen(")?.1.split_once(":[")?;
    address.split_once("]>,")?.0.parse().ok()
}

/// The addresses that one system call names: none, one, or with `sendmmsg` several. A call that is reported in two
/// parts has its addresses in the first.
fn destinations(line: &str) -> impl Iterator<Item = Contact> {
    line.split("{sa_family=").skip(1).filter_map(|text| {
        if text.starts_with("AF_UNIX") {
            return within(text, "sun_path=").map(|path| Contact::Local(Path::new(&path).into()));
        }
        let port = text.split_once("htons(")?.1.split_once(')')?.0.parse().ok()?;
        let address = within(text, "inet_addr(").or_else(|| within(text, "inet_pton(AF_INET6, "))?;
        Some(Contact::Internet(SocketAddr::new(address.parse::<IpAddr>().ok()?, port)))
    })
}

/// What is quoted after `prefix`; strace writes the @ of an abstract name before the quotes.
fn within(text: &str, prefix: &str) -> Option<String> {
    let (at, rest) = text.split_once(prefix)?.1.split_once('"')?;
    Some(format!("{at}{}", rest.split_once('"')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_destination_is_read() {
        let trace = r#"
10 listen(9<TCP:[127.0.0.1:40001]>, 128) = 0
10 listen(9<TCPv6:[[::1]:40002]>, 128) = 0
10 connect(5<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(40001), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
11 connect(5<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(1080), sin_addr=inet_addr("127.0.0.1")}, 16 <unfinished ...>
11 <... connect resumed>) = -1 EINPROGRESS (Operation now in progress)
11 connect(5<TCPv6:[2]>, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = -1 ENETUNREACH (Network is unreachable)
12 connect(5<TCPv6:[2]>, {sa_family=AF_INET6, sin6_port=htons(40002), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = 0
12 connect(4<UNIX-STREAM:[9]>, {sa_family=AF_UNIX, sun_path="/no/such/socket"}, 110) = -1 ENOENT (No such file or directory)
12 connect(4<UNIX-STREAM:[9]>, {sa_family=AF_UNIX, sun_path="/dev/null"}, 110) = -1 ECONNREFUSED (Connection refused)
12 connect(4<UNIX-STREAM:[9]>, {sa_family=AF_UNIX, sun_path=@"name"}, 110) = 0
12 sendto(3<UDP:[0.0.0.0:5]>, ""..., 40, MSG_NOSIGNAL, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.1")}, 16) = 40
12 sendto(3<NETLINK:[ROUTE:12]>, [{nlmsg_len=20}], 20, 0, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 20
12 sendmmsg(3<UDP:[0.0.0.0:5]>, [{msg_hdr={msg_name={sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.2")}, msg_namelen=16}}, {msg_hdr={msg_name={sa_family=AF_INET, sin_port=htons(5353), sin_addr=inet_addr("192.0.2.2")}}}], 2, 0) = 2
12 +++ exited with 0 +++
"#;
        let internet = |address: &str| Contact::Internet(address.parse().expect("an address"));
        let expected = [
            internet("127.0.0.1:1080"),
            internet("[2001:db8::1]:443"),
            Contact::Local("/dev/null".into()),
            Contact::Local("@name".into()),
            internet("192.0.2.1:53"),
            internet("192.0.2.2:53"),
            internet("192.0.2.2:5353"),
        ];
        assert_eq!(Capture::parse(trace).contacts(), expected);
    }
}
