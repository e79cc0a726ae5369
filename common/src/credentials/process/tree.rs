//! A process and all that it has started.

#[cfg(any(target_os = "android", target_os = "linux"))]
use std::fs;
#[cfg(not(any(target_os = "android", target_os = "linux")))]
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Kills a child of this program and its descendants. The caller reaps the child, and does so later: until then its
/// number is its own.
///
/// Each process is stopped before its children are looked up, so that it neither starts further ones nor reaps those
/// that end. A descendant whose parent has ended before is not found: it has left the tree on purpose, as a daemon does.
pub(super) fn kill(child: u32) {
    let Some(child) = i32::try_from(child).ok().and_then(Pid::from_raw) else { return };
    let mut tree = vec![child];
    signal(child, Signal::STOP);
    loop {
        let found: Vec<Pid> = processes()
            .into_iter()
            .filter(|(process, parent)| tree.contains(parent) && !tree.contains(process))
            .map(|(process, _)| process)
            .collect();
        if found.is_empty() {
            break;
        }
        for process in found {
            signal(process, Signal::STOP);
            tree.push(process);
        }
    }
    for process in tree {
        signal(process, Signal::KILL);
    }
}

/// A process that has ended needs no signal, and one of another user (sudo) takes none.
fn signal(process: Pid, signal: Signal) {
    if let Err(error) = kill_process(process, signal) {
        log::debug!("process {}: {error}", process.as_raw_nonzero());
    }
}

/// All processes, each with its parent (proc_pid_stat(5)).
#[cfg(any(target_os = "android", target_os = "linux"))]
fn processes() -> Vec<(Pid, Pid)> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    numbers
        .filter_map(|entry| {
            let process = number(entry.file_name().to_str()?)?;
            let stat = fs::read(entry.path().join("stat")).ok()?;
            // The name, in parentheses, may hold anything.
            let after_name = stat.rsplit(|&byte| byte == b')').next()?;
            let parent = number(str::from_utf8(after_name).ok()?.split_ascii_whitespace().nth(1)?)?;
            Some((process, parent))
        })
        .collect()
}

/// All processes, each with its parent, as POSIX has `ps` list them.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn processes() -> Vec<(Pid, Pid)> {
    let ps = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).stderr(Stdio::null()).output();
    let listing = ps.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&listing)
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            Some((number(words.next()?)?, number(words.next()?)?))
        })
        .collect()
}

fn number(text: &str) -> Option<Pid> {
    text.parse().ok().and_then(Pid::from_raw)
}
