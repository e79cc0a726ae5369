use std::path::PathBuf;

use clap::Args;
use iot_client::custom_auth::{CustomAuthorizer, SignedToken};
use iot_client::{Auth, CustomAuthTransport};
use secrecy::SecretString;

use super::error::{ArgsError, usage};
use super::secret::Secret;

/// A custom authorizer, and what it shall look at.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Custom authorizer")]
pub struct CustomAuthArgs {
    /// The authorizer's name; by default the account's default authorizer.
    #[arg(long, value_name = "NAME",
          aliases = ["authorizer_name", "custom-auth-authorizer-name", "custom_auth_authorizer_name"])]
    pub authorizer_name: Option<String>,

    /// The user name that the authorizer looks at.
    #[arg(long, value_name = "NAME",
          aliases = ["auth_username", "authorizer-username", "authorizer_username", "custom-auth-username",
                     "custom_auth_username"])]
    pub auth_username: Option<String>,

    /// The password that the authorizer looks at; a file or the variable, unlike this flag, do not show in process
    /// lists [env: AWS_IOT_AUTH_PASSWORD].
    #[arg(long, value_name = "PASSWORD",
          aliases = ["auth_password", "authorizer-password", "authorizer_password", "custom-auth-password",
                     "custom_auth_password"])]
    pub auth_password: Option<SecretString>,

    /// A file with that password.
    #[arg(long, value_name = "FILE", alias = "auth_password_file", conflicts_with = "auth_password")]
    pub auth_password_file: Option<PathBuf>,

    /// The key name under which the authorizer looks for its token; needed when its signing is enabled, as are token
    /// and signature.
    #[arg(long, value_name = "KEY",
          aliases = ["auth_token_key_name", "token-key-name", "token_key_name", "custom-auth-token-name",
                     "custom_auth_token_name"])]
    pub auth_token_key_name: Option<String>,

    /// The token, URI-encoded where it holds & ? # % or spaces; a file or the variable are safer
    /// [env: AWS_IOT_AUTH_TOKEN_VALUE].
    #[arg(long, value_name = "TOKEN",
          aliases = ["auth_token_value", "auth-token-key-value", "auth_token_key_value", "token-value",
                     "token_value", "custom-auth-token-value", "custom_auth_token_value"])]
    pub auth_token_value: Option<SecretString>,

    /// A file with that token.
    #[arg(long, value_name = "FILE", alias = "auth_token_value_file", conflicts_with = "auth_token_value")]
    pub auth_token_value_file: Option<PathBuf>,

    /// The token's signature: RSA with SHA-256, base64, URI-encoded or not; a file or the variable are safer
    /// [env: AWS_IOT_AUTH_SIGNATURE].
    #[arg(long, value_name = "SIGNATURE",
          aliases = ["auth_signature", "token-signature", "token_signature",
                     "custom-auth-authorizer-signature", "custom_auth_authorizer_signature"])]
    pub auth_signature: Option<SecretString>,

    /// A file with that signature.
    #[arg(long, value_name = "FILE", alias = "auth_signature_file", conflicts_with = "auth_signature")]
    pub auth_signature_file: Option<PathBuf>,

    /// Connect over WebSocket instead of MQTT directly.
    #[arg(long)]
    pub websocket: bool,

    /// Print what would be sent, secrets hidden, and do not connect.
    #[arg(long, alias = "dry_run")]
    pub dry_run: bool,
}

const PASSWORD: Secret = Secret {
    what: "password of the custom authorizer",
    flag: "--auth-password",
    variable: "AWS_IOT_AUTH_PASSWORD",
};

const TOKEN_VALUE: Secret = Secret {
    what: "token of the custom authorizer",
    flag: "--auth-token-value",
    variable: "AWS_IOT_AUTH_TOKEN_VALUE",
};

const SIGNATURE: Secret = Secret {
    what: "token signature of the custom authorizer",
    flag: "--auth-signature",
    variable: "AWS_IOT_AUTH_SIGNATURE",
};

impl CustomAuthArgs {
    /// The way to authenticate that the flags describe.
    ///
    /// # Errors
    ///
    /// Wrong usage, such as a token without its signature, or [`iot_transport::Error::File`] for a secret that
    /// cannot be read.
    pub fn auth(&self) -> Result<Auth, ArgsError> {
        let password = PASSWORD.find(self.auth_password.as_ref(), self.auth_password_file.as_deref())?;
        let value =
            TOKEN_VALUE.find(self.auth_token_value.as_ref(), self.auth_token_value_file.as_deref())?;
        let signature = SIGNATURE.find(self.auth_signature.as_ref(), self.auth_signature_file.as_deref())?;
        let token = signed_token(self.auth_token_key_name.as_deref(), value, signature)?;
        let authorizer =
            CustomAuthorizer::new(self.authorizer_name.clone(), self.auth_username.clone(), password, token)
                .map_err(usage)?;
        let transport =
            if self.websocket { CustomAuthTransport::WebSocket } else { CustomAuthTransport::Mqtt };
        Ok(Auth::CustomAuthorizer { authorizer, transport })
    }
}

