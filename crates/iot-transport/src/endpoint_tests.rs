use super::*;
use testkit::property::Cases;

#[test]
fn accepts_what_names_a_host() {
    for (text, host) in [
        ("a1b2c3-ats.iot.eu-central-1.amazonaws.com", "a1b2c3-ats.iot.eu-central-1.amazonaws.com"),
        ("  Localhost\n", "localhost"),
        ("broker.example.", "broker.example"),
        ("my_broker", "my_broker"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("2001:DB8::1", "2001:db8::1"),
    ] {
        assert_eq!(Endpoint::parse(text).as_ref().map(Endpoint::host), Ok(host), "{text}");
    }
}

#[test]
fn refusals_say_what_to_write() {
    let long = "a".repeat(64);
    let longer = ["a"; 130].join(".");
    for (text, word) in [
        ("", "is empty"),
        ("   ", "is empty"),
        ("https://a.example/mqtt", "write \"a.example\""),
        ("mqtts://a.example:8883", "write \"a.example\""),
        ("wss://a.example", "not a wss:// URL"),
        ("a.example/mqtt", "holds a path: write \"a.example\""),
        ("a.example:8883", "the port 8883 on its own"),
        ("[::1]:8883", "the port 8883 on its own"),
        ("[::1", "opening bracket"),
        ("[a.example]", "not an IPv6 address"),
        ("a b", "a space"),
        ("me@a.example", "user name"),
        ("a..b", "empty part"),
        (".", "empty part"),
        (&long, "64 bytes long"),
        (&longer, "259 bytes long"),
        ("münchen.example", "xn--"),
        ("a$b", "'$'"),
        ("1.2.3", "looks like an IP address"),
        ("-a.example", "not a host name"),
        ("fe80::1%lo", "\"fe80::1%lo\" has a zone ID, which is not supported: give a name"),
        ("FE80::1%25eth0", "has a zone ID"),
        ("[fe80::1%lo]", "has a zone ID"),
        ("[fe80::1%lo]:8883", "has a zone ID"),
        ("a%lo", "'%'"),
    ] {
        let refusal = Endpoint::parse(text).expect_err(text).to_string();
        assert!(refusal.contains(word), "{text:?} gives {refusal:?}");
    }
}

#[test]
fn knows_aws_endpoints() {
    for (text, region, legacy) in [
        ("a1-ats.iot.us-east-1.amazonaws.com", Some("us-east-1"), false),
        ("a1-ats.iot.us-gov-west-1.amazonaws.com", Some("us-gov-west-1"), false),
        ("a1.ats.iot.cn-north-1.amazonaws.com.cn", Some("cn-north-1"), false),
        ("a1.iot.eu-west-2.amazonaws.com", Some("eu-west-2"), true),
        ("data.iot-fips.us-east-1.amazonaws.com", Some("us-east-1"), false),
        ("vpce-0a-1b.data.iot.us-east-1.vpce.amazonaws.com", Some("us-east-1"), false),
        ("a1-ats.iot.us-east-1.amazonaws.com.evil.example", None, false),
        ("a1-ats.iot.amazonaws.com", None, false),
        ("a1-ats.iot.useast1.amazonaws.com", None, false),
        ("sts.us-east-1.amazonaws.com", None, false),
        ("localhost", None, false),
        ("127.0.0.1", None, false),
    ] {
        let endpoint = Endpoint::parse(text).expect(text);
        assert_eq!((endpoint.region(), endpoint.is_legacy()), (region, legacy), "{text}");
    }
}

/// The AWS SDK knows the partitions, too: its endpoints of another service have the same suffixes.
#[tokio::test]
async fn the_region_is_read_in_every_partition() {
    for region in [
        "eu-west-1",
        "us-gov-west-1",
        "cn-northwest-1",
        "eusc-de-east-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eu-isoe-west-1",
        "us-isof-south-1",
    ] {
        for dual_stack in [false, true] {
            let suffix = suffix_of_sdk(region, dual_stack).await;
            for (name, is_legacy) in [
                ("a1-ats.iot", false),
                ("a1-ats.iot-fips", false),
                ("data-ats.iot-fips", false),
                ("a1.iot", ["amazonaws.com", "amazonaws.com.cn"].contains(&&*suffix)),
            ] {
                let text = format!("{name}.{region}.{suffix}");
                let endpoint = Endpoint::parse(&text).expect(&text);
                assert_eq!((endpoint.region(), endpoint.is_legacy()), (Some(region), is_legacy), "{text}");
            }
            assert!(Endpoint::parse(&format!("sts.{region}.{suffix}")).unwrap().is_aws(), "{suffix}");
            let other = Endpoint::parse(&format!("a1-ats.iot.{region}.x{suffix}")).unwrap();
            assert!(other.region().is_none() && !other.is_aws(), "{other}");
        }
    }
}

/// The part behind the region in the name of an endpoint of AWS STS.
async fn suffix_of_sdk(region: &str, dual_stack: bool) -> String {
    use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

    let params = Params::builder().region(region.to_owned()).use_dual_stack(dual_stack).build().unwrap();
    let endpoint = ResolveEndpoint::resolve_endpoint(&DefaultResolver::new(), &params).await.unwrap();
    let (_, suffix) = endpoint.url().split_once(&format!(".{region}.")).expect("the region is in the name");
    suffix.to_owned()
}

#[test]
fn a_port_may_follow_where_that_is_wanted() {
    for (text, host, port) in [
        ("a.example", "a.example", None),
        ("a.example:8443", "a.example", Some(8443)),
        ("[::1]:8443", "::1", Some(8443)),
        ("::1", "::1", None),
        ("[::1]", "::1", None),
    ] {
        let endpoint = Endpoint::parse_with_port(text).expect(text);
        assert_eq!((endpoint.host(), endpoint.port()), (host, port), "{text}");
    }
    for bad in ["", ":8443", "a.example:", "a.example:0", "a.example:65536", "https://a.example:443", "a:b:1"]
    {
        assert!(Endpoint::parse_with_port(bad).is_err(), "{bad}");
    }
    for zoned in ["[fe80::1%lo]:8443", "fe80::1%lo", "[fe80::1%lo]"] {
        let refusal = Endpoint::parse_with_port(zoned).expect_err(zoned).to_string();
        assert!(refusal.contains("has a zone ID"), "{refusal}");
    }
}

#[test]
fn prints_with_its_port() {
    let endpoint = Endpoint::parse("::1").expect("an address");
    assert_eq!(endpoint.to_string(), "[::1]");
    assert_eq!(endpoint.with_port(8883).to_string(), "[::1]:8883");
}

/// Whatever is typed: what is accepted prints to what is read as the same, and is a name that TLS can verify.
#[test]
fn property_endpoint() {
    const PIECES: &[&[u8]] = &[
        b"a",
        b"Z",
        b"0",
        b"255",
        b".",
        b"-",
        b"_",
        b":",
        b"::",
        b":8883",
        b":0",
        b"[",
        b"]",
        b"[::1]",
        b"127.0.0.1",
        b"/",
        b"://",
        b"@",
        b"?",
        b"#",
        b"%",
        b" ",
        b"\0",
        b"-ats",
        b".iot",
        b".us-east-1",
        b".vpce",
        b".amazonaws.com",
        b".cn",
        b".api.aws",
        b"fe80::1%",
        "\u{e9}".as_bytes(),
        "\u{1f980}".as_bytes(),
        "\u{130}".as_bytes(),
        "\u{2028}".as_bytes(),
        &[b'x'; 63],
    ];
    for case in Cases::new(env!("CARGO_MANIFEST_DIR"), "endpoint", 10_000, PIECES) {
        let text = String::from_utf8_lossy(&case);
        if let Ok(endpoint) = Endpoint::parse(&text) {
            let host = endpoint.host();
            assert!(host.len() <= MAX_NAME && host.bytes().all(|b| b.is_ascii_graphic()), "{text:?}");
            assert_eq!(host, host.to_ascii_lowercase());
            assert!(ServerName::try_from(host).is_ok(), "{text:?}");
            assert_eq!(endpoint.port(), None);
            assert_eq!(Endpoint::parse(&endpoint.to_string()).as_ref(), Ok(&endpoint), "{text:?}");
            assert_eq!(Endpoint::parse_with_port(&text).as_ref(), Ok(&endpoint), "{text:?}");
            if let Some(region) = endpoint.region() {
                assert!(host.contains(&format!(".{region}.")), "{text:?}: {region}");
            }
            // Only AWS's endpoints have a legacy CA.
            assert!(!endpoint.is_legacy() || endpoint.region().is_some(), "{text:?}");
        }
        if let Ok(endpoint) = Endpoint::parse_with_port(&text) {
            assert_ne!(endpoint.port(), Some(0), "{text:?}");
            assert_eq!(Endpoint::parse_with_port(&endpoint.to_string()).as_ref(), Ok(&endpoint), "{text:?}");
        }
    }
}
