use std::path::Path;

use secrecy::ExposeSecret;

use super::*;

fn refusal(uri: &str) -> String {
    Pkcs11Uri::parse(uri).expect_err(uri).to_string()
}

#[test]
fn takes_a_uri_apart() {
    let uri = Pkcs11Uri::parse(
        "pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=2780f0e9;token=my%20t%C3%B6ken;slot-id=7;\
         id=%01%AB%00;object=device;type=private?module-path=/usr/lib/m.so&pin-value=1%26%202&x-vendor=1&x-vendor=2",
    )
    .expect("valid");
    let expected = TokenSelector {
        label: Some("my töken".to_owned()),
        manufacturer: Some("SoftHSM project".to_owned()),
        model: Some("SoftHSM v2".to_owned()),
        serial: Some("2780f0e9".to_owned()),
        slot_id: Some(7),
    };
    assert_eq!(uri.token, expected);
    assert_eq!(uri.key.label.as_deref(), Some("device"));
    assert_eq!(uri.key.id.as_deref(), Some([1, 0xab, 0].as_slice()));
    assert_eq!(uri.module.as_deref(), Some(Path::new("/usr/lib/m.so")));
    assert!(!format!("{uri:?}").contains("1& 2"));
    assert!(matches!(uri.pin, Some(UriPin::Value(pin)) if pin.expose_secret() == "1& 2"));
}

#[test]
fn everything_may_be_left_out() {
    for uri in ["pkcs11:", "PKCS11:", "pkcs11:?", "pkcs11:x-a=b", "pkcs11:type=cert"] {
        let uri = Pkcs11Uri::parse(uri).expect("valid");
        assert_eq!((uri.token, uri.key), (TokenSelector::default(), KeySelector::default()));
        assert!(uri.module.is_none() && uri.pin.is_none());
    }
}

#[test]
fn says_what_is_wrong() {
    for (uri, words) in [
        ("", "does not begin"),
        ("pkcs11", "does not begin"),
        ("pkcs12:token=a", "does not begin"),
        ("äpkcs11:", "does not begin"),
        ("pkcs11:token", "name=value"),
        ("pkcs11:token=a;", "name=value"),
        ("pkcs11:=a", "attribute's name"),
        ("pkcs11:token=a;token=a", "token is given twice"),
        ("pkcs11:tokn=a", "tokn is no attribute"),
        ("pkcs11:slot-description=a", "not supported here"),
        ("pkcs11:module-path=/a", "behind a question mark"),
        ("pkcs11:?token=a", "token is no attribute of a pkcs11: URI, or not in this place"),
        ("pkcs11:slot-id=0x1", "not a decimal number"),
        ("pkcs11:slot-id=-1", "not a decimal number"),
        ("pkcs11:slot-id=99999999999999999999", "not a decimal number"),
        ("pkcs11:id=", "id is empty"),
        ("pkcs11:id=%0", "without two hexadecimal digits"),
        ("pkcs11:id=%+1", "without two hexadecimal digits"),
        ("pkcs11:token=%ff", "not UTF-8"),
        ("pkcs11:token=a b", "must be percent-encoded"),
        ("pkcs11:token=ä", "must be percent-encoded"),
        ("pkcs11:token=a#b", "must be percent-encoded"),
        ("pkcs11:type=public", "neither private nor cert"),
        ("pkcs11:?module-path=", "module-path is empty"),
        ("pkcs11:?pin-value=1&pin-source=/a", "exclude each other"),
        ("pkcs11:?pin-source=", "pin-source is empty"),
        ("pkcs11:?pin-source=|/bin/echo", "never run"),
        ("pkcs11:?pin-source=https://a.example/pin", "other than file:"),
        ("pkcs11:?pin-source=file://a.example/pin", "another machine"),
        ("pkcs11:?pin-source=file:pin", "absolute path"),
    ] {
        let refusal = refusal(uri);
        assert!(refusal.contains(words), "{uri} gives {refusal:?}");
    }
}

#[test]
fn a_source_of_the_pin_is_a_file() {
    for (source, path) in [
        ("/etc/pin", "/etc/pin"),
        ("file:/etc/pin", "/etc/pin"),
        ("FILE:///etc/pin%20x", "/etc/pin x"),
        ("file://localhost/etc/pin", "/etc/pin"),
        ("pin", "pin"),
        ("./a:b", "./a:b"),
    ] {
        let uri = Pkcs11Uri::parse(&format!("pkcs11:?pin-source={source}")).expect("valid");
        assert!(matches!(uri.pin, Some(UriPin::File(file)) if file == Path::new(path)), "{source}");
    }
}

#[test]
fn no_refusal_quotes_the_pin() {
    for uri in [
        "pkcs11:token=a&pin-value=8642",
        "pkcs11:token=a;pin-value=8642",
        "pkcs11:?pin-value=8642%",
        "pkcs11:?pin-value=8642 ",
        "pkcs11:?pin-value=8642&pin-value=8642",
        "pkcs11:?pin-vale=8642",
        "pkcs11:8642",
        "pkcs11:pin:8642=a",
    ] {
        let refusal = refusal(uri);
        assert!(!refusal.contains("8642"), "{uri} gives {refusal:?}");
    }
}

/// Any bytes are percent-encoded and come back; any other text is refused or taken, without a panic.
#[test]
fn whatever_is_encoded_comes_back_and_nothing_panics() {
    let mut random = fastrand::Rng::with_seed(7512);
    for _ in 0..20_000 {
        let id: Vec<u8> = (0..random.usize(1..40)).map(|_| random.u8(..)).collect();
        let label: String = (0..random.usize(0..20)).map(|_| random.char(..)).collect();
        let encode = |bytes: &[u8]| bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let text = format!("pkcs11:object={};id={}", encode(label.as_bytes()), encode(&id));
        let uri = Pkcs11Uri::parse(&text).expect("valid");
        assert_eq!((uri.key.label, uri.key.id), (Some(label), Some(id)));

        // A valid URI with a few places changed, which reaches further into the parser than noise does.
        let mut mangled: Vec<char> =
            "pkcs11:token=a%20b;id=%01;slot-id=3?module-path=/m&pin-source=file:/p".chars().collect();
        for _ in 0..random.usize(1..6) {
            let place = random.usize(..mangled.len());
            match random.u8(..3) {
                0 => drop(mangled.remove(place)),
                1 => mangled.insert(
                    place,
                    random.choice(['%', ';', '&', '=', '?', ':', '/', '|', 'ä', '\0', ' ']).unwrap_or('%'),
                ),
                _ => mangled[place] = random.char(..),
            }
        }
        let _ = Pkcs11Uri::parse(&mangled.into_iter().collect::<String>());
    }
}
