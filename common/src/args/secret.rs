//! Secrets: each can be given as a flag, as a file, or in the environment.
//!
//! A flag's value shows in process lists and stays in the shell's history; the other two do not.

use std::env;
use std::io::{self, IsTerminal};
use std::path::Path;

use iot_transport::file;
use iot_transport::text::one_line;
use secrecy::SecretString;
use tokio::{runtime, signal};

use crate::error::Error;

/// The most bytes of a file with a secret: what a string of MQTT can hold.
const MAX_FILE: u64 = 64 * 1024;

/// One secret, and where it is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secret {
    /// In the user's terms: "password of the private key".
    pub(super) what: &'static str,
    /// The flag that takes the value; with `-file` behind it, the one that takes a file.
    pub(super) flag: &'static str,
    /// The environment variable, which the flags take precedence over.
    pub(super) variable: &'static str,
}

impl Secret {
    /// The secret, if it was given anywhere. `value` and `file` are the two flags', of which clap takes only one.
    ///
    /// # Errors
    /// [`iot_transport::Error::File`] for a file that cannot be read, [`Error::Settings`] for what is not UTF-8.
    pub(super) fn find(
        &self,
        value: Option<&SecretString>,
        file: Option<&Path>,
    ) -> Result<Option<SecretString>, Error> {
        match self.given(value, file)? {
            Some(secret) => Ok(Some(secret)),
            None => self.in_environment(),
        }
    }

    /// What the flags gave.
    ///
    /// # Errors
    /// Those of [`find`](Self::find).
    pub(super) fn given(
        &self,
        value: Option<&SecretString>,
        file: Option<&Path>,
    ) -> Result<Option<SecretString>, Error> {
        match (value, file) {
            (Some(value), _) => Ok(Some(value.clone())),
            (None, Some(path)) => self.read(path).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// As [`find`](Self::find); what was given nowhere is asked for on the terminal.
    ///
    /// # Errors
    /// Those of [`find`](Self::find) and [`ask`](Self::ask), and [`Error::SecretMissing`] where there is no terminal to
    /// ask on.
    pub(super) fn find_or_ask(
        &self,
        value: Option<&SecretString>,
        file: Option<&Path>,
        prompt: &str,
    ) -> Result<SecretString, Error> {
        match self.find(value, file)? {
            Some(secret) => Ok(secret),
            None => self.ask(prompt)?.ok_or_else(|| self.missing()),
        }
    }

    /// Asks on the terminal, if there is one.
    ///
    /// # Errors
    /// [`Error::Interrupted`] for Ctrl-C.
    pub(super) fn ask(&self, prompt: &str) -> Result<Option<SecretString>, Error> {
        // Without a terminal of our own the prompt would stop a job in the background.
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        // A process that Ctrl-C ends here leaves a terminal that shows nothing of what is typed.
        if let Err(error) = outlive_ctrl_c() {
            log::warn!("cannot handle Ctrl-C: {error}");
        }
        match rpassword::prompt_password(format!("{}: ", one_line(prompt))) {
            Ok(secret) => Ok(Some(secret.into())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Error::Interrupted),
            Err(error) => {
                log::debug!("cannot ask for the {}: {error}", self.what);
                Ok(None)
            }
        }
    }

    /// The error that says how to give this secret.
    pub(super) fn missing(&self) -> Error {
        Error::SecretMissing { what: self.what, flag: self.flag, variable: self.variable }
    }

    fn read(&self, path: &Path) -> Result<SecretString, Error> {
        let Some(content) = file::read(self.what, path, MAX_FILE)? else {
            let path = path.display();
            return Err(Error::Settings(format!("the {} in {path} is larger than 64 KiB", self.what)));
        };
        match String::from_utf8(file::decode(content)) {
            // Editors and `echo` end the last line.
            Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).into()),
            Err(_) => Err(Error::Settings(format!("the {} in {} is not UTF-8", self.what, path.display()))),
        }
    }

    pub(super) fn in_environment(&self) -> Result<Option<SecretString>, Error> {
        match env::var(self.variable) {
            Ok(value) if value.is_empty() => Ok(None),
            Ok(value) => Ok(Some(value.into())),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(env::VarError::NotUnicode(_)) => {
                Err(Error::Settings(format!("the {} in {} is not UTF-8", self.what, self.variable)))
            }
        }
    }
}

/// Installs a Ctrl-C handler; the default action (terminate) no longer applies.
///
/// # Errors
///
/// The operating system's.
fn outlive_ctrl_c() -> io::Result<()> {
    // The handler is the whole process's and stays; the runtime is there to install it, wherever this is called from.
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let installed = {
        let _context = runtime.enter();
        handle_interrupts()
    };
    // Any other end of a runtime may block, and so panics inside another one.
    runtime.shutdown_background();
    installed
}

#[cfg(unix)]
fn handle_interrupts() -> io::Result<()> {
    signal::unix::signal(signal::unix::SignalKind::interrupt()).map(drop)
}

#[cfg(windows)]
fn handle_interrupts() -> io::Result<()> {
    signal::windows::ctrl_c().map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use secrecy::ExposeSecret;

    use super::*;

    const SECRET: Secret =
        Secret { what: "word", flag: "--word", variable: "AWS_IOT_NO_TEST_SETS_THIS_VARIABLE" };

    #[test]
    fn a_file_loses_its_byte_order_mark_and_last_line_end_only() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (content, expected) in
            [("a b \n", "a b "), ("x\r\n", "x"), ("x", "x"), ("", ""), ("\u{feff}x\u{feff}", "x\u{feff}")]
        {
            fs::write(file.path(), content).unwrap();
            let found = SECRET.find(None, Some(file.path())).unwrap().unwrap();
            assert_eq!(found.expose_secret(), expected);
        }
        let utf16: Vec<u8> = "\u{feff}päss\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        fs::write(file.path(), utf16).unwrap();
        assert_eq!(SECRET.find(None, Some(file.path())).unwrap().unwrap().expose_secret(), "päss");
        fs::write(file.path(), b"\xff").unwrap();
        assert!(SECRET.find(None, Some(file.path())).unwrap_err().to_string().contains("not UTF-8"));
        fs::write(file.path(), vec![b'x'; 64 * 1024 + 1]).unwrap();
        assert!(SECRET.find(None, Some(file.path())).unwrap_err().to_string().contains("larger than"));
        let error = SECRET.find(None, Some(Path::new("/nowhere/word"))).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the word /nowhere/word");
    }

    #[test]
    fn a_value_wins_and_nothing_is_nothing() {
        let given = SecretString::from("given");
        assert_eq!(SECRET.find(Some(&given), None).unwrap().unwrap().expose_secret(), "given");
        assert!(SECRET.find(None, None).unwrap().is_none());
        assert_eq!(SECRET.missing().to_string(), "the word was not given");
    }
}
