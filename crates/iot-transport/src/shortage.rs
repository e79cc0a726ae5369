//! Errors that say nothing of the peer: this process, or the system, has no more of something.

use std::error::Error as StdError;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// The advice about a shortage that is among the causes of an error.
///
/// An [`io::Error`] made from another error does not name that one as its source, hence the look inside.
pub fn hint(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref().or_else(|| error.downcast_ref::<Arc<io::Error>>().map(AsRef::as_ref));
        if let Some(hint) = io.and_then(of) {
            return Some(hint);
        }
        next = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The shortage that this process suffers from now, if it does: a resolver, a C library or a loader that finds no
/// descriptor does not say so. Two are asked for, since they need as many at a time.
pub fn now() -> Option<io::Error> {
    let two = File::open(ANY_FILE).and_then(|first| File::open(ANY_FILE).map(|second| (first, second)));
    two.err().filter(|error| of(error).is_some())
}

/// The advice about an operating system's error, where it is a shortage.
pub fn of(error: &io::Error) -> Option<&'static str> {
    if error.kind() == io::ErrorKind::OutOfMemory {
        return Some(
            "this process gets no more memory: free some, or raise its limit (ulimit -v, the container's)",
        );
    }
    match error.raw_os_error()? {
        TOO_MANY_OF_PROCESS => Some(
            "this process may open no more files and connections: raise its limit (ulimit -n, LimitNOFILE= of a \
             systemd unit), or find what it leaves open",
        ),
        TOO_MANY_OF_SYSTEM => {
            Some("this machine may open no more files: end other programs, or raise its limit (fs.file-max)")
        }
        _ => None,
    }
}

/// `EMFILE` and `ENFILE` of Linux, macOS and the BSDs.
#[cfg(unix)]
const TOO_MANY_OF_PROCESS: i32 = 24;
#[cfg(unix)]
const TOO_MANY_OF_SYSTEM: i32 = 23;
#[cfg(unix)]
const ANY_FILE: &str = "/dev/null";

/// `WSAEMFILE`, and `ERROR_TOO_MANY_OPEN_FILES`.
#[cfg(windows)]
const TOO_MANY_OF_PROCESS: i32 = 10_024;
#[cfg(windows)]
const TOO_MANY_OF_SYSTEM: i32 = 4;
#[cfg(windows)]
const ANY_FILE: &str = "NUL";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Cause;
    use crate::error::Error;

    #[cfg(unix)]
    #[test]
    fn a_shortage_is_hinted_at_in_whatever_layer_it_is_met() {
        let target = || "a.example:8883".to_owned();
        let short = || io::Error::from_raw_os_error(24);
        let cause = || -> Cause { io::Error::other(short()).into() };
        for error in [
            Error::File { what: "CA file", path: "ca.pem".into(), source: short() },
            Error::Resolve { host: target(), source: short() },
            Error::Tcp { target: target(), source: short() },
            Error::Tls { target: target(), source: cause() },
            Error::WebSocket { target: target(), source: cause() },
            Error::Signature { key: "key".to_owned(), source: cause() },
        ] {
            let hint = error.hint().unwrap_or_default();
            assert!(hint.contains("ulimit -n"), "{error:?}: {hint}");
        }
        assert!(of(&io::Error::from_raw_os_error(23)).unwrap().contains("fs.file-max"));
        assert!(of(&io::Error::from_raw_os_error(12)).unwrap().contains("memory"));
        assert_eq!(of(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
    }

    #[test]
    fn there_is_no_shortage_as_a_rule() {
        assert!(now().is_none());
    }
}
