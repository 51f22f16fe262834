"""The AWS CLI asks the mock and moto some of the calls: it must be told what boto3 is told.

    with_cli.py ENDPOINT KEY SECRET DOCUMENT
"""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import jmespath

from against_moto import compare, read, serve_moto
from asking import REGION, Endpoint, ask_all
from calls import CALLS

LABELS = (
    "CreateVpc", "CreateVpc: too wide", "CreateVpc: not a block", "DescribeVpcs: malformed id",
    "DescribeVpcs: unknown filter", "CreateSubnet", "CreateSubnet: overlapping",
    "CreateSubnet: outside", "DescribeSubnets: ids and pages", "DeleteVpc: in use",
    "DescribeAvailabilityZones", "DeleteSubnet", "DeleteVpc",
)


class Cli(Endpoint):
    """The same endpoint, asked by the program."""

    def __init__(self, url, key, secret):
        super().__init__(url, key, secret)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYENV_ROOT") if name in os.environ}
        self.environment = {
            **kept, "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_MAX_ATTEMPTS": "1",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "",
        }

    def ask(self, service, operation, parameters, captures):
        value = captures.pop("_value", None)
        command = re.sub(r"(?<!^)(?=[A-Z])", "-", operation).lower()
        done = subprocess.run(
            [os.environ.get("LAB_SMOKE_AWS_CLI", "aws"), service, command, "--output", "json",
             "--cli-input-json", json.dumps(self.filled(parameters))],
            env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            code = re.search(r"\((\S+)\) when calling", done.stderr)
            return (code.group(1) if code else "HTTP 500, no XML"), None
        answer = json.loads(done.stdout) if done.stdout.strip() else {}
        for name, path in captures.items():
            self.names[name] = jmespath.search(self.text(path), answer)
        return ("ok" if value is None else f"ok {json.dumps(jmespath.search(value, answer))}"), None


def main():
    url, key, secret, document = sys.argv[1:5]
    calls = [call for call in CALLS if call[0] in LABELS]
    server, moto_url = serve_moto()
    try:
        with ThreadPoolExecutor(2) as pool:
            own, moto = pool.map(lambda at: list(ask_all(Cli(at, key, secret), calls)),
                                 (url, moto_url))
    finally:
        server.stop()
    found, _ = compare(own, moto)
    written = {label: both for label, both in read(document).items() if label in LABELS}
    if found != written:
        print(f"the CLI was told {found}, boto3 {written}")
    print(f"{len(calls)} calls by the CLI, {len(found)} differences")
    sys.exit(found != written)


if __name__ == "__main__":
    main()
