use super::*;

/// Bytes whose base64 has all three characters that need encoding.
const RAW: &str = "+/+/abcd/w==";
const ENCODED_ONCE: &str = "%2B%2F%2B%2Fabcd%2Fw%3D%3D";
const ENCODED_TWICE: &str = "%252B%252F%252B%252Fabcd%252Fw%253D%253D";

fn token(key_name: &str, value: &str, signature: &str) -> Result<SignedToken, InvalidCustomAuthorizer> {
    SignedToken::new(key_name, value.into(), &signature.into())
}

fn authorizer(
    name: Option<&str>,
    username: Option<&str>,
    token: Option<SignedToken>,
) -> Result<CustomAuthorizer, InvalidCustomAuthorizer> {
    CustomAuthorizer::new(name.map(str::to_owned), username.map(str::to_owned), None, token)
}

fn username(name: Option<&str>, user: Option<&str>, token: Option<SignedToken>) -> String {
    authorizer(name, user, token).unwrap().connect_username().expose_secret().to_owned()
}

#[test]
fn the_username_is_as_the_guide_has_it() {
    let signed = || Some(token("Token", "a%26b=c", RAW).unwrap());
    for (expected, actual) in [
        ("", username(None, None, None)),
        ("alice", username(None, Some("alice"), None)),
        ("?x-amz-customauthorizer-name=mine", username(Some("mine"), None, None)),
        ("alice?x-amz-customauthorizer-name=mine", username(Some("mine"), Some("alice"), None)),
        ("a b&c?x-amz-customauthorizer-name=mine", username(Some("mine"), Some("a b&c"), None)),
        ("alice?x=1&x-amz-customauthorizer-name=mine", username(Some("mine"), Some("alice?x=1"), None)),
        (
            "alice?x-amz-customauthorizer-name=mine&Token=a%26b=c\
             &x-amz-customauthorizer-signature=%2B%2F%2B%2Fabcd%2Fw%3D%3D",
            username(Some("mine"), Some("alice"), signed()),
        ),
        (
            "?Token=a%26b=c&x-amz-customauthorizer-signature=%2B%2F%2B%2Fabcd%2Fw%3D%3D",
            username(None, None, signed()),
        ),
    ] {
        assert_eq!(actual, expected);
    }
}

#[test]
fn a_signature_is_encoded_once_whatever_its_form() {
    for (given, sent) in [
        (RAW, ENCODED_ONCE),
        (ENCODED_ONCE, ENCODED_ONCE),
        // As the official Python client encodes it, and in lower case.
        ("%2B/%2B/abcd/w%3D%3D", "%2B/%2B/abcd/w%3D%3D"),
        ("%2b%2f%2b%2fabcd%2fw%3d%3d", "%2b%2f%2b%2fabcd%2fw%3d%3d"),
        // Lines, as `openssl base64` writes them.
        ("+/+/\nabcd\r\n/w==\n", ENCODED_ONCE),
        (" +/+/ abcd /w== ", ENCODED_ONCE),
    ] {
        assert_eq!(encoded_signature(given).unwrap().expose_secret(), sent, "{given:?}");
    }
}

#[test]
fn a_signature_that_cannot_be_right_is_refused() {
    use InvalidCustomAuthorizer::*;
    for (given, error) in [
        ("", Empty("token signature")),
        (" \n", Empty("token signature")),
        ("not base64!", SignatureNotBase64),
        // Cut off, another alphabet, and not encoded but with a stray character.
        (&RAW[..11], SignatureNotBase64),
        ("-_-_abcd", SignatureNotBase64),
        ("+/+/%", SignatureNotBase64),
        ("%2B%2", SignatureNotBase64),
        ("%FF%FF", SignatureNotBase64),
        (ENCODED_TWICE, SignatureEncodedTwice),
        ("%252B/+/abcd", SignatureEncodedTwice),
        ("%2B/+/abcd/w==", SignatureEncodedInPart),
        ("%25252B%25252F%25252B%25252F", SignatureNotBase64),
    ] {
        assert_eq!(encoded_signature(given).map(|_| ()), Err(error), "{given:?}");
    }
    assert!(SignatureEncodedTwice.to_string().contains("URI-encoded twice"));
    assert!(SignatureNotBase64.to_string().contains("not base64"));
}

