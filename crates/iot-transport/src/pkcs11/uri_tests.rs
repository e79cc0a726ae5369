use std::path::Path;

use secrecy::ExposeSecret;

use super::*;
use testkit::property::Cases;

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

/// One way to write what was taken apart.
fn written(uri: &Pkcs11Uri) -> String {
    let encode = |text: &[u8]| text.iter().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let slot_id = uri.token.slot_id.map(|id| id.to_string());
    let path = [
        ("token", uri.token.label.as_deref().map(str::as_bytes)),
        ("manufacturer", uri.token.manufacturer.as_deref().map(str::as_bytes)),
        ("model", uri.token.model.as_deref().map(str::as_bytes)),
        ("serial", uri.token.serial.as_deref().map(str::as_bytes)),
        ("slot-id", slot_id.as_deref().map(str::as_bytes)),
        ("object", uri.key.label.as_deref().map(str::as_bytes)),
        ("id", uri.key.id.as_deref()),
    ];
    let path_bytes = |path: &Path| path.to_str().expect("UTF-8").as_bytes().to_vec();
    let pin = match &uri.pin {
        None => None,
        Some(UriPin::Value(pin)) => Some(("pin-value", pin.expose_secret().as_bytes().to_vec())),
        Some(UriPin::File(file)) => Some(("pin-source", path_bytes(file))),
    };
    let module = uri.module.as_deref().map(|module| ("module-path", path_bytes(module)));
    let path = path.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encode(value?))));
    let query = module.into_iter().chain(pin).map(|(name, value)| format!("{name}={}", encode(&value)));
    format!("pkcs11:{}?{}", path.collect::<Vec<_>>().join(";"), query.collect::<Vec<_>>().join("&"))
}

/// Any bytes come back from how they are encoded. Whatever else is given: what is accepted can be written and is taken
/// apart to the same, and no refusal shows the PIN.
#[test]
fn property_pkcs11_uri() {
    const PIECES: &[&[u8]] = &[
        b"%",
        b"%20",
        b"%ff",
        b"%00",
        b"%2",
        b";",
        b"&",
        b"=",
        b"?",
        b":",
        b"/",
        b"|",
        b"#",
        b" ",
        b"\0",
        "\u{e4}".as_bytes(),
        b"pkcs11:",
        b";token=a",
        b";id=%01",
        b";slot-id=4294967296",
        b";type=private",
        b";x-a=b",
        b"?module-path=/m",
        b"&pin-value=8642",
        b"&pin-source=file:/p",
        b"file://localhost",
        b";model=",
        b";serial=",
        b";manufacturer=",
        b";object=",
    ];
    for case in Cases::new(env!("CARGO_MANIFEST_DIR"), "pkcs11_uri", 10_000, PIECES) {
        let text = String::from_utf8_lossy(&case);
        match Pkcs11Uri::parse(&text) {
            Ok(uri) => {
                let again =
                    Pkcs11Uri::parse(&written(&uri)).unwrap_or_else(|error| panic!("{text:?}: {error}"));
                assert_eq!((&uri.token, &uri.key), (&again.token, &again.key), "{text:?}");
                assert_eq!(written(&uri), written(&again), "{text:?}");
                assert!(uri.key.id.is_none_or(|id| !id.is_empty()), "{text:?}");
            }
            Err(error) if text.contains("pin-value=8642") && text.matches("8642").count() == 1 => {
                assert!(!error.to_string().contains("8642"), "{text:?}: {error}");
            }
            Err(_) => {}
        }
        if !case.is_empty() {
            let encoded: String = case.iter().map(|byte| format!("%{byte:02X}")).collect();
            let uri = Pkcs11Uri::parse(&format!("pkcs11:id={encoded}")).expect("valid");
            assert_eq!(uri.key.id, Some(case));
        }
    }
}
