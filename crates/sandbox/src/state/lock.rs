//! One sandbox for each state directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use anyhow::{Context, bail};

/// The file that is locked; it stays when the sandbox ends.
const LOCK_FILE: &str = "lock";

/// Held for as long as a directory is in use; the system frees it with the process.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    pub(super) fn take(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => bail!("another sandbox uses {}", directory.display()),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough at once: a child that is just being started has a copy of the file. What cannot be
        // unlocked ends with that copy.
        let _ = self.0.unlock();
    }
}
