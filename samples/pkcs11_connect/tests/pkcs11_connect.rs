//! The sample against a sandbox, with tokens of SoftHSM2.

use std::fs;
use std::path::Path;

use sandbox::{Principal, Sandbox, TlsVersions};
use testkit::{KeyKind, Sample, SoftHsm, policy, readme};

const BINARY: &str = env!("CARGO_BIN_EXE_pkcs11_connect");

fn sample(sandbox: &Sandbox, hsm: &SoftHsm) -> Sample {
    Sample::new(BINARY).mqtt(sandbox).softhsm(hsm)
}

fn with_pin(sandbox: &Sandbox, hsm: &SoftHsm) -> Sample {
    sample(sandbox, hsm).env("AWS_IOT_PIN", SoftHsm::PIN)
}

#[test]
fn each_kind_of_key_works_with_each_version_of_tls() {
    for versions in [TlsVersions::Only12, TlsVersions::Only13] {
        let sandbox = Sandbox::builder().tls_versions(versions).start().unwrap();
        for kind in [KeyKind::Rsa2048, KeyKind::P256, KeyKind::P384, KeyKind::P521] {
            let hsm = SoftHsm::with_device(&sandbox, kind);
            let sample = with_pin(&sandbox, &hsm).args(["--client-id", "test-1"]);
            let outcome = sample.run().succeeded();
            let expected =
                format!("Connected to localhost:{} as test-1\nDisconnected\n", sandbox.mqtt_port());
            assert_eq!(outcome.stdout, expected, "{kind:?} {versions:?}");
            assert_eq!(outcome.stderr, "", "{kind:?} {versions:?}");
        }
    }
}

#[test]
fn token_and_key_are_found_by_flags_and_by_uri() {
    let sandbox = Sandbox::start().unwrap();
    let hsm = SoftHsm::with_device(&sandbox, KeyKind::P256);
    // A second key, a second token, and a certificate in a file.
    let certificate = hsm.add_device(&sandbox, KeyKind::P256, "second", "02ab");
    hsm.init_token("spare");
    let slot = &slot_of(&hsm, "device");
    let cert = certificate.display().to_string();
    let pin_file = hsm.file("pin", &format!("{}\n", SoftHsm::PIN)).display().to_string();
    let by_uri = |rest: &str| ["--pkcs11-uri".to_owned(), format!("pkcs11:token=device;{rest}")];
    let pin_in_uri = format!("object=device?pin-value={}", SoftHsm::PIN);
    let source_in_uri = format!("id=%01?pin-source=file:{pin_file}");
    for flags in [
        [&["--token-label", "device", "--key-label", "device", "--pin-file", &pin_file][..], &[]].concat(),
        vec!["--slot-id", slot, "--key-id", "02:AB", "--cert", &cert, "--pin", SoftHsm::PIN],
        vec!["--token_label", "device", "--key_label", "second", "--cert", &cert, "--pin", SoftHsm::PIN],
        by_uri(&pin_in_uri).each_ref().map(String::as_str).to_vec(),
        by_uri(&source_in_uri).each_ref().map(String::as_str).to_vec(),
    ] {
        let outcome = sample(&sandbox, &hsm).args(&flags).run().succeeded();
        assert_eq!(outcome.stderr, "", "{flags:?}");
    }
    // The library, too.
    let uri = format!("pkcs11:token=device;object=device?module-path={}", SoftHsm::library());
    let sample = Sample::new(BINARY).mqtt(&sandbox).env("SOFTHSM2_CONF", hsm.config());
    sample.args(["--pkcs11-uri", &uri, "--pin", SoftHsm::PIN]).run().succeeded();
    let sample = Sample::new(BINARY).mqtt(&sandbox).env("SOFTHSM2_CONF", hsm.config());
    let sample = sample.env("AWS_IOT_PKCS11_LIB", SoftHsm::library()).env("AWS_IOT_PIN", SoftHsm::PIN);
    sample.args(["--token-label", "device", "--key-label", "device"]).run().succeeded();
}

fn slot_of(hsm: &SoftHsm, token: &str) -> String {
    let (slots, mut slot) = (hsm.show_slots(), "");
    for line in slots.lines() {
        match line.strip_prefix("Slot ") {
            Some(id) => slot = id,
            None if line.trim().strip_prefix("Label:").is_some_and(|label| label.trim() == token) => break,
            None => {}
        }
    }
    slot.to_owned()
}

