"""A subscriber that is not ours: the official Python client over MQTT 5 and mutual TLS.

    observer.py --endpoint localhost --port 8883 --ca-file CA --cert CERT --key KEY --client-id ID --topic FILTER

Prints {"event": "subscribed"} once the broker has acknowledged the subscription, and then each message with all that it
carries, as a line of JSON, until its standard input ends.
"""

import argparse
import concurrent.futures
import json
import sys

from awscrt import mqtt5
from awsiot import mqtt5_client_builder

# Seconds for each step.
LIMIT = 20


def main():
    parser = argparse.ArgumentParser()
    for name in ["endpoint", "ca-file", "cert", "key", "client-id", "topic"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    connected, stopped = concurrent.futures.Future(), concurrent.futures.Future()
    client = mqtt5_client_builder.mtls_from_path(
        cert_filepath=args.cert,
        pri_key_filepath=args.key,
        endpoint=args.endpoint,
        port=args.port,
        ca_filepath=args.ca_file,
        client_id=args.client_id,
        on_publish_received=lambda data: report(data.publish_packet),
        on_lifecycle_connection_success=lambda _: connected.set_result(None),
        on_lifecycle_connection_failure=lambda data: connected.set_exception(data.exception),
        on_lifecycle_stopped=lambda _: stopped.set_result(None),
    )
    client.start()
    connected.result(LIMIT)
    subscription = mqtt5.Subscription(topic_filter=args.topic, qos=mqtt5.QoS.AT_LEAST_ONCE)
    suback = client.subscribe(mqtt5.SubscribePacket(subscriptions=[subscription])).result(LIMIT)
    if any(code >= 0x80 for code in suback.reason_codes):
        sys.exit(f"the subscription was refused: {suback.reason_codes}")
    print(json.dumps({"event": "subscribed"}), flush=True)
    sys.stdin.read()
    client.stop()
    stopped.result(LIMIT)


def report(packet):
    text = lambda data: data.decode(errors="replace") if isinstance(data, bytes) else data
    message = {
        "event": "message",
        "topic": packet.topic,
        "payload": text(packet.payload),
        "qos": int(packet.qos),
        "retain": packet.retain,
        "content_type": packet.content_type,
        "response_topic": packet.response_topic,
        "correlation_data": text(packet.correlation_data),
        "message_expiry": packet.message_expiry_interval_sec,
        "user_properties": [[p.name, p.value] for p in packet.user_properties or []],
    }
    print(json.dumps(message), flush=True)


main()
