"""Makes sigv4.json: pre-signed MQTT-over-WebSocket requests, each signed by two foreign implementations.

    target/python/bin/python common/tests/vectors/generate.py

The two are awscrt (the signer below the official SDKs) and botocore (the AWS CLI's). Every case is written only if
both agree byte for byte; otherwise the script fails and leaves the file alone. All keys are made up.

AWS IoT signs differently from other services in one point: the session token is appended after signing. awscrt
has a switch for that; botocore is given credentials without the token, and the token is appended here. botocore also
always sends X-Amz-Expires, so a small subclass takes it out where a case has none.
"""

import datetime
import importlib.metadata
import json
import pathlib
import sys
import urllib.parse
from unittest import mock

import awscrt.auth
import awscrt.http
import botocore.auth
import botocore.awsrequest
import botocore.credentials

SERVICE = "iotdevicegateway"
PATH = "/mqtt"

KEY_ID = "AKIAFAKEFAKEFAKEFAKE"
SECRET = "fakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKE"
NOON = "20261120T120000Z"

SECRETS = {
    "slash": "fake/FAKE/fake/FAKE/fake/FAKE/fake/FAKE/",
    "plus": "fake+FAKE+fake+FAKE+fake+FAKE+fake+FAKE+",
    "slash and plus": "/+fake/+FAKE/+fake/+FAKE/+fake/+FAKE/+fa",
    "equals": "fakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFA==",
    "percent": "fake%2FFAKEfakeFAKEfakeFAKEfakeFAKEfake%",
    "one character": "f",
    "longer than a hash block": "fakeFAKE" * 12,
}

TOKENS = {
    "short": "FakeToken",
    "slash": "Fake/Token/",
    "plus": "Fake+Token+",
    "equals": "FakeToken==",
    "all of base64": "Fake+/Token+/==",
    "percent": "Fake%2BToken%",
    "space": "Fake Token",
    "ampersand and question mark": "Fake&Token?a=b#c",
    "unreserved": "Fake-Token_1.2~3",
    "colon, comma, star": "Fake:Token,*;!'()",
    "1200 of base64": ("IQoJb3JpZ2luX2VjFAKE+/" * 60)[:1198] + "==",
    "1200 letters": "FakeSessionToken" * 75,
    "4096 of base64": ("FwoGZXIvYXdzFAKE/+" * 250)[:4095] + "=",
}

REGIONS = {
    "us-east-1": "amazonaws.com",
    "us-west-2": "amazonaws.com",
    "eu-west-1": "amazonaws.com",
    "eu-central-1": "amazonaws.com",
    "ap-southeast-2": "amazonaws.com",
    "ap-northeast-1": "amazonaws.com",
    "sa-east-1": "amazonaws.com",
    "me-central-1": "amazonaws.com",
    "us-gov-west-1": "amazonaws.com",
    "us-gov-east-1": "amazonaws.com",
    "cn-north-1": "amazonaws.com.cn",
    "cn-northwest-1": "amazonaws.com.cn",
}

DATES = {
    "leap day": "20240229T120000Z",
    "last second of a leap day": "20240229T235959Z",
    "midnight": "20261120T000000Z",
    "one second before midnight": "20261119T235959Z",
    "new year": "20270101T000000Z",
    "last second of a year": "20261231T235959Z",
    "single digits": "20260102T030405Z",
    "after 2038": "20400607T080910Z",
}


def endpoint(region):
    return f"fakeprefix0000-ats.iot.{region}.{REGIONS[region]}"


def case(name, region="us-east-1", **changes):
    values = {
        "name": name,
        "host": endpoint(region),
        "port": 443,
        "region": region,
        "access_key_id": KEY_ID,
        "secret_access_key": SECRET,
        "session_token": None,
        "time": NOON,
        # What our client sends; the official ones leave X-Amz-Expires out.
        "expires_seconds": 300,
    }
    return values | changes


def cases():
    token = TOKENS["all of base64"]
    for region in REGIONS:
        yield case(f"region {region}", region)
    yield case("region cn-north-1, token and another port", "cn-north-1", port=8443, session_token=token)
    yield case("region us-gov-west-1, token and expiry", "us-gov-west-1", session_token=token, expires_seconds=300)
    for port in [80, 444, 8443, 8883, 1, 65535]:
        yield case(f"port {port}", port=port)
    yield case("local host", host="localhost", port=8443)
    yield case("local host on the default port", host="localhost")
    yield case("IPv4 address", host="127.0.0.1", port=8443)
    yield case("VPC endpoint", host="vpce-0fake-0fake.data.iot.us-east-1.vpce.amazonaws.com")
    for name, secret in SECRETS.items():
        yield case(f"secret: {name}", secret_access_key=secret)
    yield case("key ID of temporary credentials", access_key_id="ASIAFAKEFAKEFAKEFAKE", session_token=token)
    for name, value in TOKENS.items():
        yield case(f"token: {name}", session_token=value)
    for name, time in DATES.items():
        yield case(f"date: {name}", time=time)
    for seconds in [1, 60, 300, 900, 86400, 604800]:
        yield case(f"expires in {seconds} s", expires_seconds=seconds)
    yield case("no expiry", expires_seconds=None)
    yield case("no expiry, token and another port", port=8443, session_token=token, expires_seconds=None)
    yield case("expiry, token and another port", port=8443, session_token=token, expires_seconds=60)
    yield case(
        "everything at once",
        "ap-southeast-2",
        port=9443,
        access_key_id="ASIAFAKEFAKEFAKEFAKE",
        secret_access_key=SECRETS["slash and plus"],
        session_token=TOKENS["1200 of base64"],
        time=DATES["leap day"],
        expires_seconds=86400,
    )


