use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use iot_transport::panics;

/// The reason why a store cannot be used. One transaction has many callers, hence `Clone`.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Problem {
    /// Somebody else holds the lock.
    #[error("another process, or another client of this one, uses {file}")]
    InUse { file: String },
    /// Not one of our files.
    #[error("{file} is no message store")]
    Foreign { file: String },
    /// One of our files, but not as we left it.
    #[error("{file} is damaged: {detail}")]
    Damaged { file: String, detail: String },
    /// A later version of this crate wrote it.
    #[error("{file} has format {format}, and this version knows formats up to {known}")]
    Newer { file: String, format: u32, known: u32 },
    /// The file of a client ID whose name is the same to the file system.
    #[error("{file} holds messages of the client ID {client_id:?}")]
    OtherClient { file: String, client_id: String },
    #[error("{0}")]
    Io(#[source] Arc<io::Error>),
    #[error("{0}")]
    Database(Arc<redb::Error>),
    /// A defect, of the database or here, that a damaged file may have brought to light.
    #[error("internal failure: {0}")]
    Panicked(String),
    /// The store's thread has panicked, and does no more.
    #[error("the store's thread has panicked: {0}")]
    Died(String),
    /// The store's thread has ended.
    #[error("the store's thread has ended")]
    Stopped,
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl Problem {
    /// The problem that the database has with `file`.
    pub(super) fn of(file: &str, error: impl Into<redb::Error>) -> Self {
        let file = file.to_owned();
        match error.into() {
            redb::Error::DatabaseAlreadyOpen => Self::InUse { file },
            redb::Error::Corrupted(detail) => Self::Damaged { file, detail },
            // The first bytes are not the database's.
            redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => Self::Foreign { file },
            redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Damaged { file, detail: "its end is missing".to_owned() }
            }
            redb::Error::Io(error) => error.into(),
            // A database of somebody else's.
            redb::Error::TableDoesNotExist(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. } => Self::Foreign { file },
            error => Self::Database(Arc::new(error)),
        }
    }

    /// The advice, where the cause is known.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::InUse { .. } => {
                "stop the other one, or give this one a client ID or a directory of its own"
            }
            Self::Foreign { .. } => "give a directory for messages alone",
            Self::Damaged { .. } => {
                "move the file away to start with an empty store; the messages in it are lost then"
            }
            Self::Newer { .. } => "use the newer version, or another directory",
            Self::OtherClient { .. } => "give this client ID a directory of its own",
            Self::Io(error) => match error.kind() {
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    "give a directory, or the path of one to create"
                }
                io::ErrorKind::PermissionDenied => "check who owns the directory and may write to it",
                io::ErrorKind::ReadOnlyFilesystem => {
                    "give a directory on a file system that can be written to"
                }
                io::ErrorKind::StorageFull => "free some space on the disk",
                io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                    "free some space, or raise the limit that this user or process has"
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Does `work`, and makes an error of a panic: the database may meet one in a file that was damaged.
pub(super) fn contained<T>(work: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Problem::Panicked(panics::message(&*panic))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let panics: [fn() -> Result<(), Problem>; 3] =
            [|| panic!("fixed"), || panic!("{}", 5), || std::panic::panic_any(5)];
        let shown = panics.map(|panic| contained(panic).unwrap_err().to_string());
        assert_eq!(shown, ["fixed", "5", "no words"].map(|words| format!("internal failure: {words}")));
        assert_eq!(contained(|| Ok(5)).unwrap(), 5);
    }
}
