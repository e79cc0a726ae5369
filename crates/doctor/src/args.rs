//! The command line.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser};
use common::Error;
use common::args::{
    ArgsError, ConnectionArgs, CustomAuthArgs, MutualTlsArgs, OutputArgs, Pkcs11Args, Pkcs12Args, SigV4Args,
    WindowsStoreArgs, escaped, name_flags, parse_echo_topic,
};
use iot_client::Auth;
use iot_transport::Endpoint;

use crate::method::{Method, NoArgs};

/// Checks, layer by layer, why a device can or cannot use AWS IoT Core, and says what to change.
///
/// It takes the flags of the samples. Those of one way to authenticate tell which one is meant; without any, the layers
/// below MQTT are checked alone. Without --endpoint, `cargo xtask doctor` examines a sandbox of its own.
#[derive(Parser)]
#[command(name = "doctor", bin_name = "cargo xtask doctor", version)]
struct Cli<A: Args> {
    #[command(flatten)]
    doctor: DoctorArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    auth: A,
    #[command(flatten)]
    output: OutputArgs,
}

/// What is to be examined beside the connection.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArgs {
    /// How to authenticate [default: what the flags belong to]. Its own flags are in the --help beside it.
    #[arg(long, value_name = "METHOD")]
    auth: Option<Method>,

    /// The topic to subscribe to and to publish one message on.
    #[arg(long, default_value = "test/topic", value_parser = parse_topic)]
    pub(crate) topic: String,

    /// The server's port for HTTPS, which is asked for the time [default: the connection's port, or 443 where that is
    /// for client certificates].
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) https_port: Option<u16>,
}

/// What the command line asks for.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) connection: ConnectionArgs,
    /// `None` where no way to authenticate was named.
    pub(crate) auth: Option<Result<Auth, Error>>,
    pub(crate) doctor: DoctorArgs,
    pub(crate) output: OutputArgs,
}

/// Flags of the samples that connect to nothing.
const NOT_HERE: [&str; 2] = ["dry_run", "list"];

/// Reads the command line and starts logging. Wrong usage ends the process with code 2.
pub(crate) fn parse(words: Vec<OsString>) -> Request {
    name_flags();
    let method = Method::of(&words);
    match method {
        Method::MutualTls => parse_with::<MutualTlsArgs>(method, words, |args, _| Ok(Some(args.auth()?))),
        Method::Pkcs12 => parse_with::<Pkcs12Args>(method, words, |args, _| Ok(Some(args.auth()?))),
        Method::Pkcs11 => {
            parse_with::<Pkcs11Args>(method, words, |args, _| Ok(Some(args.settings()?.auth()?)))
        }
        Method::WindowsStore => {
            parse_with::<WindowsStoreArgs>(method, words, |args, _| Ok(Some(args.auth()?)))
        }
        Method::SigV4 => {
            parse_with::<SigV4Args>(method, words, |args, endpoint| Ok(Some(args.auth(endpoint)?)))
        }
        Method::Custom => parse_with::<CustomAuthArgs>(method, words, |args, _| Ok(Some(args.auth()?))),
        Method::Nothing => parse_with::<NoArgs>(method, words, |_, _| Ok(None)),
    }
}

fn parse_with<A: Args>(
    method: Method,
    words: Vec<OsString>,
    auth: impl FnOnce(&A, &Endpoint) -> Result<Option<Auth>, ArgsError>,
) -> Request {
    let mut command = Cli::<A>::command();
    let strangers: Vec<_> = NOT_HERE
        .into_iter()
        .filter(|id| command.get_arguments().any(|argument| argument.get_id() == id))
        .collect();
    for id in &strangers {
        command = command.mut_arg(id, |argument| argument.hide(true));
    }
    let matches = command.try_get_matches_from_mut(&words).unwrap_or_else(|error| {
        command.try_get_matches_from_mut(escaped(&words)).err().unwrap_or(error).exit()
    });
    for id in strangers {
        if matches.value_source(id) == Some(ValueSource::CommandLine) {
            let flag = id.replace('_', "-");
            let message = format!("--{flag} connects to nothing, and there is nothing to examine then");
            command.error(ErrorKind::ArgumentConflict, message).exit();
        }
    }
    let Cli { doctor, connection, auth: args, output } =
        Cli::<A>::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit());
    output.start_logging();
    let auth = match auth(&args, &connection.endpoint) {
        Ok(auth) => auth.map(Ok),
        Err(error) => Some(Err(error.exit_on_usage())),
    };
    Request { method, connection, auth, doctor, output }
}

/// One that can be published on (MQTT 5.0 §4.7).
fn parse_topic(text: &str) -> Result<String, String> {
    if text.contains(char::is_control) {
        return Err("a topic cannot hold control characters".to_owned());
    }
    parse_echo_topic(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_lines_are_consistent() {
        Cli::<MutualTlsArgs>::command().debug_assert();
        Cli::<Pkcs12Args>::command().debug_assert();
        Cli::<Pkcs11Args>::command().debug_assert();
        Cli::<WindowsStoreArgs>::command().debug_assert();
        Cli::<SigV4Args>::command().debug_assert();
        Cli::<CustomAuthArgs>::command().debug_assert();
        Cli::<NoArgs>::command().debug_assert();
    }

    #[test]
    fn a_topic_is_one_to_publish_on() {
        assert_eq!(parse_topic("a/b").as_deref(), Ok("a/b"));
        for bad in ["", "a/#", "+/a", "a\nb", "$share/g/x", "$aws/rules/r/x"] {
            assert!(parse_topic(bad).is_err(), "{bad:?}");
        }
    }
}
