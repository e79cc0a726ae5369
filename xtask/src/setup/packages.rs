//! Installs packages by apt, or names the command that would.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::tools::{Need, Tool, runs};
use crate::hint;

/// Installs without starting any service: Debian starts a broker on port 1883 as soon as mosquitto is installed,
/// and at each boot, and likewise the proxies. policy-rc.d is Debian's own way to say no to the first; a policy that is
/// there is kept.
const APT_INSTALL: &str = r#"
set -eu
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
    trap 'rm -f "$guard"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
fi
export DEBIAN_FRONTEND=noninteractive
# Waits for another apt, such as the system's own update; keeps configuration files that were edited.
apt-get -o DPkg::Lock::Timeout=120 update -qq || echo "warning: apt-get update failed; trying with the lists at hand" >&2
apt-get -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold install --yes --quiet --no-install-recommends "$@" >&2
command -v systemctl >/dev/null || exit 0
for package in "$@"; do
    case "$package" in
    mosquitto | squid | tinyproxy) unit=$package.service ;;
    dante-server) unit=danted.service ;;
    stunnel4) unit=stunnel.target ;;
    *) continue ;;
    esac
    systemctl disable "$unit" >/dev/null 2>&1 || echo "warning: could not disable $unit at boot" >&2
done
"#;

/// Installs what the tools need, or fails with the command to run by hand.
pub(super) fn install(missing: &[&Tool]) -> Result<()> {
    let Some(root) = becoming_root() else {
        let names: Vec<_> = missing.iter().map(|tool| tool.name).collect();
        return Err(hint::error(format!("not installed: {}", names.join(", ")), by_hand(missing)));
    };
    let packages = collect(missing, |tool| tool.apt);
    eprintln!("Installing by apt: {}", packages.join(" "));
    let mut words = root.iter().chain(&["sh", "-c", APT_INSTALL, "sh"]).chain(&packages);
    let mut command = Command::new(words.next().context("no command")?);
    let status = command.args(words).stdin(Stdio::null()).status().context("cannot run apt-get")?;
    if !status.success() {
        return Err(hint::error(
            format!("apt-get could not install {}", packages.join(" ")),
            format!("its message is above; by hand: {}", by_hand(missing)),
        ));
    }
    Ok(())
}

/// The words before a command that make it run as root without a question, if there is apt and a way.
fn becoming_root() -> Option<&'static [&'static str]> {
    if !runs("apt-get", &["--version"]) {
        return None;
    }
    if runs("sh", &["-c", "test \"$(id -u)\" = 0"]) {
        return Some(&[]);
    }
    runs("sudo", &["-n", "true"]).then_some(&["sudo", "-n"])
}

/// One command for each package manager.
fn by_hand(missing: &[&Tool]) -> String {
    let apt = collect(missing, |tool| tool.apt).join(" ");
    let dnf = collect(missing, |tool| tool.dnf).join(" ");
    let brew = collect(missing, |tool| tool.brew).join(" ");
    let mut mac = Vec::new();
    if missing.iter().any(|tool| tool.brew.is_empty() && tool.need == Need::Build) {
        mac.push("xcode-select --install".to_owned());
    }
    if !brew.is_empty() {
        mac.push(format!("brew install {brew}"));
    }
    let mut hint = format!("install it and run this again:\n  Debian, Ubuntu:  sudo apt-get install {apt}");
    if !dnf.is_empty() {
        hint += &format!("\n  Fedora:          sudo dnf install {dnf}");
    }
    if !mac.is_empty() {
        hint += &format!("\n  macOS:           {}", mac.join(" && "));
    }
    hint
}

/// The packages of all tools, each once, in order.
fn collect(tools: &[&'_ Tool], packages: impl Fn(&Tool) -> &'static [&'static str]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for name in tools.iter().flat_map(|tool| packages(tool)) {
        if !names.contains(name) {
            names.push(*name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::tools::TOOLS;
    use super::*;

    #[test]
    fn the_hint_has_a_command_for_each_system() {
        let tools: Vec<_> = TOOLS.iter().filter(|tool| matches!(tool.name, "node" | "npm")).collect();
        let hint = by_hand(&tools);
        assert!(hint.contains("sudo apt-get install nodejs npm\n"), "{hint}");
        assert!(hint.contains("sudo dnf install nodejs npm\n"), "{hint}");
        assert!(hint.ends_with("brew install node"), "{hint}");
    }

    #[test]
    fn apple_brings_the_compiler() {
        let tools: Vec<_> = TOOLS.iter().filter(|tool| tool.need == Need::Build).collect();
        let hint = by_hand(&tools);
        assert!(hint.ends_with("macOS:           xcode-select --install && brew install cmake"), "{hint}");
        assert!(hint.contains("sudo apt-get install gcc g++ libc6-dev make cmake\n"), "{hint}");
    }

    #[test]
    fn a_system_without_a_package_is_not_named() {
        let named = |name: &str| by_hand(&TOOLS.iter().filter(|tool| tool.name == name).collect::<Vec<_>>());
        assert!(!named("microsocks").contains("Fedora"));
        assert!(!named("strace").contains("macOS"));
    }

    #[test]
    fn the_script_is_a_valid_one() {
        assert!(runs("sh", &["-n", "-c", APT_INSTALL]));
    }
}
