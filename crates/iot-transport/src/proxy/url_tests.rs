use super::*;
use testkit::property::Cases;

/// What a parsed proxy consists of, secrets included.
fn parts(text: &str) -> (String, Option<(String, String)>) {
    let proxy = Proxy::parse(text).unwrap_or_else(|invalid| panic!("{text}: {invalid}"));
    let credentials = proxy.credentials().map(|c| (c.user().to_owned(), c.password().to_owned()));
    (proxy.to_string(), credentials)
}

#[test]
fn schemes_hosts_and_ports() {
    for (text, expected) in [
        ("socks5://a", "socks5://a:1080"),
        ("socks5h://a", "socks5h://a:1080"),
        ("http://a", "http://a:1080"),
        ("https://a", "https://a:443"),
        ("a", "http://a:1080"),
        ("a:3128", "http://a:3128"),
        ("HTTP://Proxy.Corp:3128/", "http://proxy.corp:3128"),
        ("SOCKS5H://127.0.0.1:9050", "socks5h://127.0.0.1:9050"),
        ("http://[::1]", "http://[::1]:1080"),
        ("https://[0:0::1]:8443/", "https://[::1]:8443"),
        ("http://@a:1", "http://a:1"),
        ("http://a.:1", "http://a:1"),
    ] {
        assert_eq!(parts(text), (expected.to_owned(), None), "{text}");
    }
}

#[test]
fn users_and_passwords() {
    for (text, user, password) in [
        ("http://bob:secret@a", "bob", "secret"),
        ("bob:secret@a", "bob", "secret"),
        ("http://bob@a", "bob", ""),
        ("http://:token@a", "", "token"),
        ("http://bob:a:b:c@a", "bob", "a:b:c"),
        ("socks5h://b%40b:p%40%3a%2F%25%20w@a", "b@b", "p@:/% w"),
        ("http://corp%5Cbob:%C3%A9@[::1]:1", "corp\\bob", "é"),
        ("socks5://bob:%00%0a@a", "bob", "\0\n"),
        ("http://bob:\"a'b\"@a", "bob", "\"a'b\""),
    ] {
        let found = parts(text).1;
        assert_eq!(found, Some((user.to_owned(), password.to_owned())), "{text}");
    }
    let long = "x".repeat(255);
    assert!(Proxy::parse(&format!("socks5://{long}:{long}@a")).is_ok());
}

#[test]
fn what_is_wrong_is_said_and_the_password_is_not() {
    let long = "x".repeat(256);
    for (text, words) in [
        ("", "is empty"),
        (" ", "holds a space"),
        ("http://bob:hunter2 @a", "written %20"),
        ("http://bob:hunter2\n@a", "control character"),
        ("http://bob:hunter2\r@a", "control character"),
        ("http://bob:hunter2@a\r", "ends in a carriage return"),
        ("\"http://bob:hunter2@a:1\"", "quotes around it"),
        ("'http://bob:hunter2@a:1'", "quotes around it"),
        ("http://bob:hunter2@a:1\"", "quotes around it"),
        ("\u{201c}http://bob:hunter2@a:1\u{201d}", "quotes around it"),
        ("http://", "names no host"),
        ("http:///", "names no host"),
        ("//a:1", "names no host"),
        ("http://bob:hunter2@", "names no host"),
        ("http://bob:hunter2@:1", "names no host"),
        ("ftp://bob:hunter2@a", "the scheme ftp:// is not one of"),
        ("socks4a://a", "write socks5h://"),
        ("socks://a", "write socks5h://"),
        ("bob:hunter2://x@a", "must begin with"),
        ("hunter2hunter2hunter2://a", "must begin with"),
        ("://a", "must begin with"),
        ("http://bob:hunter2", "not a port"),
        ("http://bob:hunter2:1", "more than one colon"),
        ("http://a:", "not a port"),
        ("http://a:0", "not a port"),
        ("http://a:+1", "not a port"),
        ("http://a:65536", "not a port"),
        ("http://a/path", "no path"),
        ("http://a?hunter2", "no path"),
        ("http://bob:hun/ter2@a", "written %2F"),
        ("http://bob:hun#ter2@a", "%23"),
        ("http://bob:hun@ter2@a", "written %40"),
        ("http://bob:hunter%2@a", "written %25"),
        ("http://bob:hunter%zz@a", "written %25"),
        ("http://bob%:hunter2@a", "written %25"),
        ("http://bob:hunter2%ff@a", "not UTF-8"),
        ("http://bob%3Ax:hunter2@a", "cannot be told"),
        ("http://bob:hunter2%0d%0a@a", "no control character"),
        ("socks5://:hunter2@a", "needs a user name"),
        ("http://::1:1080", "in brackets"),
        ("http://[::1", "not closed"),
        ("http://[::1]x", "may follow the bracket"),
        ("http://[::1]:", "not a port"),
        ("http://[a]", "not an IPv6 address"),
        ("http://[127.0.0.1]", "not an IPv6 address"),
        ("http://[fe80::1%25eth0]", "an IPv6 address with a zone ID is not supported"),
        ("http://[fe80::1%eth0]:1080", "an IPv6 address with a zone ID is not supported"),
        ("http://1.2.3", "neither a host name nor"),
        ("http://a..b", "neither a host name nor"),
        ("http://bob:hunter2@hunter2!", "neither a host name nor"),
        ("http://bücher", "neither a host name nor"),
        (&format!("socks5h://bob:{long}@a"), "at most 255 bytes"),
        (&format!("socks5h://{long}@a"), "at most 255 bytes"),
    ] {
        let invalid = Proxy::parse(text).expect_err(text);
        for shown in [invalid.to_string(), format!("{invalid:?}")] {
            assert!(shown.contains(words), "{text}: {shown}");
            assert!(!shown.contains("hun") && !shown.contains(&long[..20]), "{text}: {shown}");
        }
    }
}

