"""The official Python client as a peer of `cargo xtask bench`; the commands are explained in crates/bench/src/lib.rs.

    python bench.py --host localhost --port 8883 --ca-file CA --cert CERT --key KEY --client-id ID
"""

import argparse
import json
import os
import queue
import signal
import sys
import threading
import time

from awscrt import mqtt5
from awsiot import mqtt5_client_builder

LIMIT = 60
PAYLOAD = b"x" * 128
EQUAL_BACKOFF_MS = 1000
ROUND_TRIPS_SECONDS = 2

parser = argparse.ArgumentParser(description=__doc__)
for flag in ["--host", "--ca-file", "--cert", "--key", "--client-id"]:
    parser.add_argument(flag, required=True)
parser.add_argument("--port", type=int, required=True)
args = parser.parse_args()


class Client:
    """A client with its events in queues; `settings` are further arguments of the official builder."""

    def __init__(self, client_id=args.client_id, **settings):
        self.connections = queue.SimpleQueue()
        self.messages = queue.SimpleQueue()
        self.stopped = threading.Event()
        self.client = mqtt5_client_builder.mtls_from_path(
            args.cert,
            args.key,
            endpoint=args.host,
            port=args.port,
            ca_filepath=args.ca_file,
            client_id=client_id,
            # Its quotas are AWS's; those of the others are off, too.
            extended_validation_and_flow_control_options=mqtt5.ExtendedValidationAndFlowControlOptions.NONE,
            on_lifecycle_connection_success=lambda _: self.connections.put(time.perf_counter()),
            on_lifecycle_stopped=lambda _: self.stopped.set(),
            on_publish_received=self.messages.put,
            **settings,
        )

    def connect(self):
        """Returns the seconds to CONNACK."""
        began = time.perf_counter()
        self.client.start()
        return self.connections.get(timeout=LIMIT) - began

    def close(self):
        self.client.stop(mqtt5.DisconnectPacket())
        if not self.stopped.wait(LIMIT):
            sys.exit("error: the client did not stop")


def connect(count):
    times = []
    for _ in range(int(count)):
        client = Client()
        times.append(client.connect())
        client.close()
    return {"seconds": times}


def round_trips(qos, count):
    qos = mqtt5.QoS(int(qos))
    client = Client()
    client.connect()
    subscription = mqtt5.Subscription(topic_filter=args.client_id, qos=qos)
    client.client.subscribe(mqtt5.SubscribePacket(subscriptions=[subscription])).result(LIMIT)
    times = []
    start = time.perf_counter()
    while len(times) < int(count) and time.perf_counter() - start < ROUND_TRIPS_SECONDS:
        packet = mqtt5.PublishPacket(topic=args.client_id, payload=PAYLOAD, qos=qos)
        began = time.perf_counter()
        done = client.client.publish(packet)
        client.messages.get(timeout=LIMIT)
        times.append(time.perf_counter() - began)
        done.result(LIMIT)
    client.close()
    return {"seconds": times}


def publish(window, messages):
    client = Client()
    client.connect()
    room = threading.Semaphore(int(window))
    failures = []

    def acknowledged(done):
        if done.exception() is not None:
            failures.append(done.exception())
        room.release()

    began = time.perf_counter()
    for _ in range(int(messages)):
        room.acquire()
        packet = mqtt5.PublishPacket(topic=args.client_id, payload=PAYLOAD, qos=mqtt5.QoS.AT_LEAST_ONCE)
        client.client.publish(packet).add_done_callback(acknowledged)
    for _ in range(int(window)):
        room.acquire()
    seconds = time.perf_counter() - began
    client.close()
    if failures:
        sys.exit(f"error: {len(failures)} publishes failed, the first with {failures[0]}")
    return {"seconds": seconds}


def outlive(backoff, count):
    settings = {}
    if backoff == "equal":
        settings = {"min_reconnect_delay_ms": EQUAL_BACKOFF_MS, "max_reconnect_delay_ms": EQUAL_BACKOFF_MS}
    clients = [Client(f"{args.client_id}-{number}", **settings) for number in range(int(count))]
    for client in clients:
        client.connect()
        report({"connected": True})

    def wait(client):
        client.connections.get(timeout=LIMIT)
        report({"reconnected": True})

    threads = [threading.Thread(target=wait, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    return {"done": True}


def report(answer):
    # One write a line: several threads may be here.
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


commands = {"connect": connect, "round-trips": round_trips, "publish": publish, "outlive": outlive}
lines = queue.SimpleQueue()


def read():
    for line in sys.stdin:
        lines.put(line)
    # Whoever started this is gone: it ends, whatever it is doing.
    os._exit(0)


# Without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)
threading.Thread(target=read, daemon=True).start()
while True:
    name, *words = lines.get().split()
    report(commands[name](*words))
