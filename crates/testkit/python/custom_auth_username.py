"""What the official Python client sends as CONNECT's user name and password to a custom authorizer.

Reads a JSON list of keyword arguments for awsiot.mqtt5_client_builder from stdin, and prints a JSON list of
[user name, password], one for each. Nothing connects.
"""

import json
import sys

import awscrt.mqtt5
from awsiot import mqtt5_client_builder

BUILDERS = [
    mqtt5_client_builder.direct_with_custom_authorizer,
    mqtt5_client_builder.websockets_with_custom_authorizer,
]


def main():
    # The options that the builder would make a client of.
    awscrt.mqtt5.Client = lambda client_options: client_options.connect_options
    print(json.dumps([login(arguments) for arguments in json.load(sys.stdin)]))


def login(arguments):
    logins = []
    for build in BUILDERS:
        options = build(endpoint="endpoint.example", **arguments)
        logins.append([options.username, options.password])
    assert logins[0] == logins[1], logins
    return logins[0]


if __name__ == "__main__":
    main()
