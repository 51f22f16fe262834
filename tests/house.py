#!/usr/bin/env python3
"""What a stranger who greps finds: names that say little, names that mean several things, long files.

Prints free functions with a one-word name that another file calls (each is defended by its module's name),
type names used for three or more types, public items without a doc comment in `lab` and `reports`, files over
600 lines, and the times of `tests/times.tsv` as they were noted there. Run from anywhere; reads the sources and
writes nothing.
"""

import csv
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIMES = ROOT / "tests" / "times.tsv"
LONGEST = 600
MEANINGS = 3
FUNCTION = re.compile(r"^(?:pub(?:\([^)]*\))? )(?:const )?(?:async )?fn ([a-z0-9_]+)", re.M)
TYPE = re.compile(r"^(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|type) ([A-Z]\w*)", re.M)
PUBLIC = re.compile(r"^\s*pub (?:const |async )*(?:fn|struct|enum|trait|type|const|static) (\w+)")
TESTS = re.compile(r"^#\[cfg\(test\)\]\n(?:#\[.*\]\n)*(?:pub(?:\([^)]*\))? )?mod \w+ \{", re.M)
# With strings and brackets in it, over as many lines as it has; `#[doc…]` is a doc comment.
ATTRIBUTE = re.compile(r'^[ \t]*#\[(?!doc)(?:"(?:\\.|[^"\\])*"|\[[^\]]*\]|[^]["])*\]', re.M | re.S)


def sources():
    for path in sorted(ROOT.rglob("*.rs")):
        if not {"target", ".git"} & set(path.relative_to(ROOT).parts):
            yield path.relative_to(ROOT), path.read_text()


def without_tests(text):
    """The text before a file's own tests; a test module in another file (`mod tests;`) ends nothing."""
    return TESTS.split(text, maxsplit=1)[0]


def without_attributes(text):
    """The same lines, those of attributes empty."""
    return ATTRIBUTE.sub(lambda found: "\n" * found.group().count("\n"), text)


def one_word_functions(files):
    for path, text in files.items():
        for name in FUNCTION.findall(without_tests(text)):
            if "_" in name or name == "main":
                continue
            called = re.compile(rf"\b{name}(?:::<[^>]*>)?\(|::{name}\b")
            if any(called.search(other) for at, other in files.items() if at != path):
                yield f"{path.parent.name if path.stem in ('mod', 'lib') else path.stem}::{name}"


def type_names(files):
    rooms = {}
    for path, text in files.items():
        for name in set(TYPE.findall(without_tests(text))):
            rooms.setdefault(name, []).append(str(path))
    return {name: paths for name, paths in rooms.items() if len(paths) >= MEANINGS}


def undocumented(files):
    for path, text in files.items():
        if not str(path).startswith(("lab/src", "reports/src")) or "test" in path.stem:
            continue
        lines = without_attributes(without_tests(text)).split("\n")
        for at, line in enumerate(lines):
            named = PUBLIC.match(line)
            if named and not documented(lines, at):
                yield f"{path}:{at + 1}: {named.group(1)}"


def documented(lines, at):
    """Whether the nearest line above that is not empty is a doc comment."""
    above = next((line.strip() for line in reversed(lines[:at]) if line.strip()), "")
    return above.startswith(("///", "#[doc"))


def times():
    with TIMES.open() as table:
        for row in csv.DictReader(table, delimiter="\t"):
            yield f"{row['what']}: {row['before']} before, {row['after']} after"


def show(title, items):
    items = list(items)
    print(f"{title}: {len(items)}")
    for item in items:
        print(f"  {item}")


def main():
    files = dict(sources())
    code = {path: text for path, text in files.items() if path.parts[0] != "tests"}
    show("free functions with a one-word name, called from another file", one_word_functions(code))
    names = sorted(type_names(code).items(), key=lambda it: -len(it[1]))
    show(f"type names used for {MEANINGS} types or more", (f"{name} {len(at)}" for name, at in names))
    show("public items of lab and reports without a doc comment", undocumented(files))
    long = ((path, text.count("\n")) for path, text in files.items())
    show(f"files over {LONGEST} lines", (f"{path} {n}" for path, n in long if n > LONGEST))
    show("build and test times", times())


main()
