use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use redb::backends::FileBackend;
use redb::{Builder, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use super::files::Files;
use super::problem::{Problem, contained};
use super::record::{Record, Stored};
use super::request::Request;

/// Of the tables and of [`Record`].
pub(super) const FORMAT: u32 = 1;

/// The format of the file, and its client ID.
const ABOUT: TableDefinition<'_, &str, &str> = TableDefinition::new("about");
/// The messages' keys and records.
const MESSAGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("messages");
/// Bytes of pages kept in memory: the queue is written at one end and forgotten at the other, and read once.
const CACHE: usize = 4 * 1024 * 1024;

/// From which size on, and how many times larger than what it holds, a file is made smaller when it is opened.
const LARGE: u64 = 4 * 1024 * 1024;
const SPARSE: u64 = 4;

/// The database of one client ID.
///
/// A failure of the disk leaves it closed, and it is opened again when it is needed next. The lock stays.
#[derive(Debug)]
pub(super) struct Database {
    files: Files,
    open: Option<redb::Database>,
    /// There is room kept back on the disk.
    reserved: bool,
    /// The buffer in which a record is put together.
    buffer: Vec<u8>,
}

/// The content of the file.
pub(super) struct Left {
    pub(super) messages: Vec<Stored>,
    /// Keys of messages whose expiry has passed.
    pub(super) expired: Vec<u64>,
    /// Of all of them.
    bytes: u64,
}

impl Database {
    pub(super) fn open(directory: &Path, client_id: &str) -> Result<Self, Problem> {
        let files = Files::lock(directory, client_id)?;
        match fs::metadata(files.database()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                contained(|| files.create_database(|file| fill(file, &files.shown(), client_id)))?;
            }
            // To the database this would be a file that is not its own.
            Ok(found) if found.len() == 0 => {
                return Err(Problem::Damaged { file: files.shown(), detail: "it is empty".to_owned() });
            }
            // Any other defect comes out when it is opened.
            _ => {}
        }
        let mut database = Self { files, open: None, reserved: false, buffer: Vec::new() };
        database.ready()?;
        database.identify(client_id)?;
        Ok(database)
    }

    /// Makes sure that the file is a store, that its format is known here, and that it is `client_id`'s.
    fn identify(&mut self, client_id: &str) -> Result<(), Problem> {
        let (format, owner) = self.attempt(|open, _| {
            let about = open.begin_read()?.open_table(ABOUT)?;
            let format = about.get("format")?.map(|text| text.value().parse());
            let owner = about.get("client ID")?.map(|text| text.value().to_owned());
            Ok((format, owner))
        })?;
        let file = self.files.shown();
        match (format, owner) {
            (Some(Ok(format)), _) if format > FORMAT => Err(Problem::Newer { file, format, known: FORMAT }),
            (Some(Ok(FORMAT)), Some(owner)) if owner == client_id => Ok(()),
            (Some(Ok(FORMAT)), Some(client_id)) => Err(Problem::OtherClient { file, client_id }),
            _ => Err(Problem::Foreign { file }),
        }
    }

    /// Reads all messages, as they are to be sent at `now`.
    pub(super) fn read(&mut self, now: SystemTime) -> Result<Left, Problem> {
        let left = self.left(now)?;
        let length = fs::metadata(self.files.database())?.len();
        if length > LARGE && length / SPARSE > left.bytes {
            self.compact();
        }
        Ok(left)
    }

    fn left(&mut self, now: SystemTime) -> Result<Left, Problem> {
        self.attempt(|open, _| {
            let mut left = Left { messages: Vec::new(), expired: Vec::new(), bytes: 0 };
            for entry in open.begin_read()?.open_table(MESSAGES)?.iter()? {
                let (key, bytes) = entry?;
                let key = key.value();
                left.bytes += bytes.value().len() as u64;
                let record = Record::decode(bytes.value())
                    .map_err(|error| redb::Error::Corrupted(format!("message {key}: {error}")))?;
                match record.message_at(now) {
                    Some(message) => left.messages.push(Stored { key, message }),
                    None => left.expired.push(key),
                }
            }
            Ok(left)
        })
    }

    /// Gives back the room that a long queue once took. Whatever becomes of it, the messages are there.
    fn compact(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        let compacted = contained(|| {
            open.compact().map_err(|error| Problem::of(&self.files.shown(), error))?;
            Ok(open)
        });
        match compacted {
            Ok(open) => self.open = Some(open),
            Err(problem) => log::warn!("{} stays as large as it is: {problem}", self.files.shown()),
        }
    }

    /// Sees to it that messages can be written, and later removed. An error here means that nothing has been tried.
    pub(super) fn ready_to_append(&mut self) -> Result<(), Problem> {
        self.ready()?;
        if !self.reserved {
            self.files.reserve()?;
            self.reserved = true;
        }
        Ok(())
    }

    /// Removes messages with the room that is kept back for that.
    pub(super) fn remove(&mut self, keys: &[u64]) -> Result<(), Problem> {
        self.ready()?;
        self.files.release();
        self.reserved = false;
        let removals: Vec<_> = keys.iter().map(|&key| Request::Remove(key)).collect();
        self.write(&removals, SystemTime::UNIX_EPOCH)
    }

    /// Opens the database if a failure has closed it.
    fn ready(&mut self) -> Result<(), Problem> {
        if self.open.is_none() {
            let mut builder = Builder::new();
            // The check finds what has changed on the disk before it is sent, and without it the database may panic.
            builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
            let opened = contained(|| {
                builder.open(self.files.database()).map_err(|error| Problem::of(&self.files.shown(), error))
            })?;
            self.open = Some(opened);
        }
        Ok(())
    }

    /// Does all of `requests` in one transaction, in their order, and returns once it is on disk.
    pub(super) fn write(&mut self, requests: &[Request], now: SystemTime) -> Result<(), Problem> {
        self.attempt(|open, buffer| {
            let mut transaction = open.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            let mut table = transaction.open_table(MESSAGES)?;
            for request in requests {
                match request {
                    Request::Append { batch, .. } => {
                        for (key, message) in batch {
                            Record::new(message, now)
                                .encode(buffer)
                                .map_err(|error| redb::Error::Corrupted(error.to_string()))?;
                            table.insert(key, buffer.as_slice())?;
                        }
                    }
                    Request::Remove(key) => drop(table.remove(key)?),
                }
            }
            drop(table);
            Ok(transaction.commit()?)
        })
    }

    /// The keys among `keys` that are in the file.
    pub(super) fn present(&mut self, keys: &[u64]) -> Result<Vec<u64>, Problem> {
        self.ready()?;
        self.attempt(|open, _| {
            let table = open.begin_read()?.open_table(MESSAGES)?;
            let mut present = Vec::new();
            for &key in keys {
                if table.get(key)?.is_some() {
                    present.push(key);
                }
            }
            Ok(present)
        })
    }

    /// Closes the file such that the next process need not repair it.
    pub(super) fn close(mut self) -> Result<(), Problem> {
        let Some(open) = self.open.take() else { return Ok(()) };
        contained(|| open.close().map_err(|error| Problem::of(&self.files.shown(), error)))
    }

    /// Does `work`, and closes the database if that fails: after an error the database takes no more transactions,
    /// and after a panic nobody knows.
    fn attempt<T>(
        &mut self,
        work: impl FnOnce(&redb::Database, &mut Vec<u8>) -> Result<T, redb::Error>,
    ) -> Result<T, Problem> {
        let open = self.open.as_ref().ok_or(Problem::Stopped)?;
        let done = contained(|| {
            work(open, &mut self.buffer).map_err(|error| Problem::of(&self.files.shown(), error))
        });
        if done.is_err() {
            let failed = self.open.take();
            // Nothing more is written then, and closing has no other error to tell than the first.
            let _ = contained(|| {
                drop(failed);
                Ok(())
            });
        }
        done
    }
}

/// Writes an empty store.
fn fill(file: File, name: &str, client_id: &str) -> Result<(), Problem> {
    let make = || {
        let database = Builder::new().set_cache_size(CACHE).create_with_backend(FileBackend::new(file)?)?;
        let transaction = database.begin_write()?;
        let mut about = transaction.open_table(ABOUT)?;
        about.insert("format", FORMAT.to_string().as_str())?;
        about.insert("client ID", client_id)?;
        drop(about);
        transaction.open_table(MESSAGES)?;
        transaction.commit()?;
        Ok(database.close()?)
    };
    make().map_err(|error: redb::Error| Problem::of(name, error))
}
