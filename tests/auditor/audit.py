"""Answers an auditor's questions from a packed run: Python's standard library and ssh-keygen alone.

    audit.py RUN.tar ALLOWED_SIGNERS        prints one JSON object, an answer for each question

It shares nothing with lab-smoke: it reads the archive, verifies the chain and the attachments itself,
and asks ssh-keygen whose signatures they are. It ends with 1 where the files do not hold together.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from datetime import datetime

SEAL = "attestation.json"


def read_archive(path):
    files = {}
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            if not member.isfile() or member.name in files or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", member.name):
                raise SystemExit(f"the archive holds {member.name!r}, which is no file of a run")
            files[member.name] = archive.extractfile(member).read()
    return files


def read_journal(text):
    """The records, after the chain: each line holds the digest of the one before."""
    records, head = [], "0" * 64
    for number, line in enumerate(text.split(b"\n")[:-1]):
        record = json.loads(line)
        if record["seq"] != number or record["prev"] != head:
            raise SystemExit(f"journal line {number + 1} does not follow the one before it")
        head = hashlib.sha256(line).hexdigest()
        records.append(record)
    return records, head


def check_attachments(files, records):
    for record in records:
        if record["kind"] == "attachment-stored":
            digest = record["data"]["digest"]
            kept = files.get(f"attachments/{digest}")
            if kept is None or hashlib.sha256(kept).hexdigest() != digest:
                raise SystemExit(f"attachments/{digest} is gone or was changed")


def time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def signer(files, name, signature, namespace, signers, at):
    """The principal whom the signers allow, and the key; none where nobody has signed it."""
    if name not in files or signature not in files:
        return None
    with tempfile.TemporaryDirectory() as desk:
        path = os.path.join(desk, "signature")
        with open(path, "wb") as file:
            file.write(files[signature])
        # OpenSSH takes the time that ends in Z for UTC.
        when = ["-Overify-time=" + time(at).strftime("%Y%m%d%H%M%SZ")]
        find = ["ssh-keygen", "-Y", "find-principals", *when, "-s", path, "-f", signers]
        found = subprocess.run(find, capture_output=True, text=True)
        for principal in found.stdout.split():
            verify = ["ssh-keygen", "-Y", "verify", *when, "-f", signers, "-I", principal, "-n",
                      namespace, "-s", path]
            verified = subprocess.run(verify, input=files[name], capture_output=True)
            if verified.returncode == 0:
                key = re.search(r"SHA256:\S+", verified.stdout.decode())
                return {"principal": principal, "key": key and key.group(0)}
    return None


class Run:
    def __init__(self, archive, signers):
        self.files = read_archive(archive)
        self.signers = signers
        self.records, self.head = read_journal(self.files["journal.jsonl"])
        check_attachments(self.files, self.records)

    def all(self, kind):
        return [record for record in self.records if record["kind"] == kind]

    def last(self, kind, **where):
        for record in reversed(self.all(kind)):
            if all(record["data"].get(key) == value for key, value in where.items()):
                return record["data"]
        return None

    def go(self):
        verified = self.all("go-verified")
        if not verified:
            return None
        record = verified[-1]
        said = record["data"]
        document = self.files.get("go.json", b"")
        if hashlib.sha256(document).hexdigest() != said["go_digest"]:
            raise SystemExit("go.json is not the go that was verified")
        go = json.loads(document)
        by = signer(self.files, "go.json", "go.json.sig", "lab-smoke-go", self.signers, record["at"])
        return {
            "given_by": by and by["principal"],
            "key": said["key_fingerprint"] if by and by["key"] == said["key_fingerprint"] else None,
            "granted_to_itself": said["self_granted"],
            "for": go["change_set"],
            "from": go["not_before"],
            "until": go["not_after"],
            "undo_plan": go["undo_plan_digest"],
        }

    def mutations(self):
        outcomes = {}
        for record in self.all("outcome"):
            outcomes[record["data"]["intent"]] = record["data"]
        rows = []
        for record in self.all("intent"):
            intent = record["data"]
            outcome = outcomes.get(intent["id"], {})
            rows.append({"at": record["at"], "seq": record["seq"], "permit": intent["permit"],
                         "what": intent["effect"]["kind"], "undo": intent.get("undo"),
                         "outcome": outcome.get("outcome", "unknown"),
                         "request_id": outcome.get("request_id")})
        return rows

    def outside_the_go(self, go):
        """What was changed without a go, before or after it, or undone by no step of the signed plan."""
        planned = self.last("undo-planned") or {"steps": [], "digest": None}
        steps = {step["id"] for step in planned["steps"]}
        verified = self.all("go-verified")
        outside = []
        for row in self.mutations():
            if row["permit"] == "forward":
                granted = go and verified[0]["seq"] < row["seq"]
                inside = granted and time(go["from"]) <= time(row["at"]) <= time(go["until"])
            elif row["permit"] == "undo":
                inside = go and row["undo"] in steps and go["undo_plan"] == planned["digest"]
            else:
                inside = True
            if not inside:
                outside.append(row)
        return outside

    def not_looked_at(self):
        started = self.records[0]["data"]
        missing = []
        for scenario in started["scenarios"]:
            finished = self.last("scenario-finished", scenario=scenario["name"])
            status = finished["status"] if finished else "not-run"
            if status not in ("passed", "failed"):
                missing.append(f"{scenario['name']}: {status}")
        looked = {record["data"]["stop"] for record in self.all("stop-checked")}
        missing += [f"hard stop {it['number']}" for it in started["stops"] if it["number"] not in looked]
        unknown = {}
        for record in self.all("assertion-made"):
            unknown[record["data"]["id"]] = record["data"]["status"]
        return missing + sorted(f"{name}: unknown" for name, it in unknown.items() if it == "unknown")

    def repeated(self):
        counts = {}
        for record in self.all("scenario-started"):
            name = record["data"]["scenario"]
            counts[name] = counts.get(name, 0) + 1
        return {name: count for name, count in counts.items() if count > 1}

    def seal(self):
        end = self.records[-1]["at"]
        found = signer(self.files, SEAL, SEAL + ".sig", "lab-smoke-seal", self.signers, end)
        if not found:
            return None
        entries = json.loads(self.files[SEAL])["predicate"]["configuration"]
        journal = next(entry for entry in entries if entry["name"] == "journal-head")
        whole = journal["digest"]["sha256"] == self.head
        return {**found, "whole": whole}

    def answers(self):
        go = self.go()
        facts = self.last("facts-recorded") or {}
        end = self.last("run-finished")
        rows = [row for row in self.mutations() if row["outcome"] != "not-done"]
        residue = self.last("residue-listed")
        state = {phase: (self.last("state-recorded", phase=phase) or {}).get("state")
                 for phase in ("baseline", "final")}
        refused = [record["data"]["rule"] for record in self.all("go-refused")]
        refused += [f"hard stop {record['data']['stop']}" for record in self.all("stop-tripped")]
        return {
            "who_gave_the_go": go,
            "outside_the_go": self.outside_the_go(go),
            "refused": refused,
            "not_looked_at": self.not_looked_at(),
            "before_and_after": state,
            "programs": {it["name"]: it.get("digest") for it in facts.get("programs", [])},
            "mutations": [[row["what"], row["outcome"], row["request_id"]] for row in rows],
            "left": None if residue is None else [item["id"] for item in residue["items"]],
            "cost": self.last("cost-recorded"),
            "repeated": self.repeated(),
            "ended": end and end["verdict"],
            "sealed": self.seal(),
        }


if __name__ == "__main__":
    json.dump(Run(sys.argv[1], sys.argv[2]).answers(), sys.stdout, indent=2)
