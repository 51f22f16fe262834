"""Asks an endpoint the calls, and keeps what it answered."""

import json
import time

import boto3
import jmespath
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from calls import CALLS

REGION = "ap-northeast-1"


class Endpoint:
    """One endpoint; `raw` has the last answer's operation model, status and body."""

    def __init__(self, url, key, secret, validated=True):
        config = Config(retries={"total_max_attempts": 1}, parameter_validation=validated)
        session = boto3.session.Session(aws_access_key_id=key, aws_secret_access_key=secret,
                                        region_name=REGION)
        self.clients = {name: session.client(name, endpoint_url=url, config=config)
                        for name in ("ec2", "sts", "iam")}
        self.names = {}
        self.raw = None
        for client in self.clients.values():
            client.meta.events.register("before-parse", self.keep)

    def keep(self, operation_model, response_dict, **_):
        self.raw = (operation_model, response_dict["status_code"], response_dict["body"])

    def ask(self, service, operation, parameters, captures):
        """The outcome: `ok` with what was to be shown, or the code of the refusal; the answer."""
        method = getattr(self.clients[service], snake(operation))
        until, value = captures.pop("_until", None), captures.pop("_value", None)
        for _ in range(300):
            try:
                answer = method(**self.filled(parameters))
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                code = error.response["Error"]["Code"]
                return (f"HTTP {status}" if status == 500 else code), None
            except ResponseParserError:
                return f"HTTP {self.raw[1]}, no XML", None
            except BotoCoreError as error:
                return type(error).__name__, None
            if until is None or jmespath.search(until, answer):
                break
            time.sleep(0.1)
        for name, path in captures.items():
            self.names[name] = jmespath.search(self.text(path), answer)
        if value is None:
            return "ok", answer
        return f"ok {json.dumps(jmespath.search(self.text(value), answer))}", answer

    def filled(self, value):
        if isinstance(value, dict):
            return {key: self.filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        if isinstance(value, str) and value.startswith("$"):
            return self.names.get(value[1:]) or f"missing-{value[1:]}"
        return value

    def text(self, path):
        for name, value in self.names.items():
            path = path.replace(f"'${name}'", f"'{value}'")
        return path


def snake(operation):
    from botocore import xform_name
    return xform_name(operation)


def ask_all(endpoint, calls=None, before=None):
    """Label, service, operation, parameters, outcome, raw."""
    for label, service, operation, parameters, captures in calls or CALLS:
        if before is not None:
            before(label, service, operation, parameters)
        outcome, _ = endpoint.ask(service, operation, parameters, dict(captures))
        yield label, service, operation, parameters, outcome, endpoint.raw
