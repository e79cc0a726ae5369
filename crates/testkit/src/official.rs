//! Command lines from the documents of the official SDKs' samples, run as they stand there.

use std::fs;
use std::path::Path;

use sandbox::Sandbox;

use crate::Sample;

/// Makes a sample run a command line of such a document. Only the placeholders change:
///
/// | placeholder | of the sandbox |
/// |---|---|
/// | `E`, `R` | the endpoint and the region |
/// | `F` | the file that the flag before it asks for |
/// | `P` | a profile, in the files of `--config-file` and `--credentials-file` |
/// | `A`, `S`, `T` | access key ID, secret access key and session token; `T` behind `--topic` is a topic |
/// | `HOST:1080` | a SOCKS5 proxy |
///
/// Behind the command line follow the port, as the sandbox has another one than AWS IoT Core, and its CA file where the
/// command line names none. Where it does not name a source of credentials either, they are in the environment.
///
/// # Panics
///
/// When the command line has a placeholder of no known meaning.
#[must_use]
pub fn sample(binary: &str, command_line: &str, sandbox: &Sandbox) -> Sample {
    let mut sample = Sample::new(binary);
    let mut flag = "";
    for word in command_line.split_whitespace() {
        let value = value(flag, word, &sample, sandbox);
        sample = sample.args([value]);
        flag = word;
    }
    let has = |name: &str| command_line.split_whitespace().any(|word| word.replace('_', "-") == name);
    let is_device = has("--cert") && !has("--websocket");
    let port = if is_device { sandbox.mqtt_port() } else { sandbox.https_port() };
    sample = sample.args(["--port", &port.to_string()]);
    if !has("--ca-file") {
        sample = sample.args(["--ca-file".as_ref(), sandbox.ca_file().as_os_str()]);
    }
    if is_device || has("--profile") || has("--access-key") {
        return sample;
    }
    sample.credentials(sandbox.credentials())
}

/// Returns whether this is `test-` and a UUID, as in the official samples.
#[must_use]
pub fn is_default_client_id(text: &str) -> bool {
    text.strip_prefix("test-").is_some_and(|uuid| {
        let lengths = uuid.split('-').map(str::len);
        lengths.eq([8, 4, 4, 4, 12]) && uuid.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    })
}

/// The replacement of `word`, which follows `flag`.
fn value(flag: &str, word: &str, sample: &Sample, sandbox: &Sandbox) -> String {
    let file = |path: &Path| path.display().to_string();
    let written = |name: &str, text: String| {
        let path = sample.home().join(name);
        fs::write(&path, text).expect("the home folder is writable");
        file(&path)
    };
    let device = sandbox.device();
    let keys = sandbox.credentials();
    match (&*flag.replace('_', "-"), word) {
        (_, "E") => sandbox.endpoint().to_owned(),
        (_, "R") => sandbox.region().to_owned(),
        ("--ca-file", "F") => file(sandbox.ca_file()),
        ("--cert", "F") => file(&device.cert_file),
        ("--key", "F") => file(&device.key_file),
        ("--config-file", "F") => written("config", format!("[profile {PROFILE}]\n")),
        ("--credentials-file", "F") => written(
            "credentials",
            format!(
                "[{PROFILE}]\naws_access_key_id={}\naws_secret_access_key={}\naws_session_token={}\n",
                keys.access_key_id, keys.secret_access_key, keys.session_token
            ),
        ),
        ("--profile", "P") => PROFILE.to_owned(),
        ("--access-key", "A") => keys.access_key_id.clone(),
        (_, "S") => keys.secret_access_key.clone(),
        ("--topic", "T") => "test/topic".to_owned(),
        ("--session-token", "T") => keys.session_token.clone(),
        (_, "socks5h://HOST:1080") => sandbox.proxies().socks5.clone(),
        (flag, word) if word.len() == 1 => panic!("what is {word} behind {flag}?"),
        (_, word) => word.to_owned(),
    }
}

const PROFILE: &str = "iot-lab";
