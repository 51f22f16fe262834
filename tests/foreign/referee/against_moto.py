"""Asks the mock and moto's server the same calls, and compares their outcomes with the table in
docs/EC2-DIFFERENCES.md: a difference that is not there, or a line that is no difference, is a
failure.

    against_moto.py ENDPOINT KEY SECRET DOCUMENT
"""

import logging
import os
import re
import sys

# Read when moto is imported.
os.environ.update(MOTO_ENABLE_AMI_VALIDATION="true", MOTO_ENABLE_KEYPAIR_VALIDATION="true",
                  MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION="true")

from moto.server import ThreadedMotoServer  # noqa: E402

from asking import Endpoint, ask_all  # noqa: E402
from calls import CALLS, OWN  # noqa: E402

# What one endpoint unmade and the other did not is not compared any more.
UNMAKING = ("Delete", "Release", "Detach", "Disassociate", "Terminate")


def main():
    url, key, secret, document = sys.argv[1:5]
    server, moto_url = serve_moto()
    calls = CALLS[:OWN]
    try:
        own = list(ask_all(Endpoint(url, key, secret), calls))
        moto = list(ask_all(Endpoint(moto_url, key, secret), calls))
    finally:
        server.stop()
    found, consequences = compare(own, moto)
    written = read(document)
    flaws = [f"| {label} | {ours} | {theirs} | ? | ? |  is not in the document"
             for label, (ours, theirs) in found.items() if written.get(label) != (ours, theirs)]
    flaws += [f"{label}: the document's line is no difference"
              for label in written if label not in found]
    for flaw in flaws:
        print(flaw)
    print(f"{len(calls)} calls compared, {len(found)} differences, {consequences} consequences of "
          f"these, {len(flaws)} flaws")
    sys.exit(1 if flaws else 0)


def serve_moto():
    """Moto's server, and its address."""
    # Its own failures are answers to us, and not for the terminal.
    logging.disable(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return server, f"http://{host}:{port}"


def compare(own, moto):
    """The differences by label, and how many more are only consequences."""
    found, consequences, tainted = {}, 0, set()
    for (label, _, operation, parameters, ours, _), (_, _, _, _, theirs, _) in zip(own, moto):
        if ours == theirs:
            continue
        names = set(re.findall(r"\$\w+", str(parameters)))
        if names & tainted:
            consequences += 1
            continue
        found[label] = (ours, theirs)
        if operation.startswith(UNMAKING) and "ok" in (ours, theirs):
            tainted |= names
    return found, consequences


def read(document):
    """The lines of the table: call, mock, moto, who is right, why."""
    with open(document, encoding="utf-8") as file:
        lines = file.read().partition("<!-- moto -->")[2].partition("<!-- end -->")[0].splitlines()
    written = {}
    for line in lines:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 5 and cells[0] not in ("Call", "") and not set(cells[0]) <= {"-", " "}:
            assert cells[3] and cells[4], f"who is right, and why: {line}"
            written[cells[0]] = (cells[1], cells[2])
    return written


if __name__ == "__main__":
    main()
