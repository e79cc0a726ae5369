use std::io;

use iot_transport::Layer;

use crate::publisher::LineError;

/// A failure of a sample: of its client, or of what it reads and writes beside it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Flags that are well-formed by themselves do not fit the rest.
    #[error("{0}")]
    Settings(String),

    /// The client's, or that of the way to the broker.
    #[error(transparent)]
    Client(#[from] iot_client::Error),

    /// A secret that is needed was given nowhere.
    #[error("the {what} was not given")]
    SecretMissing {
        /// The secret, in the user's terms ("password of the private key").
        what: &'static str,
        /// The flag that takes it; with `-file` behind it, the flag that takes a file.
        flag: &'static str,
        /// The environment variable that may hold it.
        variable: &'static str,
    },

    /// What is to be published cannot be read.
    #[error(transparent)]
    Input(#[from] LineError),

    /// The standard output takes no more: its reader has ended, or its disk is full.
    #[error("cannot write to the standard output")]
    Output(#[source] io::Error),

    /// Ctrl-C or SIGTERM arrived first.
    #[error("interrupted")]
    Interrupted,
}

impl From<iot_transport::Error> for Error {
    /// An error of this type that came back from below is itself again.
    fn from(error: iot_transport::Error) -> Self {
        match error {
            iot_transport::Error::Secret(cause) => cause
                .downcast()
                .map_or_else(|cause| Error::Client(iot_transport::Error::Secret(cause).into()), |own| *own),
            other => Error::Client(other.into()),
        }
    }
}

impl Error {
    /// The part of the connection that refused or failed.
    #[must_use]
    pub fn layer(&self) -> Layer {
        match self {
            Error::Client(error) => error.layer(),
            _ => Layer::Settings,
        }
    }

    /// The advice, where the cause is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Client(error) => error.hint(),
            Error::SecretMissing { flag, variable, .. } => Some(format!(
                "name a file that holds it ({flag}-file), set {variable}, or run this in a terminal to be asked"
            )),
            _ => None,
        }
    }
}
