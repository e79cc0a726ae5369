"""A foreign MQTT 5 peer: the official Python client, driven from the command line.

Connects, subscribes, publishes one message at QoS 1, waits until it comes back, and disconnects. Each step is a JSON
line on stdout; the exit code is 0 when all of them happened and 1 at the first that did not.

    peer.py --transport mtls  --endpoint localhost --port 8883 --ca-file CA --cert CERT --key KEY
    peer.py --transport sigv4 --endpoint localhost --port 8443 --ca-file CA --region REGION
    peer.py --transport custom-auth --endpoint localhost --port 8443 --ca-file CA --authorizer-name NAME --auth-username USER
    peer.py --transport custom-auth-websocket …
    peer.py --transport pkcs11 --endpoint localhost --port 8883 --ca-file CA --cert CERT --pkcs11-lib LIBRARY
        --token-label TOKEN --key-label KEY

PKCS#11 takes the PIN from AWS_IOT_PIN.

SigV4 takes its credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or from where
--credentials says:

    cognito --identity ID --proxy-port N            the client's own Cognito provider
    x509 --role-alias ALIAS --thing-name NAME --cert CERT --key KEY --proxy-port N
                                                    the client's own provider for AWS IoT credentials
    botocore                                        botocore's chain: STS, SSO, ECS or IMDS, as its variables say

The first two know only a host name, to which they connect on port 443: an HTTP proxy on 127.0.0.1 has to lead there.

Custom authorizers get the password from AWS_IOT_AUTH_PASSWORD and, with --auth-token-key-name, the token from
AWS_IOT_AUTH_TOKEN_VALUE and its signature from AWS_IOT_AUTH_SIGNATURE.
"""

import argparse
import concurrent.futures
import json
import os
import sys
import uuid

import awscrt.auth
import awscrt.http
import awscrt.io
from awscrt import mqtt5
from awsiot import mqtt5_client_builder

# Seconds for each step.
LIMIT = 20


def main():
    args = parse_arguments()
    try:
        Peer(args).run()
    except Failed as failure:
        report(failure.event, **failure.details)
        sys.exit(1)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Publishes a message to itself with the official Python client.")
    transports = ["mtls", "pkcs11", "sigv4", *CUSTOM_AUTH]
    parser.add_argument("--transport", choices=transports, required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca-file", required=True)
    parser.add_argument("--cert", help="mtls, pkcs11: the device certificate, PEM")
    parser.add_argument("--key", help="mtls: its private key, PEM")
    parser.add_argument("--pkcs11-lib", help="pkcs11: the library of the token's maker")
    parser.add_argument("--token-label", help="pkcs11: the token")
    parser.add_argument("--key-label", help="pkcs11: the private key")
    parser.add_argument("--region", help="sigv4: the signing region")
    add_credentials_arguments(parser)
    parser.add_argument("--authorizer-name", help="custom-auth: the authorizer")
    parser.add_argument("--auth-username", help="custom-auth: the user name")
    parser.add_argument("--auth-token-key-name", help="custom-auth: the name of the token, if it is signed")
    parser.add_argument("--client-id", default=f"test-peer-{uuid.uuid4()}")
    parser.add_argument("--topic", default="test/topic")
    parser.add_argument("--message", default="Hello from the official client")
    args = parser.parse_args()
    needed = {
        "mtls": ["cert", "key"],
        "pkcs11": ["cert", "pkcs11-lib", "token-label", "key-label"],
        "sigv4": ["region"],
    }.get(args.transport, [])
    for name in needed:
        if getattr(args, name.replace("-", "_")) is None:
            parser.error(f"--transport {args.transport} needs --{name}")
    check_credentials_arguments(parser, args)
    if args.transport == "sigv4" and args.credentials == "environment":
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]:
            if not os.environ.get(name):
                parser.error(f"--transport sigv4 needs the environment variable {name}")
    return args


# Both set the CONNECT user name; the first offers ALPN "mqtt" on whatever port, the second none.
CUSTOM_AUTH = {
    "custom-auth": mqtt5_client_builder.direct_with_custom_authorizer,
    "custom-auth-websocket": mqtt5_client_builder.websockets_with_custom_authorizer,
}