def instant(values):
    return datetime.datetime.strptime(values["time"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)


def authority(values):
    """The Host header: without the default port (RFC 9110, section 7.2)."""
    return values["host"] if values["port"] == 443 else f"{values['host']}:{values['port']}"


def sign_with_awscrt(values):
    request = awscrt.http.HttpRequest("GET", PATH, awscrt.http.HttpHeaders([("Host", authority(values))]))
    config = awscrt.auth.AwsSigningConfig(
        algorithm=awscrt.auth.AwsSigningAlgorithm.V4,
        signature_type=awscrt.auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
        credentials_provider=awscrt.auth.AwsCredentialsProvider.new_static(
            values["access_key_id"], values["secret_access_key"], values["session_token"]
        ),
        region=values["region"],
        service=SERVICE,
        date=instant(values),
        expiration_in_seconds=values["expires_seconds"],
        omit_session_token=True,
    )
    return awscrt.auth.aws_sign_request(request, config).result(10).path


class WithoutExpires(botocore.auth.SigV4QueryAuth):
    """botocore's signer, less the one parameter that it always sends."""

    def _modify_request_before_signing(self, request):
        super()._modify_request_before_signing(request)
        address, query = request.url.split("?")
        kept = [pair for pair in query.split("&") if not pair.startswith("X-Amz-Expires=")]
        request.url = f"{address}?{'&'.join(kept)}"


def sign_with_botocore(values):
    credentials = botocore.credentials.Credentials(values["access_key_id"], values["secret_access_key"])
    if values["expires_seconds"] is None:
        signer = WithoutExpires(credentials, SERVICE, values["region"])
    else:
        signer = botocore.auth.SigV4QueryAuth(credentials, SERVICE, values["region"], values["expires_seconds"])
    request = botocore.awsrequest.AWSRequest("GET", f"https://{authority(values)}{PATH}")
    with mock.patch("botocore.auth.get_current_datetime", return_value=instant(values)):
        signer.add_auth(request)
    target = request.url.removeprefix(f"https://{authority(values)}")
    if values["session_token"] is not None:
        target += "&X-Amz-Security-Token=" + urllib.parse.quote(values["session_token"], safe="-_.~")
    return target


def parameters(target):
    """The raw pairs of a request target: what is compared is what is sent, before any decoding."""
    path, query = target.split("?")
    if path != PATH:
        sys.exit(f"error: a signer changed the path to {path}")
    return dict(pair.split("=", 1) for pair in query.split("&"))


def signed(values):
    awscrt_sent = parameters(sign_with_awscrt(values))
    botocore_sent = parameters(sign_with_botocore(values))
    if awscrt_sent != botocore_sent:
        sys.exit(
            f"error: the implementations disagree on the case {values['name']!r}\n"
            f"  awscrt:   {awscrt_sent}\n  botocore: {botocore_sent}"
        )
    unsigned = ("X-Amz-Signature", "X-Amz-Security-Token")
    canonical = "&".join(f"{name}={value}" for name, value in sorted(awscrt_sent.items()) if name not in unsigned)
    signature = awscrt_sent["X-Amz-Signature"]
    query = f"{canonical}&X-Amz-Signature={signature}"
    if "X-Amz-Security-Token" in awscrt_sent:
        query += f"&X-Amz-Security-Token={awscrt_sent['X-Amz-Security-Token']}"
    return values | {
        "host_header": authority(values),
        "canonical_query": canonical,
        "signature": signature,
        "awscrt": awscrt_sent["X-Amz-Signature"],
        "botocore": botocore_sent["X-Amz-Signature"],
        "query": query,
        "url": f"wss://{authority(values)}{PATH}?{query}",
    }


def main():
    made = [signed(values) for values in cases()]
    names = [values["name"] for values in made]
    if len(set(names)) != len(names) or len(made) < 48:
        sys.exit(f"error: {len(made)} cases with {len(set(names))} names; want 48 or more, each with its own")
    generator = {
        "script": "common/tests/vectors/generate.py",
        "awscrt": importlib.metadata.version("awscrt"),
        "botocore": importlib.metadata.version("botocore"),
        "python": ".".join(map(str, sys.version_info[:2])),
        "service": SERVICE,
        "path": PATH,
    }
    file = pathlib.Path(__file__).with_name("sigv4.json")
    file.write_text(json.dumps({"generator": generator, "cases": made}, indent=1) + "\n")
    print(f"{len(made)} cases, on all of which awscrt and botocore agree")


if __name__ == "__main__":
    main()