/// All three or none: an authorizer with signing is never asked about less.
fn signed_token(
    key_name: Option<&str>,
    value: Option<SecretString>,
    signature: Option<SecretString>,
) -> Result<Option<SignedToken>, clap::Error> {
    let parts = [
        ("--auth-token-key-name", key_name.is_some()),
        ("the token (--auth-token-value-file or AWS_IOT_AUTH_TOKEN_VALUE)", value.is_some()),
        ("its signature (--auth-signature-file or AWS_IOT_AUTH_SIGNATURE)", signature.is_some()),
    ];
    match (key_name, value, signature) {
        (None, None, None) => Ok(None),
        (Some(key_name), Some(value), Some(signature)) => {
            SignedToken::new(key_name, value, &signature).map(Some).map_err(usage)
        }
        _ => {
            let missing: Vec<_> = parts.iter().filter(|(_, given)| !given).map(|(part, _)| *part).collect();
            Err(usage(format!("a signed token is incomplete without {}", missing.join(" and "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use secrecy::ExposeSecret;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        custom_auth: CustomAuthArgs,
    }

    fn args(flags: &[&str]) -> CustomAuthArgs {
        let flags = [&["cli"], flags].concat();
        Cli::try_parse_from(flags).unwrap_or_else(|error| panic!("{error}")).custom_auth
    }

    fn username(flags: &[&str]) -> Result<String, String> {
        match args(flags).auth() {
            Ok(Auth::CustomAuthorizer { authorizer, .. }) => {
                Ok(authorizer.connect_username().expose_secret().to_owned())
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn each_name_of_the_official_samples_works() {
        let expected = "u?x-amz-customauthorizer-name=a&k=v&x-amz-customauthorizer-signature=abcd";
        for [name, user, password, key, value, signature] in [
            [
                "authorizer-name",
                "auth-username",
                "auth-password",
                "auth-token-key-name",
                "auth-token-value",
                "auth-signature",
            ],
            [
                "authorizer_name",
                "auth_username",
                "auth_password",
                "auth_token_key_name",
                "auth_token_key_value",
                "auth_signature",
            ],
            [
                "custom_auth_authorizer_name",
                "custom_auth_username",
                "custom_auth_password",
                "custom_auth_token_name",
                "custom_auth_token_value",
                "custom_auth_authorizer_signature",
            ],
            [
                "custom-auth-authorizer-name",
                "authorizer-username",
                "authorizer-password",
                "token-key-name",
                "token-value",
                "token-signature",
            ],
        ] {
            let flags =
                [(name, "a"), (user, "u"), (password, "p"), (key, "k"), (value, "v"), (signature, "abcd")]
                    .map(|(flag, value)| format!("--{flag}={value}"));
            let flags = flags.each_ref().map(String::as_str);
            assert_eq!(username(&flags).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_part_of_a_signed_token_is_refused_and_the_rest_named() {
        let names = ["--auth-token-key-name", "AWS_IOT_AUTH_TOKEN_VALUE", "AWS_IOT_AUTH_SIGNATURE"];
        let token = |given: [bool; 3]| {
            let [key_name, value, signature] = given;
            let secret = |given: bool, text: &str| given.then(|| text.into());
            signed_token(key_name.then_some("k"), secret(value, "v"), secret(signature, "abcd"))
        };
        assert!(token([false; 3]).is_ok_and(|token| token.is_none()));
        assert!(token([true; 3]).is_ok_and(|token| token.is_some()));
        for bits in 1..7 {
            let given = [0, 1, 2].map(|index| bits & (1 << index) != 0);
            let error = token(given).err().map(|error| error.to_string()).unwrap_or_default();
            for (name, given) in names.iter().zip(given) {
                assert_eq!(error.contains(name), !given, "{error}");
            }
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let args =
            args(&["--auth-password", "hush-1", "--auth-token-value", "hush-2", "--auth-signature", "hush"]);
        let shown = format!("{args:?}");
        assert!(!shown.contains("hush"), "{shown}");
    }
}
