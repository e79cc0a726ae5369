//! The table.

use std::fmt::Write;

use crate::results::{Better, Metric, Results};

const FIRST: usize = 28;
const COLUMN: usize = 16;

/// A line a metric, a column a program. Behind each value of another's stands how many times as good the first one is.
pub(crate) fn table(names: &[&str], results: &Results) -> String {
    let mut text = " ".repeat(FIRST);
    for name in names {
        let _ = write!(text, "{name:>COLUMN$}");
    }
    for metric in Metric::ALL {
        let measured = (0..names.len()).any(|program| results.median(program, metric).is_some());
        if !measured {
            continue;
        }
        let (name, unit, digits) = metric.shown();
        let _ = write!(text, "\n{name:<FIRST$}");
        for program in 0..names.len() {
            let _ = write!(text, "{:>COLUMN$}", cell(program, metric, results, unit, digits));
        }
    }
    text + "\n\n×: how many times as good as the other this project is; below 1 it is behind\n"
}

fn cell(program: usize, metric: Metric, results: &Results, unit: f64, digits: usize) -> String {
    let Some(value) = results.median(program, metric) else { return "–".to_owned() };
    let shown = format!("{:.digits$}", value / unit);
    let own = results.median(0, metric).unwrap_or(f64::NAN);
    let ratio = match metric.better() {
        _ if program == 0 => return shown + "       ",
        Better::Neither => return shown + "       ",
        Better::Less => value / own,
        Better::More => own / value,
    };
    format!("{shown} {:>6}", format!("{ratio:.2}×"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_one_is_always_ours() {
        let mut results = Results::new(3);
        for (program, connect, throughput) in
            [(0, 0.002, 50_000.0), (1, 0.004, 25_000.0), (2, 0.001, 100_000.0)]
        {
            results.add(program, Metric::Connect, connect);
            results.add(program, Metric::Throughput100, throughput);
        }
        let table = table(&["us", "slow", "fast"], &results);
        let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["us", "slow", "fast"]);
        assert_eq!(lines[1], ["connect,", "ms", "2.00", "4.00", "2.00×", "1.00", "0.50×"]);
        assert_eq!(lines[2][6..], ["50.0", "25.0", "2.00×", "100.0", "0.50×"]);
        assert_eq!(lines.len(), 5, "what was not measured has no line: {table}");
    }

    #[test]
    fn the_median_counts_and_what_is_missing_is_a_dash() {
        let mut results = Results::new(2);
        for value in [3.0, 1.0, 2.0] {
            results.add(0, Metric::ReconnectDefault, value);
        }
        let table = table(&["us", "them"], &results);
        let line = table.lines().nth(1).unwrap();
        assert_eq!(line.split_whitespace().collect::<Vec<_>>()[3..], ["2000", "–"], "{table}");
    }
}