#[test]
fn a_wrong_pin_is_one_attempt() {
    let sandbox = Sandbox::start().unwrap();
    let hsm = SoftHsm::with_device(&sandbox, KeyKind::P256);
    assert!(!hsm.pkcs11_tool("device", &["--list-slots"]).stdout.contains("count low"));
    // Nor is an empty one tried.
    let nothing = hsm.file("nothing", "").display().to_string();
    for flags in [["--pin", ""], ["--pin-file", &nothing]] {
        sample(&sandbox, &hsm).args(flags).run().failed(1, &["PIN", "empty"]);
    }
    assert!(!hsm.pkcs11_tool("device", &["--list-slots"]).stdout.contains("count low"));
    // OpenSC's spy writes down each call.
    let log = hsm.file("spy.log", "");
    let spied = Sample::new(BINARY)
        .mqtt(&sandbox)
        .env("SOFTHSM2_CONF", hsm.config())
        .env("PKCS11SPY", SoftHsm::library())
        .env("PKCS11SPY_OUTPUT", &log)
        .args(["--pkcs11-lib".into(), SoftHsm::spy(), "--pin".into(), "8642".into()]);
    let outcome = spied.run();
    outcome.failed(1, &["\"device\"", "refused the PIN", "CKR_PIN_INCORRECT", "hint:", "one attempt"]);
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("C_Login\n").count(), 1, "{log}");
    assert!(sandbox.connections().is_empty());

    let shown = Sample::new(BINARY).softhsm(&hsm).args(["--list"]).run().succeeded();
    assert!(shown.stdout.contains("PIN count low"), "{}", shown.stdout);
    // The right one still works, with a word of warning.
    let outcome = with_pin(&sandbox, &hsm).run().succeeded();
    assert!(outcome.stderr.contains("wrong PIN since"), "{}", outcome.stderr);
}

#[test]
fn on_a_terminal_the_pin_is_asked_for() {
    let sandbox = Sandbox::start().unwrap();
    let hsm = SoftHsm::with_device(&sandbox, KeyKind::P256);
    let prompt = "PIN of the PKCS#11 token: ";
    let untried = ["the PIN of the PKCS#11 token is empty: it was not tried"];
    sample(&sandbox, &hsm).answer(prompt, "").failed(1, &untried);
    sample(&sandbox, &hsm).args(["--pin", ""]).run().failed(1, &untried);
    sample(&sandbox, &hsm).answer(prompt, "\u{3}").failed(1, &["Error: interrupted\n"]);
    // Without a warning that a PIN was wrong before.
    let outcome = sample(&sandbox, &hsm).answer(prompt, SoftHsm::PIN).succeeded();
    assert_eq!(outcome.stderr, "");
}

#[test]
fn without_a_pin_the_key_is_invisible() {
    let sandbox = Sandbox::start().unwrap();
    let hsm = SoftHsm::with_device(&sandbox, KeyKind::P256);
    let outcome = sample(&sandbox, &hsm).run();
    outcome.failed(
        1,
        &["no private key on the token \"device\"", "hint: PIN needed?", "--pin-file", "AWS_IOT_PIN"],
    );
}

#[test]
fn tokens_that_are_not_there_and_tokens_that_are_twice() {
    let sandbox = Sandbox::start().unwrap();
    let empty = SoftHsm::new();
    with_pin(&sandbox, &empty).run().failed(1, &["no initialized token", "SOFTHSM2_CONF"]);

    let hsm = SoftHsm::with_device(&sandbox, KeyKind::P256);
    let other = ["--token-label", "nobody"];
    with_pin(&sandbox, &hsm)
        .args(other)
        .run()
        .failed(1, &["no token with label \"nobody\"", "\"device\"", "--list"]);
    with_pin(&sandbox, &hsm).args(["--slot-id", "99"]).run().failed(1, &["in slot 99", "\"device\""]);

    hsm.init_token("device");
    let twins = with_pin(&sandbox, &hsm).args(["--token-label", "device"]).run();
    twins.failed(1, &["2 tokens fit", "serial number", "--slot-id"]);
    let serial = serial_numbers(&hsm).into_iter().find(|serial| {
        let uri = format!("pkcs11:serial={serial}");
        with_pin(&sandbox, &hsm).args(["--pkcs11-uri", &uri]).run().code == Some(0)
    });
    assert!(serial.is_some(), "one of the two has the key");
}

fn serial_numbers(hsm: &SoftHsm) -> Vec<String> {
    let slots = hsm.show_slots();
    let lines = slots.lines().filter_map(|line| line.trim().strip_prefix("Serial number:"));
    lines.map(|serial| serial.trim().to_owned()).filter(|serial| !serial.is_empty()).collect()
}