def custom_auth(args):
    """What the client's builders take; they leave out what is None."""
    return {
        "auth_authorizer_name": args.authorizer_name,
        "auth_username": args.auth_username,
        "auth_password": os.environ.get("AWS_IOT_AUTH_PASSWORD"),
        "auth_token_key_name": args.auth_token_key_name,
        "auth_token_value": os.environ.get("AWS_IOT_AUTH_TOKEN_VALUE"),
        "auth_authorizer_signature": os.environ.get("AWS_IOT_AUTH_SIGNATURE"),
    }


def report(event, **details):
    print(json.dumps({"event": event} | details), flush=True)


class Failed(Exception):
    """A step that did not happen; what to report of it."""

    def __init__(self, event, **details):
        super().__init__(event)
        self.event = event
        self.details = details


class Peer:
    def __init__(self, args):
        self.args = args
        self.connected = concurrent.futures.Future()
        self.received = concurrent.futures.Future()
        self.stopped = concurrent.futures.Future()
        try:
            self.client = self.build()
        except Exception as error:
            # A file that is not there, or is no certificate or key; credentials that botocore was refused.
            raise Failed("error", step="configure", message=str(error)) from error

    def build(self):
        args = self.args
        common = {
            "endpoint": args.endpoint,
            "port": args.port,
            "ca_filepath": args.ca_file,
            "client_id": args.client_id,
            "on_lifecycle_connection_success": self.on_connected,
            "on_lifecycle_connection_failure": self.on_connection_failure,
            "on_lifecycle_disconnection": self.on_disconnected,
            "on_lifecycle_stopped": lambda _: self.stopped.set_result(None),
            "on_publish_received": self.on_message,
        }
        if args.transport in CUSTOM_AUTH:
            return CUSTOM_AUTH[args.transport](**custom_auth(args), **common)
        if args.transport == "mtls":
            return mqtt5_client_builder.mtls_from_path(args.cert, args.key, **common)
        if args.transport == "pkcs11":
            return self.build_pkcs11(common)
        credentials = CREDENTIALS[args.credentials](args)
        return mqtt5_client_builder.websockets_with_default_aws_signing(args.region, credentials, **common)

    def build_pkcs11(self, common):
        args = self.args
        return mqtt5_client_builder.mtls_with_pkcs11(
            pkcs11_lib=awscrt.io.Pkcs11Lib(
                file=args.pkcs11_lib, behavior=awscrt.io.Pkcs11Lib.InitializeFinalizeBehavior.STRICT
            ),
            user_pin=os.environ["AWS_IOT_PIN"],
            token_label=args.token_label,
            priv_key_label=args.key_label,
            cert_filepath=args.cert,
            **common,
        )

    def run(self):
        args = self.args
        self.client.start()
        try:
            connack = self.wait("connect", self.connected)
            report("connected", client_id=args.client_id, session_present=connack.session_present)

            subscription = mqtt5.Subscription(topic_filter=args.topic, qos=mqtt5.QoS.AT_LEAST_ONCE)
            suback = self.wait("subscribe", self.client.subscribe(mqtt5.SubscribePacket([subscription])))
            self.accept("subscribe", suback.reason_codes[0])
            report("subscribed", filter=args.topic)

            message = mqtt5.PublishPacket(
                topic=args.topic, payload=args.message.encode(), qos=mqtt5.QoS.AT_LEAST_ONCE
            )
            puback = self.wait("publish", self.client.publish(message)).puback
            self.accept("publish", puback.reason_code)
            report("published", topic=args.topic)

            received = self.wait("receive", self.received)
            report("received", topic=received.topic, payload=received.payload.decode())
        finally:
            self.client.stop(mqtt5.DisconnectPacket())
        self.wait("stop", self.stopped)
        report("disconnected")

    def wait(self, step, future):
        try:
            return future.result(LIMIT)
        except concurrent.futures.TimeoutError:
            raise Failed("timeout", step=step, seconds=LIMIT) from None
        except Failed:
            raise
        except Exception as error:
            raise Failed("error", step=step, message=str(error)) from error

    def accept(self, step, code):
        if code >= 0x80:
            raise Failed("refused", step=step, code=int(code))

    def on_connected(self, data):
        if not self.connected.done():
            self.connected.set_result(data.connack_packet)

    def on_connection_failure(self, data):
        """The client would try for ever; one refusal is an answer."""
        if self.connected.done():
            return
        details = {"error": getattr(data.exception, "name", ""), "message": str(data.exception)}
        if data.connack_packet is not None:
            details["code"] = int(data.connack_packet.reason_code)
            details["reason"] = data.connack_packet.reason_string
        self.connected.set_exception(Failed("connection_failure", **details))

    def on_disconnected(self, data):
        """An end that nobody asked for is a failure of whatever is being waited for."""
        if self.received.done():
            return
        details = {"message": str(data.exception)}
        if data.disconnect_packet is not None:
            details["code"] = int(data.disconnect_packet.reason_code)
        self.received.set_exception(Failed("disconnected_early", **details))

    def on_message(self, data):
        packet = data.publish_packet
        # Other peers may use the topic at the same time.
        if packet.payload == self.args.message.encode() and not self.received.done():
            self.received.set_result(packet)


