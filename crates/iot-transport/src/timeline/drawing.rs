//! The attempts as a drawing, in ASCII: that is what every terminal and every CI log shows.

use std::time::Duration;

use super::detail::utc;
use super::{Attempt, Attempts, Outcome, Step, StepState};
use crate::text::one_line;

/// The width of the names; the longest is "WebSocket upgrade".
const NAME: usize = 17;

/// The width of a time: "9999.9 ms".
const TIME: usize = 9;

/// What stands left of the bars: margin, name, begin, duration.
const LEFT: usize = 2 + NAME + 1 + TIME + 1 + TIME + 2;

/// What stands left of a step's details: margin, name.
const INDENT: usize = 2 + NAME + 2;

/// The fewest columns of a bar, and of a detail, however narrow the terminal is.
const LEAST: usize = 16;

impl Attempts {
    /// A drawing of each, `columns` wide, and a line for those that were not kept.
    #[must_use]
    pub fn draw(&self, columns: usize) -> String {
        let mut drawing = String::new();
        if self.kept.is_empty() {
            drawing.push_str("\nNo connection was attempted.\n");
        }
        for (index, attempt) in self.kept.iter().enumerate() {
            if index == 1 && self.left_out > 0 {
                drawing.push_str(&format!("\n{} attempts are left out here.\n", self.left_out));
            }
            drawing.push('\n');
            for line in lines(attempt, columns) {
                drawing.push_str(line.trim_end());
                drawing.push('\n');
            }
        }
        drawing
    }
}

fn lines(attempt: &Attempt, columns: usize) -> Vec<String> {
    let bars = Bars { whole: attempt.duration(), columns: columns.saturating_sub(LEFT + 2).max(LEAST) };
    let heading =
        format!("Attempt {} to {}, {}: {}", attempt.number, attempt.target, utc(attempt.began_at), {
            let took = time(attempt.duration());
            match &attempt.outcome {
                Outcome::UnderWay => format!("unfinished after {took}"),
                Outcome::Connected { ended: None, .. } => format!("connected after {took}"),
                Outcome::Connected { ended: Some((after, _)), .. } => {
                    format!("connected after {took}, lost after {}", time(*after))
                }
                Outcome::Failed { .. } => format!("failed after {took}"),
            }
        });
    let mut lines = wrapped(&heading, columns.max(LEAST));
    if let Some(way) = &attempt.way {
        let way = wrapped(way, columns.saturating_sub(2).max(LEAST));
        lines.extend(way.into_iter().map(|line| format!("  {line}")));
    }
    lines.push(format!("  {:NAME$} {:>TIME$} {:>TIME$}  {}", "", "begin", "took", bars.axis()));
    for step in &attempt.steps {
        let took = step.ended.unwrap_or(bars.whole).saturating_sub(step.began);
        let (name, began, took) = (step.name(), time(step.began), time(took));
        lines.push(format!(
            "{} {name:NAME$} {began:>TIME$} {took:>TIME$}  |{}|",
            mark(&step.state),
            bars.bar(step)
        ));
    }

    let mut described = Vec::new();
    for step in &attempt.steps {
        let detail = step.detail.as_ref().map(ToString::to_string);
        let text = match &step.state {
            StepState::Done => detail,
            StepState::Failed { error } => Some(error.clone()),
            StepState::GivenUp | StepState::UnderWay => Some("unfinished".to_owned()),
        };
        if let Some(text) = text {
            described.push((mark(&step.state), step.name(), text));
        }
    }
    let step_failed = attempt.steps.iter().any(|step| step.state.failed_with(&attempt.outcome));
    match &attempt.outcome {
        Outcome::Connected { ended: Some((_, error)), .. } => {
            described.push(('x', "lost".to_owned(), error.clone()));
        }
        // Between two steps.
        Outcome::Failed { error, .. } if !step_failed => {
            described.push(('x', "failed".to_owned(), error.clone()));
        }
        _ => {}
    }
    if !described.is_empty() {
        lines.push(String::new());
    }
    for (mark, name, text) in described {
        let mut text = wrapped(&text, columns.saturating_sub(INDENT).max(LEAST)).into_iter();
        lines.push(format!("{mark} {name:NAME$}  {}", text.next().unwrap_or_default()));
        lines.extend(text.map(|line| format!("{:INDENT$}{line}", "")));
    }
    lines
}

fn mark(state: &StepState) -> char {
    match state {
        StepState::Done => ' ',
        StepState::Failed { .. } => 'x',
        StepState::GivenUp | StepState::UnderWay => '>',
    }
}

impl StepState {
    fn failed_with(&self, outcome: &Outcome) -> bool {
        matches!((self, outcome), (StepState::Failed { error }, Outcome::Failed { error: why, .. }) if error == why)
    }
}

/// A time axis.
struct Bars {
    whole: Duration,
    columns: usize,
}

impl Bars {
    /// Both ends of the axis, above the bars' own.
    fn axis(&self) -> String {
        format!(" 0{:>width$}", time(self.whole), width = self.columns - 1)
    }

    /// From where the step began to where it ended; each has a column at least.
    fn bar(&self, step: &Step) -> String {
        let begin = self.column(step.began).min(self.columns - 1);
        let end = self.column(step.ended.unwrap_or(self.whole)).clamp(begin + 1, self.columns);
        let tip = match mark(&step.state) {
            ' ' => '=',
            mark => mark,
        };
        let bar = format!("{}{}{tip}", " ".repeat(begin), "=".repeat(end - begin - 1));
        format!("{bar:<width$}", width = self.columns)
    }

    fn column(&self, at: Duration) -> usize {
        let share = at.as_secs_f64() / self.whole.as_secs_f64().max(f64::MIN_POSITIVE);
        (share.min(1.0) * self.columns as f64).round() as usize
    }
}

fn time(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 9.999_95 => format!("{:.1} ms", seconds * 1000.0),
        seconds => format!("{seconds:.1} s"),
    }
}

/// Text from anywhere, in lines of at most `width` characters, broken between words where that can be.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in one_line(text).split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length <= width {
            used += 1;
            if let Some(line) = lines.last_mut() {
                line.push(' ');
            }
        } else if used > 0 {
            lines.push(String::new());
            used = 0;
        }
        for character in word.chars() {
            if used == width {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(character);
            }
            used += 1;
        }
    }
    lines
}
