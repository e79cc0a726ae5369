//! curl, as a foreign client of proxies.

use std::env;
use std::ffi::OsStr;
use std::process::Command;

use sandbox::Sandbox;

/// curl with `flags`, to ask the sandbox's gateway for a page that it does not have: the answer is 404.
pub(crate) fn command<A: AsRef<OsStr>>(sandbox: &Sandbox, flags: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new("curl");
    command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    command.args(["--disable", "--silent", "--show-error", "--max-time", "20", "--output", "/dev/null"]);
    // The statuses of the proxy's answer to CONNECT and of the gateway's.
    command.args(["--write-out", "%{http_connect} %{http_code}"]);
    command
        .arg("--cacert")
        .arg(sandbox.ca_file())
        .args(flags)
        .arg(format!("https://localhost:{}/", sandbox.https_port()));
    command
}
