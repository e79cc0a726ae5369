//! Custom authorizers: who is let in and who is not.

use sandbox::{Authorizer, Principal, Sandbox, Transport};
use serde_json::json;

use crate::support::authorizer::{
    BOTH, By, POLICY, TOKEN, Visitor, authorizer, encoded, query, signature, signed_values,
    signing_authorizer, user,
};
use crate::support::mqtt::Publish;
use crate::support::{policy, start};

fn invocations(sandbox: &Sandbox) -> usize {
    sandbox.authorizer_calls().len()
}

#[test]
fn both_authorizers_let_clients_in_by_either_way() {
    let sandbox = start();
    let examples = sandbox.authorizers();
    for by in BOTH {
        for level in [4, 5] {
            let mut client = Visitor::unsigned(by, level, &examples.unsigned).connected(&sandbox);
            assert_eq!(client.subscribe(&["a"]), [1]);
            client.publish(&Publish::new("a", 0));
            assert_eq!(client.message().0, "a");
            Visitor::signed(by, level, &examples.signed).connected(&sandbox).ping();
        }
    }
    let connections = sandbox.connections();
    assert_eq!(connections.len(), 8);
    assert!(connections.iter().all(|connection| connection.principal == Principal::Authorizer));
    let (tls, websocket) = (&connections[0], &connections[4]);
    assert_eq!((tls.transport, tls.alpn.as_deref()), (Transport::Tls, Some("mqtt")));
    assert_eq!((tls.connack, tls.protocol_level, &tls.amz_date), (Some(0), Some(4), &None));
    assert_eq!((websocket.transport, websocket.alpn.as_deref()), (Transport::WebSocket, None));
}

#[test]
fn values_are_taken_from_three_places() {
    let sandbox = start();
    let signed = &sandbox.authorizers().signed;
    let values = signed_values(signed);
    let [name, token, signature] = &values;
    let bare = Visitor {
        username: Some(signed.username.clone()),
        password: Some(signed.password.clone()),
        ..Visitor::new(By::WebSocket, 5)
    };
    let by_query = Visitor { query: format!("?{}", query(&values)), ..bare.clone() };
    // Headers are taken as they are.
    let by_headers = Visitor { headers: values.to_vec(), ..bare.clone() };
    let scattered = Visitor {
        username: Some(format!("{}?{}", signed.username, query(std::slice::from_ref(token)))),
        query: format!("?{}", query(std::slice::from_ref(signature))),
        headers: vec![name.clone()],
        ..bare.clone()
    };
    for visitor in [by_query, by_headers, scattered] {
        visitor.connected(&sandbox).ping();
    }
    let calls = sandbox.authorizer_calls();
    assert_eq!(calls.len(), 3);
    for call in &calls {
        assert_eq!((&call.input["token"], &call.input["signatureVerified"]), (&json!(token.1), &json!(true)));
    }
    bare.refused(&sandbox);
}

#[test]
fn a_client_that_names_no_authorizer_is_refused() {
    let sandbox = start();
    let unsigned = &sandbox.authorizers().unsigned;
    for by in BOTH {
        for level in [4, 5] {
            Visitor::new(by, level).refused(&sandbox);
            Visitor {
                username: Some(unsigned.username.clone()),
                password: Some(unsigned.password.clone()),
                ..Visitor::new(by, level)
            }
            .refused(&sandbox);
        }
    }
    assert_eq!(invocations(&sandbox), 0);
    let codes: Vec<_> = sandbox.connections().iter().map(|connection| connection.connack).collect();
    assert_eq!(codes, [Some(5), Some(5), Some(0x87), Some(0x87), Some(5), Some(5), Some(0x87), Some(0x87)]);
}

