//! What can be learned about the machine and its processes; where there is no procfs, nothing.

use std::fs;
use std::thread::available_parallelism;
use std::time::Duration;

/// The machine, in a line.
pub(crate) fn description() -> String {
    let cores = available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or(std::env::consts::ARCH, |(_, name)| name);
    format!("{cores} cores ({model}), {}, load average at the start: {}", std::env::consts::OS, load())
}

/// The load averages of 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<_> = text.split_whitespace().take(3).collect();
    if averages.is_empty() { "unknown".to_owned() } else { averages.join(" ") }
}

/// The processor time of a process, in user and system mode.
pub(crate) fn cpu_time(process: u32) -> Option<Duration> {
    cpu_time_of(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// The most memory that a process had at a time, in KiB.
pub(crate) fn peak_memory(process: u32) -> Option<u64> {
    peak_memory_of(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn cpu_time_of(stat: &str) -> Option<Duration> {
    // The command, in parentheses, may hold anything. What follows begins with the third field; the 14th and 15th are
    // user and system time (proc_pid_stat(5)), in hundredths of a second on every architecture of today.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<_> = fields.split(' ').collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(10 * ticks))
}

fn peak_memory_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_parentheses() {
        let stat = "7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 1 0 999";
        assert_eq!(cpu_time_of(stat), Some(Duration::from_millis(1750)));
        assert_eq!(cpu_time_of("7 (a) S 1"), None);
    }

    #[test]
    fn peak_is_the_high_water_mark() {
        assert_eq!(peak_memory_of("VmPeak:\t 9 kB\nVmHWM:\t  123 kB\nVmRSS:\t 7 kB\n"), Some(123));
        assert_eq!(peak_memory_of(""), None);
    }
}
