//! Files that the user names: certificates, keys, passwords, tokens.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::error::Error;

/// A pipe that stays silent for so long is warned of.
const SILENCE: Duration = Duration::from_secs(2);

/// Reads a file; `None` if it holds more than `limit` bytes, of which no more is read: a device has no end.
///
/// A pipe without a writer blocks, as it has to: a shell's process substitution and a passphrase prompt behind it take
/// their time. A warning names it.
///
/// # Errors
/// [`Error::File`].
pub fn read(what: &'static str, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let mut content = Vec::new();
    let mut read = || File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut content));
    let outcome = if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        warn_of_silence(what, path, read)
    } else {
        read()
    };
    outcome.map_err(|source| Error::File { what, path: path.to_owned(), source })?;
    Ok((content.len() as u64 <= limit).then_some(content))
}

/// The text in UTF-8, without a byte order mark (<https://www.unicode.org/faq/utf_bom.html>). UTF-16 is known by its
/// mark; Windows PowerShell writes it. Everything else is returned as it is.
pub fn decode(content: Vec<u8>) -> Vec<u8> {
    let utf16 = |pairs: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = pairs.as_chunks();
        let text = String::from_utf16(&pairs.iter().copied().map(unit).collect::<Vec<_>>());
        text.ok().filter(|_| rest.is_empty()).map(String::into_bytes)
    };
    let decoded = match content.as_slice() {
        [0xef, 0xbb, 0xbf, text @ ..] => Some(text.to_vec()),
        [0xff, 0xfe, pairs @ ..] => utf16(pairs, u16::from_le_bytes),
        [0xfe, 0xff, pairs @ ..] => utf16(pairs, u16::from_be_bytes),
        _ => None,
    };
    decoded.unwrap_or(content)
}

fn warn_of_silence<T>(
    what: &'static str,
    path: &Path,
    read: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let (end, ended) = mpsc::channel::<()>();
    let name = path.display().to_string();
    let watch = move || {
        if ended.recv_timeout(SILENCE) == Err(RecvTimeoutError::Timeout) {
            log::warn!(
                "waiting for the {what}: {name} is a pipe or a device, and no program has written to it and closed it"
            );
        }
    };
    // Without a thread there is no warning, and the file can be read all the same.
    let _watch = thread::Builder::new().name("silent file".to_owned()).spawn(watch);
    let outcome = read();
    drop(end);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_loses_its_byte_order_mark() {
        let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        for (content, expected) in [
            (b"\xef\xbb\xbfpass\n".to_vec(), "pass\n"),
            (b"pass\n".to_vec(), "pass\n"),
            (little("\u{feff}päß🔑\r\n"), "päß🔑\r\n"),
            (big("\u{feff}päß🔑\r\n"), "päß🔑\r\n"),
            (Vec::new(), ""),
        ] {
            assert_eq!(String::from_utf8(decode(content)).unwrap(), expected);
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay_as_they_are() {
        for content in [&b"\xff\xfea"[..], b"\xff\xfe\x00\xd8", b"\xff", b"\x30\x82\x01\x00"] {
            assert_eq!(decode(content.to_vec()), content);
        }
    }
}