#[test]
fn what_is_refused_before_the_function_is_invoked() {
    let sandbox = start();
    sandbox.set_authorizer(signing_authorizer("signing")).unwrap();
    sandbox.set_authorizer(Authorizer { active: false, ..authorizer("inactive") }).unwrap();
    let (token, right) = (encoded(TOKEN), encoded(signature()));
    let with = |token: &str, signature: &str| {
        format!(
            "x-amz-customauthorizer-name=signing&Token={token}&x-amz-customauthorizer-signature={signature}"
        )
    };
    let queries = [
        ("unknown authorizer", "x-amz-customauthorizer-name=nobody".to_owned()),
        ("no case folding", "x-amz-customauthorizer-name=Signing".to_owned()),
        ("no name", "x-amz-customauthorizer-name=".to_owned()),
        ("a name that is not UTF-8", "x-amz-customauthorizer-name=%FF".to_owned()),
        ("a second question mark", format!("a=b?{}", with(&token, &right))),
        ("inactive", "x-amz-customauthorizer-name=inactive".to_owned()),
        ("nothing but the name", "x-amz-customauthorizer-name=signing".to_owned()),
        ("no token", with(&token, &right).replace("Token=", "other=")),
        ("no signature", with(&token, &right).replace("-signature=", "-other=")),
        ("an empty signature", with(&token, "")),
        ("a raw signature: its + is a space", with(&token, signature())),
        ("a signature encoded twice", with(&token, &encoded(&right))),
        ("a signature of another token", with("another", &right)),
        ("a token that is not encoded", with(TOKEN, &right)),
        ("a cut signature", with(&token, &encoded(&signature()[..340]))),
        ("no Base64", with(&token, "!")),
    ];
    for by in BOTH {
        for level in [4, 5] {
            for (_, query) in &queries {
                user(by, level, query).refused(&sandbox);
            }
        }
    }
    let websocket = |query: String, headers: Vec<(String, String)>| Visitor {
        query,
        headers,
        ..user(By::WebSocket, 5, "")
    };
    for (_, query) in &queries {
        websocket(format!("?{}", query.replace(' ', "%20").replacen('?', "%3F", 1)), Vec::new())
            .refused(&sandbox);
    }
    let headers = |token: &str, signature: &str| {
        [
            ("x-amz-customauthorizer-name", "signing"),
            ("token", token),
            ("x-amz-customauthorizer-signature", signature),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    };
    for (token, signature) in [(TOKEN, right.as_str()), (token.as_str(), signature()), (TOKEN, "")] {
        websocket(String::new(), headers(token, signature)).refused(&sandbox);
    }
    assert_eq!(invocations(&sandbox), 0);

    user(By::Tls, 5, &with(&token, &right)).connected(&sandbox);
    websocket(String::new(), headers(TOKEN, signature())).connected(&sandbox);
    assert_eq!(invocations(&sandbox), 2);
}

#[test]
fn the_function_refuses_those_it_does_not_know() {
    let sandbox = start();
    let (unsigned, signed) = (&sandbox.authorizers().unsigned, &sandbox.authorizers().signed);
    let mut count = 0;
    for by in BOTH {
        for level in [4, 5] {
            for right in [Visitor::unsigned(by, level, unsigned), Visitor::signed(by, level, signed)] {
                let username = right.username.clone().map(|username| format!("other-{username}"));
                let wrong_user = Visitor { username, ..right.clone() };
                let wrong_password = Visitor { password: Some("wrong".to_owned()), ..right.clone() };
                for wrong in [wrong_user, wrong_password, Visitor { password: None, ..right }] {
                    wrong.refused(&sandbox);
                    count += 1;
                }
            }
        }
    }
    let calls = sandbox.authorizer_calls();
    assert_eq!(calls.len(), count);
    assert!(calls.iter().all(|call| call.output == json!({ "isAuthenticated": false })));
}

#[test]
fn the_policies_are_those_of_the_answer() {
    let sandbox = start();
    // The documents of others are of no use.
    sandbox.set_policies(Principal::Device, &[POLICY.to_owned()]).unwrap();
    let documents = policy(&[
        ("Allow", "Connect", "client/visitor-*"),
        ("Allow", "Publish", "topic/of/${iot:ClientId}"),
        ("Deny", "Publish", "topic/of/visitor-x"),
    ]);
    sandbox.set_authorizer(Authorizer { policy_documents: vec![documents], ..authorizer("strict") }).unwrap();
    sandbox.set_authorizer(Authorizer { policy_documents: Vec::new(), ..authorizer("nothing") }).unwrap();
    for by in BOTH {
        for level in [4, 5] {
            user(by, level, "x-amz-customauthorizer-name=strict").refused(&sandbox);
            user(by, level, "x-amz-customauthorizer-name=nothing").refused(&sandbox);
        }
    }
    assert_eq!(invocations(&sandbox), 8, "the function was asked");
    let strict = user(By::Tls, 5, "x-amz-customauthorizer-name=strict");
    for (client_id, topic, code) in [
        ("visitor-1", "of/visitor-1", None),
        ("visitor-1", "of/visitor-2", Some(0x87)),
        ("visitor-x", "of/visitor-x", Some(0x87)),
    ] {
        let mut client = Visitor { client_id: client_id.to_owned(), ..strict.clone() }.connected(&sandbox);
        client.publish(&Publish::new(topic, 1));
        let puback = client.packet();
        assert_eq!(puback.first, 0x40);
        assert_eq!(puback.body.get(2).copied().filter(|code| *code >= 0x80), code, "{topic}: {puback:?}");
    }
}

#[test]
fn they_survive_a_restart_and_show_no_secrets() {
    let mut sandbox = start();
    let visitor = Visitor::signed(By::Tls, 5, &sandbox.authorizers().signed);
    sandbox.restart().unwrap();
    visitor.connected(&sandbox).ping();
    let examples = sandbox.authorizers();
    let shown = format!("{examples:?}");
    for secret in
        [&examples.unsigned.password, &examples.signed.token_value, &examples.signed.token_signature]
    {
        assert!(!shown.contains(secret), "{shown}");
    }
}