# Where SigV4 takes its credentials from.


def add_credentials_arguments(parser):
    parser.add_argument("--credentials", choices=list(CREDENTIALS), default="environment")
    parser.add_argument("--identity", help="cognito: the identity ID")
    parser.add_argument("--login", help="cognito: PROVIDER=TOKEN of an authenticated identity")
    parser.add_argument("--role-alias", help="x509: the role alias")
    parser.add_argument("--thing-name", help="x509: the thing that the certificate is attached to")
    parser.add_argument("--proxy-port", type=int, help="cognito, x509: the HTTP proxy on 127.0.0.1")


def check_credentials_arguments(parser, args):
    needed = {"cognito": ["identity", "proxy_port"], "x509": ["role_alias", "thing_name", "cert", "key", "proxy_port"]}
    for name in needed.get(args.credentials, []):
        if getattr(args, name) is None:
            parser.error(f"--credentials {args.credentials} needs --{name.replace('_', '-')}")


def environment_credentials(args):
    return awscrt.auth.AwsCredentialsProvider.new_static(
        os.environ["AWS_ACCESS_KEY_ID"],
        os.environ["AWS_SECRET_ACCESS_KEY"],
        os.environ.get("AWS_SESSION_TOKEN"),
    )


def cognito_credentials(args):
    tls = awscrt.io.TlsContextOptions()
    tls.override_default_trust_store_from_path(ca_filepath=args.ca_file)
    return awscrt.auth.AwsCredentialsProvider.new_cognito(
        endpoint=args.endpoint,
        identity=args.identity,
        logins=[tuple(args.login.split("=", 1))] if args.login else None,
        tls_ctx=awscrt.io.ClientTlsContext(tls),
        http_proxy_options=proxy(args),
    )


def x509_credentials(args):
    tls = awscrt.io.TlsContextOptions.create_client_with_mtls_from_path(args.cert, args.key)
    tls.override_default_trust_store_from_path(ca_filepath=args.ca_file)
    return awscrt.auth.AwsCredentialsProvider.new_x509(
        endpoint=args.endpoint,
        thing_name=args.thing_name,
        role_alias=args.role_alias,
        tls_ctx=awscrt.io.ClientTlsContext(tls),
        http_proxy_options=proxy(args),
    )


def botocore_credentials(args):
    # Takes long to load, and the others do without.
    import botocore.session

    credentials = botocore.session.Session().get_credentials()
    if credentials is None:
        raise LookupError("botocore's chain has no credentials")
    keys = credentials.get_frozen_credentials()
    return awscrt.auth.AwsCredentialsProvider.new_static(keys.access_key, keys.secret_key, keys.token)


def proxy(args):
    return awscrt.http.HttpProxyOptions("127.0.0.1", args.proxy_port)


CREDENTIALS = {
    "environment": environment_credentials,
    "cognito": cognito_credentials,
    "x509": x509_credentials,
    "botocore": botocore_credentials,
}


if __name__ == "__main__":
    main()