#[test]
fn what_would_break_the_query_is_refused() {
    for (bad, words) in [
        ("a&b", "holds &"),
        ("a?b", "holds ?"),
        ("a#b", "holds #"),
        ("a b", "holds a space"),
        ("a\n", "holds a line end"),
        ("a\tb", "holds U+0009"),
        ("a\0", "holds U+0000"),
        ("a\u{85}", "holds U+0085"),
        ("a\u{2003}", "holds U+2003"),
        ("100%", "holds a %"),
        ("%zz", "holds a %"),
        ("%4é", "holds a %"),
        ("", "is empty"),
    ] {
        for error in [
            authorizer(Some(bad), None, None).map(|_| ()),
            token(bad, "v", RAW).map(|_| ()),
            token("k", bad, RAW).map(|_| ()),
        ] {
            let message = error.unwrap_err().to_string();
            assert!(message.contains(words), "{bad:?}: {message}");
        }
    }
    assert!(token("a=b", "v", RAW).is_err());
    for reserved in [NAME, SIGNATURE] {
        assert_eq!(
            token(reserved, "v", RAW).map(|_| ()),
            Err(InvalidCustomAuthorizer::Reserved(reserved)),
            "it would be in the query twice"
        );
    }
    assert!(token("a%3Db", "v=%C3%A9,é", RAW).is_ok());
}

#[test]
fn usernames_that_say_two_things() {
    use InvalidCustomAuthorizer::*;
    let signed = || Some(token("Token", "v", RAW).unwrap());
    for (user, error) in [
        ("a\0b", ControlCharacter),
        ("a\n", ControlCharacter),
        ("a?b=c?d=e", SecondQuery),
        ("a?x-amz-customauthorizer-name=other", GivenTwice(NAME.to_owned())),
        ("a?b&Token=other", GivenTwice("Token".to_owned())),
        ("a?x-amz-customauthorizer-signature=other", GivenTwice(SIGNATURE.to_owned())),
    ] {
        assert_eq!(authorizer(Some("mine"), Some(user), signed()).map(|_| ()), Err(error), "{user:?}");
    }
    assert!(authorizer(None, Some("a?x-amz-customauthorizer-name=other"), None).is_ok());
}

#[test]
fn strings_end_where_those_of_mqtt_do() {
    let of = |length: usize| "x".repeat(length);
    assert!(authorizer(None, Some(&of(MAXIMUM)), None).is_ok());
    let query = format!("?{NAME}=n").len();
    assert!(authorizer(Some("n"), Some(&of(MAXIMUM - query)), None).is_ok());
    let error = authorizer(Some("n"), Some(&of(MAXIMUM - query + 1)), None).unwrap_err();
    assert_eq!(error, InvalidCustomAuthorizer::TooLong { what: "user name", length: MAXIMUM + 1 });
    let with_password = |length| CustomAuthorizer::new(None, None, Some(of(length).into()), None).map(|_| ());
    assert_eq!(with_password(MAXIMUM), Ok(()));
    let error = with_password(MAXIMUM + 1).unwrap_err();
    assert_eq!(error, InvalidCustomAuthorizer::TooLong { what: "password", length: MAXIMUM + 1 });
}

#[test]
fn neither_debug_nor_display_shows_a_secret() {
    let token = token("Token", "secret-value", RAW).unwrap();
    let shown = format!("{token:?}");
    assert!(shown.contains("Token") && !shown.contains("secret"), "{shown}");
    let authorizer = CustomAuthorizer::new(
        Some("mine".to_owned()),
        Some("alice?own=secret-1&secret-2".to_owned()),
        Some("secret-password".into()),
        Some(token),
    )
    .unwrap();
    assert_eq!(
        authorizer.shown_username(),
        "alice?own=…&…&x-amz-customauthorizer-name=mine&Token=…&x-amz-customauthorizer-signature=…"
    );
    let shown = format!("{authorizer:?}");
    assert!(shown.contains("mine") && !shown.contains("secret") && !shown.contains("abcd"), "{shown}");
}

#[test]
fn random_values_never_panic_and_stay_within_one_query() {
    let mut random = fastrand::Rng::with_seed(1);
    let alphabet = ['a', '=', '%', '2', 'B', '+', '/', '&', '?', ' ', '\n', 'é'];
    for _ in 0..50_000 {
        let mut text =
            || -> String { (0..random.usize(..9)).map(|_| alphabet[random.usize(..12)]).collect() };
        let (name, user, key, value, signature) = (text(), text(), text(), text(), text());
        let Ok(token) = token(&key, &value, &signature) else { continue };
        let Ok(authorizer) = authorizer(Some(&name), Some(&user), Some(token)) else { continue };
        let username = authorizer.connect_username();
        assert_eq!(username.expose_secret().matches('?').count(), 1, "{}", username.expose_secret());
    }
}
