"""Connects by mutual TLS and disconnects, with the official Python client; `cargo xtask bench` times it."""

import argparse
import concurrent.futures
import sys

from awscrt import mqtt5
from awsiot import mqtt5_client_builder

LIMIT = 20

parser = argparse.ArgumentParser(description=__doc__)
for flag in ["--endpoint", "--ca-file", "--cert", "--key", "--client-id"]:
    parser.add_argument(flag, required=True)
parser.add_argument("--port", type=int, required=True)
args = parser.parse_args()

connected = concurrent.futures.Future()
stopped = concurrent.futures.Future()


def on_failure(data):
    if not connected.done():
        connected.set_exception(data.exception)


client = mqtt5_client_builder.mtls_from_path(
    args.cert,
    args.key,
    endpoint=args.endpoint,
    port=args.port,
    ca_filepath=args.ca_file,
    client_id=args.client_id,
    on_lifecycle_connection_success=connected.set_result,
    on_lifecycle_connection_failure=on_failure,
    on_lifecycle_stopped=stopped.set_result,
)
client.start()
try:
    connected.result(LIMIT)
    client.stop(mqtt5.DisconnectPacket())
    stopped.result(LIMIT)
except Exception as error:
    sys.exit(f"error: {args.endpoint}:{args.port}: {error or type(error).__name__}")
