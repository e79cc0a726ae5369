"""A foreign client of AWS STS: botocore asks whose the credentials of the environment are.

One line of JSON on stdout: `caller` with what STS answers, exit code 0, or `refused` with its error, exit code 1. The
settings are botocore's own: AWS_ACCESS_KEY_ID and the like, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_STS, AWS_CA_BUNDLE.
"""

import json
import sys

import botocore.exceptions
import botocore.session
from botocore.config import Config


def main():
    once = Config(retries={"total_max_attempts": 1})
    sts = botocore.session.Session().create_client("sts", config=once)
    try:
        answer = sts.get_caller_identity()
    except botocore.exceptions.ClientError as error:
        told = error.response
        status = told["ResponseMetadata"]["HTTPStatusCode"]
        report("refused", status=status, code=told["Error"]["Code"], message=told["Error"]["Message"])
        sys.exit(1)
    report("caller", account=answer["Account"], arn=answer["Arn"], user_id=answer["UserId"])


def report(event, **details):
    print(json.dumps({"event": event} | details), flush=True)


if __name__ == "__main__":
    main()
