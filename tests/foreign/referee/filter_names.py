"""The filters that AWS's documentation names, as botocore carries it: the mock takes each, or
docs/EC2-DIFFERENCES.md lists it as refused.

    filter_names.py ENDPOINT KEY SECRET DOCUMENT
"""

import re
import sys

from asking import Endpoint
from calls import CALLS


def main():
    url, key, secret, document = sys.argv[1:5]
    endpoint = Endpoint(url, key, secret)
    operations = sorted({operation for _, service, operation, _, _ in CALLS if service == "ec2"})
    written = read(document)
    flaws, taken, refused = [], 0, {}
    for operation in operations:
        for name in documented(endpoint, operation):
            parameters = {"Filters": [{"Name": name, "Values": ["x"]}]}
            outcome, _ = endpoint.ask("ec2", operation, parameters, {})
            if outcome == "ok":
                taken += 1
            elif outcome == "InvalidParameterValue":
                refused.setdefault(operation, []).append(name)
            else:
                flaws.append(f"{operation}, {name}: {outcome}")
    for operation in sorted(set(refused) | set(written)):
        names = ", ".join(refused.get(operation, []))
        if written.get(operation) != names:
            flaws.append(f"| {operation} | {names} |")
    for flaw in flaws:
        print(flaw)
    print(f"{taken} documented filters taken, {sum(map(len, refused.values()))} refused")
    sys.exit(1 if flaws else 0)


def documented(endpoint, operation):
    shape = endpoint.clients["ec2"].meta.service_model.operation_model(operation).input_shape
    member = shape.members.get("Filters") if shape is not None else None
    text = member.documentation if member is not None else ""
    names = re.findall(r"<li>\s*<p>\s*<code>([^<]+)</code>", text)
    # `tag:KEY` has its own test.
    return [name for name in names if name != "tag" and ":" not in name]


def read(document):
    with open(document, encoding="utf-8") as file:
        lines = file.read().partition("<!-- filters -->")[2].partition("<!-- end -->")[0].splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return {cell[0]: cell[1] for cell in cells
            if len(cell) == 2 and cell[0] != "Operation" and not set(cell[0]) <= {"-"}}


if __name__ == "__main__":
    main()
