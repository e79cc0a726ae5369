"""A foreign MQTT 5 peer: the official Python client, driven from the command line.

Connects, subscribes, publishes one message at QoS 1, waits until it comes back, and disconnects. Each step is a JSON
line on stdout; the exit code is 0 when all of them happened and 1 at the first that did not.

    peer.py --transport mtls  --endpoint localhost --port 8883 --ca-file CA --cert CERT --key KEY
    peer.py --transport sigv4 --endpoint localhost --port 8443 --ca-file CA --region REGION

SigV4 takes its credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
"""

import argparse
import concurrent.futures
import json
import os
import sys
import uuid

import awscrt.auth
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
    parser.add_argument("--transport", choices=["mtls", "sigv4"], required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca-file", required=True)
    parser.add_argument("--cert", help="mtls: the device certificate, PEM")
    parser.add_argument("--key", help="mtls: its private key, PEM")
    parser.add_argument("--region", help="sigv4: the signing region")
    parser.add_argument("--client-id", default=f"test-peer-{uuid.uuid4()}")
    parser.add_argument("--topic", default="test/topic")
    parser.add_argument("--message", default="Hello from the official client")
    args = parser.parse_args()
    needed = {"mtls": ["cert", "key"], "sigv4": ["region"]}[args.transport]
    for name in needed:
        if getattr(args, name) is None:
            parser.error(f"--transport {args.transport} needs --{name}")
    if args.transport == "sigv4":
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]:
            if not os.environ.get(name):
                parser.error(f"--transport sigv4 needs the environment variable {name}")
    return args


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
            # A file that is not there, or is no certificate or key.
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
        if args.transport == "mtls":
            return mqtt5_client_builder.mtls_from_path(args.cert, args.key, **common)
        credentials = awscrt.auth.AwsCredentialsProvider.new_static(
            os.environ["AWS_ACCESS_KEY_ID"],
            os.environ["AWS_SECRET_ACCESS_KEY"],
            os.environ.get("AWS_SESSION_TOKEN"),
        )
        return mqtt5_client_builder.websockets_with_default_aws_signing(args.region, credentials, **common)

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


if __name__ == "__main__":
    main()
