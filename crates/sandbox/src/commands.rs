//! What the binary prints when it is ready: the facts, and a command to paste for each sample.

use std::path::Path;

use sandbox::Sandbox;

/// The whole text. It holds the sandbox's credentials, which are worth nothing elsewhere and end with it.
pub(crate) fn table(sandbox: &Sandbox, contract: &Path) -> String {
    let (endpoint, device, keys) = (sandbox.endpoint(), sandbox.device(), sandbox.credentials());
    let (unsigned, signed) = (&sandbox.authorizers().unsigned, &sandbox.authorizers().signed);
    let (mqtt_port, https_port) = (sandbox.mqtt_port(), sandbox.https_port());
    let quoted = |path: &Path| quote(&path.display().to_string());
    let ca = quoted(sandbox.ca_file());
    let proxies = sandbox.proxies();
    let facts = [
        ("mutual TLS", format!("{endpoint}:{mqtt_port}")),
        ("everything else", format!("{endpoint}:{https_port}")),
        ("metadata, HTTP", sandbox.metadata().endpoint.clone()),
        ("region, account", format!("{}, {}", sandbox.region(), sandbox.account_id())),
        ("device", device.thing_name.clone()),
        ("CA", sandbox.ca_file().display().to_string()),
        ("HTTP proxy", proxies.http.clone()),
        ("  with password", proxies.http_auth.clone()),
        ("HTTPS proxy", proxies.https.clone()),
        ("SOCKS5 proxy", proxies.socks5.clone()),
        ("  with password", proxies.socks5_auth.clone()),
        ("for programs", contract.display().to_string()),
    ];
    let commands = [
        (
            "pubsub: mutual TLS",
            format!(
                "cargo run -p pubsub -- --endpoint {endpoint} --port {mqtt_port} --ca-file {ca} --cert {} --key {}",
                quoted(&device.cert_file),
                quoted(&device.key_file),
            ),
        ),
        (
            "shared_subscription: mutual TLS, two subscribers share the messages of a topic",
            format!(
                "cargo run -p shared_subscription -- --endpoint {endpoint} --port {mqtt_port} --ca-file {ca} --cert {} \
                 --key {}",
                quoted(&device.cert_file),
                quoted(&device.key_file),
            ),
        ),
        (
            "pkcs12_connect: mutual TLS, certificate and key from a PKCS#12 file",
            format!(
                "AWS_IOT_PKCS12_PASSWORD={} cargo run -p pkcs12_connect -- --endpoint {endpoint} --port {mqtt_port} \
                 --ca-file {ca} --pkcs12-file {}",
                quote(&device.pkcs12_password),
                quoted(&device.pkcs12_file),
            ),
        ),
        (
            "cognito_connect: signed WebSocket, credentials of a Cognito identity",
            format!(
                "AWS_ENDPOINT_URL_COGNITO_IDENTITY={} cargo run -p cognito_connect -- --endpoint {endpoint} \
                 --port {https_port} --ca-file {ca} --region {} --cognito-identity {}",
                quote(&sandbox.cognito().endpoint),
                sandbox.region(),
                quote(&sandbox.cognito().identity_id),
            ),
        ),
        (
            "x509_credentials_connect: signed WebSocket, credentials for a certificate",
            format!(
                "cargo run -p x509_credentials_connect -- --endpoint {endpoint} --port {https_port} --ca-file {ca} \
                 --region {} --x509-endpoint {} --x509-role-alias {} --x509-thing-name {} --x509-cert {} --x509-key {}",
                sandbox.region(),
                quote(&sandbox.credentials_provider().endpoint),
                quote(&sandbox.credentials_provider().role_alias),
                quote(&device.thing_name),
                quoted(&device.cert_file),
                quoted(&device.key_file),
            ),
        ),
        (
            "sigv4_websocket_connect: signed WebSocket, static credentials",
            format!(
                "cargo run -p sigv4_websocket_connect -- --endpoint {endpoint} --port {https_port} --ca-file {ca} \
                 --region {} --access-key {} --secret {} --session-token {}",
                sandbox.region(),
                quote(&keys.access_key_id),
                quote(&keys.secret_access_key),
                quote(&keys.session_token),
            ),
        ),
        (
            "custom_auth_connect: custom authorizer, unsigned, MQTT directly",
            format!(
                "AWS_IOT_AUTH_PASSWORD={} cargo run -p custom_auth_connect -- --endpoint {endpoint} --port {https_port} \
                 --ca-file {ca} --authorizer-name {} --auth-username {}",
                quote(&unsigned.password),
                quote(&unsigned.name),
                quote(&unsigned.username),
            ),
        ),
        (
            "custom_auth_connect: custom authorizer, signed, over WebSocket",
            format!(
                "AWS_IOT_AUTH_PASSWORD={} AWS_IOT_AUTH_TOKEN_VALUE={} AWS_IOT_AUTH_SIGNATURE={} cargo run -p \
                 custom_auth_connect -- --endpoint {endpoint} --port {https_port} --ca-file {ca} --websocket \
                 --authorizer-name {} --auth-username {} --auth-token-key-name {}",
                quote(&signed.password),
                quote(&signed.token_value),
                quote(&signed.token_signature),
                quote(&signed.name),
                quote(&signed.username),
                quote(&signed.token_key_name),
            ),
        ),
        (
            "socks5_connect: mutual TLS through a SOCKS5 proxy",
            format!(
                "cargo run -p socks5_connect -- --endpoint {endpoint} --port {mqtt_port} --ca-file {ca} --cert {} \
                 --key {} --proxy {}",
                quoted(&device.cert_file),
                quoted(&device.key_file),
                proxies.socks5,
            ),
        ),
        (
            "http_proxy_connect: mutual TLS through an HTTP proxy",
            format!(
                "cargo run -p http_proxy_connect -- --endpoint {endpoint} --port {mqtt_port} --ca-file {ca} --cert {} \
                 --key {} --proxy {}",
                quoted(&device.cert_file),
                quoted(&device.key_file),
                proxies.http,
            ),
        ),
        (
            "websocket_connect: signed WebSocket, credentials from the environment",
            format!(
                "AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={} AWS_SESSION_TOKEN={} cargo run -p websocket_connect -- \
                 --endpoint {endpoint} --port {https_port} --ca-file {ca} --signing-region {}",
                quote(&keys.access_key_id),
                quote(&keys.secret_access_key),
                quote(&keys.session_token),
                sandbox.region(),
            ),
        ),
    ];

    let mut text = String::from("A local AWS IoT Core is ready. Ctrl-C ends it.\n\n");
    for (name, value) in facts {
        text.push_str(&format!("  {name:<18}{value}\n"));
    }
    for (sample, command) in commands {
        text.push_str(&format!("\n# {sample}\n{command}\n"));
    }
    text
}

/// A word for the shell: quoted unless it needs no quotes.
fn quote(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-+=:,@".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn words_are_quoted_where_the_shell_needs_it() {
        assert_eq!(quote("/a/b-c_d.pem"), "/a/b-c_d.pem");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }
}
