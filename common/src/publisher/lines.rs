use std::io::{self, BufRead, BufReader};
use std::thread;

use tokio::sync::mpsc;

/// The lines of the standard input, as bytes. A thread of its own reads them: a read that waits for a person cannot be
/// given up, and must not hold up the end of the process.
///
/// `None` until the first is asked for: what connects first may fail, and the input is left to whoever comes next.
#[derive(Debug, Default)]
pub(super) struct Lines(Option<mpsc::Receiver<Result<Vec<u8>, LineError>>>);

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// A line is longer than a payload may be.
    #[error(
        "line {number} of the standard input is longer than {} bytes, the limit of AWS IoT Core for a payload",
        Lines::LONGEST
    )]
    TooLong {
        /// The line's number, from 1.
        number: u64,
    },
    /// The input cannot be read.
    #[error("cannot read line {number} of the standard input")]
    Read {
        /// The line's number, from 1.
        number: u64,
        /// The operating system's answer.
        source: io::Error,
    },
}

impl Lines {
    /// The longest line, in bytes: AWS IoT Core's limit for a payload.
    const LONGEST: usize = 128 * 1024;

    /// Lines that are read ahead.
    const AHEAD: usize = 16;

    /// The next line, without LF or CRLF; a last line needs none. `None` at the end. Nothing is lost when the call is
    /// given up.
    ///
    /// # Errors
    ///
    /// [`LineError`]; there is nothing after it.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, LineError> {
        let lines = match self.0.take() {
            Some(lines) => lines,
            None => start_reading(BufReader::new(io::stdin()))
                .map_err(|source| LineError::Read { number: 1, source })?,
        };
        self.0.insert(lines).recv().await.transpose()
    }
}

/// Reads in a thread that ends with the input, or when nobody takes the lines any longer.
fn start_reading(
    mut input: impl BufRead + Send + 'static,
) -> io::Result<mpsc::Receiver<Result<Vec<u8>, LineError>>> {
    let (sender, lines) = mpsc::channel(Lines::AHEAD);
    thread::Builder::new().name("standard input".to_owned()).spawn(move || {
        for number in 1.. {
            let Some(line) = read_line(&mut input, number).transpose() else { return };
            let is_last = line.is_err();
            if sender.blocking_send(line).is_err() || is_last {
                return;
            }
        }
    })?;
    Ok(lines)
}

/// One line, of which no more is kept than a payload may hold.
fn read_line(input: &mut impl BufRead, number: u64) -> Result<Option<Vec<u8>>, LineError> {
    let mut line = Vec::new();
    let mut is_there = false;
    loop {
        let part = match input.fill_buf() {
            Ok(part) => part,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(LineError::Read { number, source }),
        };
        if part.is_empty() {
            break;
        }
        is_there = true;
        let end = part.iter().position(|&byte| byte == b'\n');
        line.extend_from_slice(&part[..end.unwrap_or(part.len())]);
        let used = end.map_or(part.len(), |end| end + 1);
        input.consume(used);
        // It may still be CR and LF that come.
        if end.is_some() || line.len() > Lines::LONGEST + 1 {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    match line.len() {
        _ if !is_there => Ok(None),
        length if length > Lines::LONGEST => Err(LineError::TooLong { number }),
        _ => Ok(Some(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Result<Vec<u8>, String>> {
        // Lines come in parts.
        let mut input = BufReader::with_capacity(3, input);
        let mut all = Vec::new();
        for number in 1.. {
            match read_line(&mut input, number).transpose() {
                Some(Ok(line)) => all.push(Ok(line)),
                Some(Err(error)) => {
                    all.push(Err(error.to_string()));
                    break;
                }
                None => break,
            }
        }
        all
    }

    #[test]
    fn lines_are_taken_as_they_are() {
        let text = |lines: &[&str]| lines.iter().map(|line| Ok(line.as_bytes().to_vec())).collect::<Vec<_>>();
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"one\ntwo\n"), text(&["one", "two"]));
        assert_eq!(lines(b"one\r\n\r\n\nlast"), text(&["one", "", "", "last"]));
        assert_eq!(lines(b"a\rb\n"), text(&["a\rb"]));
        assert_eq!(lines(b"\xff\0\n"), [Ok(vec![0xff, 0])]);
    }

    #[test]
    fn the_longest_line_is_as_long_as_a_payload() {
        for end in ["", "\n", "\r\n"] {
            let longest = "x".repeat(Lines::LONGEST);
            assert_eq!(lines(format!("{longest}{end}").as_bytes()), [Ok(longest.clone().into_bytes())]);
            let outcome = lines(format!("a\nx{longest}{end}").as_bytes());
            let error = outcome[1].as_ref().unwrap_err();
            assert!(error.contains("line 2") && error.contains("131072"), "{error}");
        }
    }
}