#[test]
fn debug_and_display_hide_who_logs_in() {
    let proxy = Proxy::parse("http://bob:hunter2@a").expect("a proxy");
    assert_eq!(format!("{proxy} {proxy:?}"), "http://a:1080 Proxy(http://a:1080, with credentials)");
}

/// One way to write what was parsed, to be parsed again.
fn written(proxy: &Proxy) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let user_info = proxy
        .credentials()
        .map_or_else(String::new, |c| format!("{}:{}@", encode(c.user()), encode(c.password())));
    format!("{}://{user_info}{}", proxy.scheme, proxy.authority())
}

/// Whatever is typed: what is accepted can be written and is read as the same; what is not does not show the password.
#[test]
fn property_proxy_url() {
    const PIECES: &[&[u8]] = &[
        b"socks5://",
        b"socks5h://",
        b"http://",
        b"https://",
        b"://",
        b"@",
        b":",
        b":hunter2@",
        b"/",
        b"?",
        b"#",
        b"%",
        b"%4",
        b"%40",
        b"%ff",
        b"[",
        b"]",
        b"::1",
        b"[::1]",
        b"127.0.0.1",
        b"a",
        b"a.b",
        b".",
        b"-",
        b"_",
        b"0",
        b"65535",
        b"65536",
        b" ",
        b"\0",
        "é".as_bytes(),
        "\u{202e}".as_bytes(),
        &[b'x'; 128],
    ];
    for case in Cases::new(env!("CARGO_MANIFEST_DIR"), "proxy_url", 10_000, PIECES) {
        let text = String::from_utf8_lossy(&case);
        match Proxy::parse(&text) {
            Ok(proxy) => {
                assert_ne!(proxy.port(), 0, "{text:?}");
                assert!(!proxy.host().is_empty(), "{text:?}");
                let again =
                    Proxy::parse(&written(&proxy)).unwrap_or_else(|error| panic!("{text:?}: {error}"));
                assert_eq!(written(&proxy), written(&again), "{text:?}");
                // What is shown holds nothing of the login.
                let shown = Proxy::parse(&proxy.to_string()).expect("a proxy");
                assert_eq!((shown.host(), shown.port()), (proxy.host(), proxy.port()), "{text:?}");
                assert!(!shown.has_credentials(), "{text:?}");
            }
            Err(error) if text.contains(":hunter2") => {
                assert!(!error.to_string().contains("hunter2"), "{text:?}: {error}");
            }
            Err(_) => {}
        }
    }
}
