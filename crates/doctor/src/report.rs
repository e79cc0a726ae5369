//! How results are written: one line a check, for people or as JSON.

use std::io::{self, Write};

use common::Error;
use iot_transport::text::{json_line, one_line};
use serde_json::json;

use crate::check::{Check, Outcome};

/// The width of the names; the longest is "server certificate".
const NAME: usize = 18;

/// Whether the exit code is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Healthy,
    Ill,
}

/// What is being written.
#[derive(Debug)]
pub(crate) struct Report<W> {
    writer: W,
    format: Format,
    failures: usize,
    warnings: usize,
    not_reached: usize,
    /// The first check that MQTT needs and that has failed.
    stopped_by: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    /// One object a line.
    Json,
}

impl<W: Write> Report<W> {
    pub(crate) fn new(writer: W, format: Format) -> Self {
        Self { writer, format, failures: 0, warnings: 0, not_reached: 0, stopped_by: None }
    }

    /// Writes one result, and hands it back.
    ///
    /// # Errors
    /// [`Error::Output`], as for all of these.
    pub(crate) fn add(&mut self, check: Check) -> Result<Check, Error> {
        match check.outcome {
            Outcome::Failed => self.failures += 1,
            Outcome::Warning => self.warnings += 1,
            Outcome::NotReached => self.not_reached += 1,
            Outcome::Ok | Outcome::NotUsed => {}
        }
        let written = match self.format {
            Format::Text => self.text(&check),
            Format::Json => self.json(&check),
        };
        written.and_then(|()| self.writer.flush()).map_err(Error::Output)?;
        Ok(check)
    }

    /// As [`add`](Self::add), for a check without which there is no MQTT.
    pub(crate) fn add_needed(&mut self, check: Check) -> Result<Check, Error> {
        let check = self.add(check)?;
        if check.has_failed() {
            self.stopped_by.get_or_insert(check.name);
        }
        Ok(check)
    }

    /// The first check that MQTT needs and that has failed.
    pub(crate) fn stopped_by(&self) -> Option<&'static str> {
        self.stopped_by
    }

    /// Writes the sum of it all.
    pub(crate) fn end(mut self) -> Result<Verdict, Error> {
        let verdict = if self.failures == 0 { Verdict::Healthy } else { Verdict::Ill };
        if self.format == Format::Text {
            let warnings = match self.warnings {
                0 => String::new(),
                warnings => format!(", {}", count(warnings, "warning")),
            };
            let sum = match (self.failures, self.not_reached) {
                (0, 0) if self.warnings == 0 => "All is well.".to_owned(),
                (0, 0) => format!("It works{warnings}."),
                (0, left) => format!("No check failed, {} not made{warnings}.", count(left, "check")),
                (failures, _) => format!("{} failed{warnings}.", count(failures, "check")),
            };
            writeln!(self.writer, "\n{sum}").map_err(Error::Output)?;
        }
        Ok(verdict)
    }

    fn text(&mut self, check: &Check) -> io::Result<()> {
        let sign = match check.outcome {
            Outcome::Ok => "ok",
            Outcome::Warning => "warn",
            Outcome::Failed => "FAIL",
            Outcome::NotReached | Outcome::NotUsed => "-",
        };
        writeln!(self.writer, "{sign:4}  {:NAME$}  {}", check.name, one_line(&check.finding))?;
        if let Some(hint) = &check.hint {
            self.detail("hint:", hint)?;
        }
        for advice in &check.advice {
            self.detail("means:", &advice.means)?;
            self.detail("change:", &advice.change)?;
        }
        Ok(())
    }

    fn detail(&mut self, label: &str, text: &str) -> io::Result<()> {
        writeln!(self.writer, "        {label:7} {}", one_line(text))
    }

    fn json(&mut self, check: &Check) -> io::Result<()> {
        let outcome = match check.outcome {
            Outcome::Ok => "ok",
            Outcome::Warning => "warning",
            Outcome::Failed => "failed",
            Outcome::NotReached => "not reached",
            Outcome::NotUsed => "not used",
        };
        let advice =
            check.advice.iter().map(|advice| json!({ "means": advice.means, "change": advice.change }));
        let object = json!({
            "check": check.name, "outcome": outcome, "finding": check.finding, "hint": check.hint,
            "advice": advice.collect::<Vec<_>>(),
        });
        writeln!(self.writer, "{}", json_line(&object))
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format) -> String {
        let mut bytes = Vec::new();
        let mut report = Report::new(&mut bytes, format);
        report.add(Check::ok("name", "a\nFAIL  TLS\u{1b}[2J\u{9b}1m\u{202e}").warn("m", "c")).unwrap();
        assert_eq!(report.end().unwrap(), Verdict::Healthy);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_a_server_says_cannot_forge_a_line() {
        assert_eq!(
            written(Format::Text),
            "warn  name                a\\nFAIL  TLS\\u{1b}[2J\\u{9b}1m\\u{202e}\n        means:  m\n        change: c\n\n\
             It works, 1 warning.\n"
        );
        let json = written(Format::Json);
        assert_eq!(json.lines().count(), 1);
        assert!(json.contains(r"TLS\u001b[2J\u009b1m\u202e"), "{json}");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&value["check"], &value["outcome"]), (&json!("name"), &json!("warning")));
    }
}
