use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::problem::Problem;

/// Bytes of disk kept back for removals, which need room before they give some, and how few of them will do.
const SPARE: u64 = 256 * 1024;
const LEAST_SPARE: u64 = 64 * 1024;
/// The longest encoded client ID. File systems take names of 255 bytes.
const LONGEST: usize = 200;
/// Characters that stand for themselves in a name. Capitals do not: some file systems take them for small letters.
const KEPT: &AsciiSet = &CAPITALS.remove(b'-').remove(b'_').remove(b'.');
const CAPITALS: &AsciiSet = &{
    let (mut set, mut capital) = (NON_ALPHANUMERIC.add(b'A'), b'B');
    while capital <= b'Z' {
        set = set.add(capital);
        capital += 1;
    }
    set
};

/// The files of one client ID. The lock is held as long as this lives, and goes with the process.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    name: String,
    lock: File,
}

impl Drop for Files {
    fn drop(&mut self) {
        // Closing alone would not do: a process that is being started has the open file, too, until it runs its program.
        if let Err(error) = self.lock.unlock() {
            log::debug!("the message store stays locked until this process ends: {error}");
        }
    }
}

impl Files {
    /// Creates the directory, which only the owner may enter, and takes the lock.
    pub(super) fn lock(directory: &Path, client_id: &str) -> Result<Self, Problem> {
        create(directory)?;
        let name = name(client_id);
        let lock = owned().truncate(false).open(directory.join(format!("{name}.lock")))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory: directory.to_owned(), name, lock }),
            Err(TryLockError::WouldBlock) => Err(Problem::InUse { file: format!("{name}.redb") }),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// The database.
    pub(super) fn database(&self) -> PathBuf {
        self.directory.join(self.shown())
    }

    /// The database's name, for people.
    pub(super) fn shown(&self) -> String {
        format!("{}.redb", self.name)
    }

    /// Takes what a removal needs when everything else is full, unless that is done.
    pub(super) fn reserve(&self) -> io::Result<()> {
        let path = self.spare();
        if fs::metadata(&path).is_ok_and(|file| file.len() >= LEAST_SPARE) {
            return Ok(());
        }
        let mut file = owned().truncate(true).open(&path)?;
        // Zeros may take no room.
        let written = file.write_all(&[0xff; SPARE as usize]).and_then(|()| file.sync_all());
        match written {
            Err(_) if file.metadata()?.len() >= LEAST_SPARE => Ok(()),
            Err(error) => {
                self.release();
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Gives it free.
    pub(super) fn release(&self) {
        // There may be none.
        let _ = fs::remove_file(self.spare());
    }

    fn spare(&self) -> PathBuf {
        self.directory.join(format!("{}.spare", self.name))
    }

    /// Has `fill` make the database, under another name until it is whole: a process that is killed before leaves
    /// nothing that looks like a damaged one. The lock makes sure that nobody else is at it.
    pub(super) fn create_database(
        &self,
        fill: impl FnOnce(File) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let unfinished = self.directory.join(format!("{}.new", self.name));
        let filled = owned().truncate(true).open(&unfinished).map_err(Problem::from).and_then(fill);
        filled.and_then(|()| Ok(fs::rename(&unfinished, self.database())?)).inspect_err(|_| {
            // A full disk would rather have the room; the next attempt truncates it anyway.
            let _ = fs::remove_file(&unfinished);
        })?;
        Ok(sync(&self.directory)?)
    }
}

/// Creates a directory, and sees to it that it is still there after a power loss.
fn create(directory: &Path) -> io::Result<()> {
    let missing: Vec<_> = directory.ancestors().take_while(|path| !path.exists()).collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    missing.into_iter().filter_map(Path::parent).try_for_each(sync)
}

/// Writes a directory's own list of names to the disk.
fn sync(directory: &Path) -> io::Result<()> {
    // Elsewhere a directory cannot be opened, and its names are written with the file.
    if cfg!(unix) {
        let here = directory.as_os_str().is_empty();
        File::open(if here { Path::new(".") } else { directory })?.sync_all()?;
    }
    Ok(())
}

/// A file that nobody else may read.
fn owned() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A name for a client ID: its own one for each, whatever the ID holds. The prefix keeps it from being a device's
/// (`con`) or a hidden file's.
fn name(client_id: &str) -> String {
    let mut name = utf8_percent_encode(client_id, KEPT).to_string();
    if name.len() > LONGEST {
        // `~` is encoded where it comes from an ID.
        let digest = hex::encode(digest(&SHA256, client_id.as_bytes()));
        name.truncate(LONGEST - digest.len());
        name = format!("{name}~{digest}");
    }
    format!("client-{name}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_client_id_has_a_name_of_its_own_that_any_file_system_takes() {
        assert_eq!(name("sensor-1_a.b"), "client-sensor-1_a.b");
        assert_eq!(name("../x"), "client-..%2Fx");
        let long = "\u{1f980}".repeat(32);
        let others = [long.clone(), format!("{long}x"), "x".repeat(1000), "x".repeat(1001), "A".repeat(128)];
        let all =
            ["", ".", "..", "a", "A", "%41", "/", "\\", "con", "a b", "a\u{e9}", "~"].map(str::to_owned);
        let names: Vec<_> = all.iter().chain(&others).map(|id| name(id)).collect();
        for name in &names {
            assert!(name.len() <= 240, "{name}");
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.%~".contains(c);
            assert!(name.starts_with("client-") && name.chars().all(plain), "{name}");
        }
        let folded: HashSet<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        assert_eq!(folded.len(), names.len(), "{names:?}");
    }
}