#[test]
fn keys_that_are_not_there_and_keys_that_are_twice() {
    let sandbox = Sandbox::start().unwrap();
    let hsm = SoftHsm::with_device(&sandbox, KeyKind::P256);
    let other = ["--key-label", "nobody"];
    with_pin(&sandbox, &hsm)
        .args(other)
        .run()
        .failed(1, &["no private key with label \"nobody\"", "\"device\" (ID 01)"]);
    hsm.add_device(&sandbox, KeyKind::P384, "second", "02");
    with_pin(&sandbox, &hsm).run().failed(
        1,
        &["2 private keys", "\"device\" (ID 01)", "\"second\" (ID 02)", "--key-label", "--key-id"],
    );
    let always =
        ["--keypairgen", "--key-type", "EC:prime256v1", "--id", "03", "--label", "each", "--always-auth"];
    hsm.pkcs11_tool("device", &always).succeeded();
    with_pin(&sandbox, &hsm)
        .args(["--key-label", "each"])
        .run()
        .failed(1, &["\"each\" (ID 03)", "for each signature", "CKA_ALWAYS_AUTHENTICATE"]);
}

#[test]
fn certificates_that_are_missing_or_of_another_key() {
    let sandbox = Sandbox::start().unwrap();
    for (kind, other) in [
        (KeyKind::P256, KeyKind::P256),
        (KeyKind::P256, KeyKind::P384),
        (KeyKind::P384, KeyKind::P256),
        (KeyKind::P256, KeyKind::Rsa2048),
        (KeyKind::Rsa2048, KeyKind::P256),
        (KeyKind::Rsa2048, KeyKind::Rsa2048),
    ] {
        let hsm = SoftHsm::new();
        hsm.init_token("device");
        let own = hsm.add_device(&sandbox, kind, "mine", "01");
        let others = hsm.add_device(&sandbox, other, "other", "02");
        let run = |flags: &[&str]| with_pin(&sandbox, &hsm).args(["--key-label", "mine"]).args(flags).run();
        run(&[]).failed(1, &["no certificate for the private key \"mine\" (ID 01)", "hint:", "--cert"]);
        let file = others.display().to_string();
        run(&["--cert", &file]).failed(1, &["\"mine\" (ID 01)", "does not belong to", &file, "hint:"]);
        hsm.store_certificate("device", &others, "wrong", "01");
        run(&[]).failed(1, &["\"mine\" (ID 01)", "another key's", "hint:"]);
        // The one that fits is taken, wherever it is.
        run(&["--cert", &own.display().to_string()]).succeeded();
        hsm.store_certificate("device", &own, "right", "01");
        run(&[]).succeeded();
        assert!(sandbox.connections().iter().all(|connection| connection.clean_disconnect));
    }
    let hsm = SoftHsm::with_device(&sandbox, KeyKind::P256);
    let run = |file: &str| with_pin(&sandbox, &hsm).args(["--cert", file]).run();
    run("missing.pem").failed(1, &["cannot read the client certificate missing.pem"]);
    run("/dev/null").failed(1, &["/dev/null", "empty"]);
}

#[test]
fn libraries_that_cannot_be_used() {
    let sandbox = Sandbox::start().unwrap();
    let hsm = SoftHsm::new();
    let unconfigured = sample(&sandbox, &hsm).env("SOFTHSM2_CONF", "/nowhere/softhsm2.conf").run();
    unconfigured.failed(1, &["does not start", "C_Initialize", "hint:", "SOFTHSM2_CONF"]);
    let text = hsm.file("text.so", "not a library").display().to_string();
    let run = |library: &str| Sample::new(BINARY).mqtt(&sandbox).args(["--pkcs11-lib", library]).run();
    run("/nowhere/lib.so")
        .failed(1, &["cannot load the PKCS#11 library /nowhere/lib.so", "No such file", "hint:"]);
    run(&text).failed(1, &["cannot load", "text.so", "hint:"]);
    run("libc.so.6").failed(1, &["libc.so.6", "C_GetFunctionList", "not one for PKCS#11"]);
    Sample::new(BINARY).mqtt(&sandbox).run().failed(2, &["--pkcs11-lib", "AWS_IOT_PKCS11_LIB"]);
}

