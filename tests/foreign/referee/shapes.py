"""Checks the mock's answers and parameters against botocore's own model, which is AWS's word on
names and types.

    shapes.py ENDPOINT KEY SECRET OPERATIONS.json
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree

from asking import Endpoint, ask_all

# Real answers have it where the model's enum does not.
KNOWN = {
    "SimulatePrincipalPolicy": {"SourcePolicyType"},
    "SimulateCustomPolicy": {"SourcePolicyType"},
    # AWS's documentation of the attachment says `available`, and shows a new interface `pending`.
    "DescribeInternetGateways": {"state"},
    "CreateNetworkInterface": {"status"},
    # AWS answers `available`, as its guide for the CLI shows.
    "DescribeVpcEndpoints": {"state"},
}


def main():
    url, key, secret, operations = sys.argv[1:5]
    with open(operations, encoding="utf-8") as file:
        operations = json.load(file)
    endpoint = Endpoint(url, key, secret)
    flaws, answered = [], set()
    has_dry_run = {operation["name"] for operation in operations if operation["dry_run"]}
    rehearsed = rehearsals(endpoint, has_dry_run, flaws)
    for label, service, operation, _, outcome, raw in ask_all(endpoint, before=rehearsed):
        if not outcome.startswith("ok"):
            if ":" not in label:
                flaws.append(f"{label}: is refused with {outcome}")
            continue
        answered.add((service, operation))
        flaws += [f"{operation}: {flaw}" for flaw in check_answer(*raw)]
    fields = sum(1 for _ in operations)
    unvalidated = Endpoint(url, key, secret, validated=False)
    bounded = [bounds for operation in operations if (bounds := page_bounds(endpoint, operation))]
    for operation in operations:
        flaws += [f"{operation['name']}: {flaw}" for flaw in check_parameters(endpoint, operation)]
        if (operation["service"], operation["name"]) not in answered:
            flaws.append(f"{operation['name']}: was never answered")
    flaws += [flaw for bounds in bounded for flaw in check_bounds(unvalidated, *bounds)]
    for flaw in flaws:
        print(flaw)
    print(f"{len(answered)} of {fields} operations answered, "
          f"{len(bounded)} bounds of pages, {len(flaws)} flaws")
    sys.exit(1 if flaws else 0)


def rehearsals(endpoint, has_dry_run, flaws):
    """Before each call that can be rehearsed, it is, and must be answered with DryRunOperation."""

    def rehearse(label, service, operation, parameters):
        if operation not in has_dry_run or ":" in label:
            return
        outcome, _ = endpoint.ask(service, operation, {**parameters, "DryRun": True}, {})
        if outcome != "DryRunOperation":
            flaws.append(f"{label}: the rehearsal ends with {outcome}")

    return rehearse


def check_answer(operation_model, status, body):
    root = ElementTree.fromstring(body)
    if status != 200:
        return [f"HTTP {status}"]
    shape = operation_model.output_shape
    service = operation_model.service_model.protocol
    if local(root) != f"{operation_model.name}Response":
        return [f"the root is {local(root)}"]
    if service == "query":
        wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
        nodes = [node for node in root if local(node) == wrapper]
        root = nodes[0] if nodes else root
        if shape is None or wrapper is None:
            return []
        return list(check(operation_model.name, shape, root, "", "member"))
    children = [node for node in root if local(node) != "requestId"]
    if shape is None:
        # The model has no output; AWS answers <return>true</return>.
        return [f"{local(node)} is not in the model" for node in children
                if local(node) != "return"]
    return list(check(operation_model.name, shape, root, "", "item", skip={"requestId"}))


def check(operation, shape, node, path, item, skip=()):
    kind = shape.type_name
    if kind == "structure":
        yield from check_structure(operation, shape, node, path, item, skip)
    elif kind == "list":
        wanted = shape.member.serialization.get("name", item)
        for child in node:
            if local(child) != wanted:
                yield f"{path}: a list of <{wanted}> has <{local(child)}>"
            else:
                yield from check(operation, shape.member, child, path + "[]", item)
    else:
        text = node.text or ""
        if len(node):
            yield f"{path}: is no {kind}"
        elif kind == "boolean" and text not in ("true", "false"):
            yield f"{path}: {text!r} is no boolean"
        elif kind in ("integer", "long") and not text.lstrip("-").isdigit():
            yield f"{path}: {text!r} is no {kind}"
        elif kind == "timestamp" and not is_time(text):
            yield f"{path}: {text!r} is no time"
        elif kind == "string" and shape.enum and text and text not in shape.enum:
            if path.rsplit(".", 1)[-1] not in KNOWN.get(operation, ()):
                yield f"{path}: {text!r} is none of {shape.enum}"


def check_structure(operation, shape, node, path, item, skip):
    members = {member.serialization.get("name", name): (name, member)
               for name, member in shape.members.items()}
    seen = set()
    for child in node:
        name = local(child)
        if name in skip:
            continue
        if name not in members:
            # Void answers: the model has nothing, AWS says it was done.
            if not (path == "" and name == "return"):
                yield f"{path}.{name} is not in the model"
            continue
        if name in seen:
            yield f"{path}.{name} is there twice"
        seen.add(name)
        yield from check(operation, members[name][1], child, f"{path}.{name}", item)
    for required in shape.required_members:
        wire = shape.members[required].serialization.get("name", required)
        if wire not in seen:
            yield f"{path}.{wire} is required and missing"


def is_time(text):
    from botocore.utils import parse_timestamp
    try:
        parse_timestamp(text)
        return True
    except ValueError:
        return False


def local(node):
    return node.tag.rsplit("}", 1)[-1]


def check_parameters(endpoint, operation):
    """Every parameter that the mock takes is in the model, and DryRun where the model has it."""
    model = endpoint.clients[operation["service"]].meta.service_model
    operation_model = model.operation_model(operation["name"])
    known = set(patterns(operation_model.input_shape, model.protocol))
    for parameter in operation["parameters"]:
        if parameter not in known:
            yield f"the parameter {parameter} is not in the model"
    if operation["dry_run"] != ("DryRun" in known):
        yield f"DryRun: the model says {'DryRun' in known}"


def page_bounds(endpoint, operation):
    """The operation's name, and the least and the most that the model lets a page hold."""
    model = endpoint.clients[operation["service"]].meta.service_model
    shape = model.operation_model(operation["name"]).input_shape
    page = shape.members.get("MaxResults") if shape is not None else None
    if page is None or "MaxResults" not in operation["parameters"]:
        return None
    least, most = page.metadata.get("min"), page.metadata.get("max")
    if least is None:
        # DescribeTags has its bounds in its text alone.
        told = re.search(r"between (\d+) and (\d+)", page.documentation)
        least, most = (int(told[1]), int(told[2])) if told else (None, None)
    return (operation["name"], least, most) if least is not None else None


def check_bounds(endpoint, operation, least, most):
    for size in (least - 1, least, most, most + 1):
        wanted = "ok" if least <= size <= most else "InvalidParameterValue"
        outcome, _ = endpoint.ask("ec2", operation, {"MaxResults": size}, {})
        if outcome != wanted:
            yield f"{operation}: {size} for a page is answered {outcome}, not {wanted}"


def patterns(shape, protocol, prefix="", depth=0):
    if shape is None or depth > 5:
        return
    for name, member in shape.members.items():
        own = name
        if protocol == "ec2":
            located = member.serialization.get("name")
            own = member.serialization.get("queryName") or (
                located[0].upper() + located[1:] if located else name)
        yield from of_member(member, protocol, prefix + own, depth)


def of_member(member, protocol, own, depth):
    if member.type_name == "structure":
        yield from patterns(member, protocol, own + ".", depth + 1)
    elif member.type_name == "list":
        step = ".N" if protocol == "ec2" else ".member.N"
        yield from of_member(member.member, protocol, own + step, depth + 1)
    else:
        yield own


if __name__ == "__main__":
    main()