#[test]
fn without_pss_an_rsa_key_is_for_tls_1_2_only() {
    let old = Sandbox::builder().tls_versions(TlsVersions::Only12).start().unwrap();
    let new = Sandbox::builder().tls_versions(TlsVersions::Only13).start().unwrap();
    for (sandbox, works) in [(&old, true), (&new, false)] {
        let hsm = SoftHsm::with_settings("slots.mechanisms = CKM_RSA_PKCS\n");
        hsm.make_device(sandbox, KeyKind::Rsa2048);
        let outcome = with_pin(sandbox, &hsm).run();
        if works {
            outcome.succeeded();
        } else {
            outcome.failed(1, &["RSA_PSS", "hint:", "TLS 1.3", "CKM_RSA_PKCS_PSS"]);
        }
    }
}

#[test]
fn lists_what_there_is() {
    let sandbox = Sandbox::start().unwrap();
    let hsm = SoftHsm::with_device(&sandbox, KeyKind::P256);
    let list = |sample: Sample| sample.softhsm(&hsm).args(["--list"]).run().succeeded();
    let public = list(Sample::new(BINARY)).stdout;
    for words in ["SLOT", "\"device\"", "SoftHSM v2", "login required", "certificate", "CN=device", "hidden"]
    {
        assert!(public.contains(words), "no {words:?} in {public}");
    }
    assert!(!public.contains("private key "), "{public}");
    let private = list(Sample::new(BINARY).env("AWS_IOT_PIN", SoftHsm::PIN));
    assert!(private.stdout.contains("private key  \"device\"  01  EC\n"), "{}", private.stdout);
    assert!(!private.stdout.contains("hidden"), "{}", private.stdout);
    assert_eq!(private.stderr, "");
    let again = list(Sample::new(BINARY).env("AWS_IOT_PIN", SoftHsm::PIN));
    assert_eq!(again.stdout, private.stdout, "stable");

    // Not shown to more than one token.
    hsm.init_token("device");
    let unsure = list(Sample::new(BINARY).env("AWS_IOT_PIN", SoftHsm::PIN));
    assert!(unsure.stderr.contains("2 fit"), "{}", unsure.stderr);
    assert!(!unsure.stdout.contains("private key "), "{}", unsure.stdout);
}

#[test]
fn flags_that_contradict_each_other_exit_with_2() {
    let sandbox = Sandbox::start().unwrap();
    let hsm = SoftHsm::new();
    let run = |flags: &[&str]| sample(&sandbox, &hsm).args(flags).run();
    let uri = ["--pkcs11-uri", "pkcs11:token=a?pin-value=8642"];
    run(&[&uri[..], &["--token-label", "b"]].concat())
        .failed(2, &["--token-label b", "--pkcs11-uri", "is a"]);
    run(&[&uri[..], &["--pin", "1"]].concat()).failed(2, &["the PIN is given twice"]);
    run(&["--pin", "1", "--pin-file", "x"]).failed(2, &["--pin", "--pin-file"]);
    run(&["--pkcs11-uri", "pkcs11:tokn=a"]).failed(2, &["--pkcs11-uri", "tokn"]);
    run(&["--list"]).failed(2, &["--list", "--endpoint"]);
    run(&["--slot-id", "one"]).failed(2, &["--slot-id"]);
    Sample::new(BINARY).softhsm(&hsm).run().failed(2, &["--endpoint"]);
}

#[test]
fn no_pin_reaches_a_log() {
    let sandbox = Sandbox::start().unwrap();
    let hsm = SoftHsm::with_device(&sandbox, KeyKind::P256);
    for (pin, code) in [(SoftHsm::PIN, 0), ("wrong-pin-1357", 1)] {
        let uri = format!("pkcs11:?pin-value={pin}");
        for flags in [["--pin", pin], ["--pkcs11-uri", &uri]] {
            let outcome = sample(&sandbox, &hsm).args(flags).env("RUST_LOG", "trace").run();
            assert_eq!(outcome.code, Some(code), "{outcome:#?}");
            assert!(code != 0 || outcome.stderr.contains("DEBUG"), "there are logs");
            assert!(!(outcome.stdout + &outcome.stderr).contains(pin));
        }
    }
}

#[test]
fn the_policy_is_sufficient_and_minimal() {
    let sandbox = Sandbox::start().unwrap();
    let hsm = SoftHsm::with_device(&sandbox, KeyKind::P256);
    policy::is_sufficient_and_minimal(&sandbox, Principal::Device, "pkcs11_connect", || {
        with_pin(&sandbox, &hsm).run()
    });
}

#[test]
fn the_readme_works() {
    let sandbox = Sandbox::start().unwrap();
    readme::commands_work(Path::new(env!("CARGO_MANIFEST_DIR")), "pkcs11_connect", BINARY, &sandbox);
}
