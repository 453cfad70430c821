#!/usr/bin/env python3
"""Writes the tables of routes in docs/API.md from docs/reference/openapi.json; what people wrote between them stays.

    scripts/api_reference.py [--check]

A table is between `<!-- routes: TAG -->` and `<!-- end of routes -->`, one for each tag of the document. --check writes nothing, and
ends with 1 where the page differs from the document, or lacks a tag. Needs nothing but python3.
"""

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "API.md"
DOCUMENT = ROOT / "docs" / "reference" / "openapi.json"
# Tables may be of these tags; any other name in the page is a mistake.
TABLE = re.compile(r"(<!-- routes: ([\w-]+) -->\n).*?(<!-- end of routes -->)", re.S)


def scope(operation):
    """What a key has to be good for; none where anybody may ask."""
    scopes = {name for one in operation.get("security", []) for names in one.values() for name in names}
    return " or ".join(f"`{name}`" for name in sorted(scopes)) or "none"


def parameters(operation):
    """Names of the query's parameters."""
    names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
    return ", ".join(f"`{name}`" for name in names)


def table(document, tag):
    """The routes of a tag, in the order of the document."""
    rows = ["| route | scope | what | query |", "|---|---|---|---|"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag in operation.get("tags", []):
                what = operation["summary"].replace("|", "\\|")
                rows.append(f"| `{method.upper()} {path}` | {scope(operation)} | {what} | {parameters(operation)} |")
    return "\n".join(rows) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if the page is not up to date")
    check = parser.parse_args().check
    document, page = json.loads(DOCUMENT.read_text()), PAGE.read_text()
    tags = [tag["name"] for tag in document["tags"]]
    named = [found[2] for found in TABLE.finditer(page)]
    if sorted(named) != sorted(tags):
        sys.exit(f"{PAGE.name} has tables of {sorted(named)}, the document has {sorted(tags)}")
    written = TABLE.sub(lambda found: found[1] + table(document, found[2]) + found[3], page)
    listed = len(re.findall(r"^\| `[A-Z]+ /", written, re.M))
    routes = sum(len(methods) for methods in document["paths"].values())
    if listed != routes:
        sys.exit(f"{PAGE.name} would list {listed} routes, the document has {routes}: one has no tag, or two")
    if check:
        if written != page:
            sys.exit(f"{PAGE.name} is not what {DOCUMENT.name} says: run scripts/api_reference.py")
        print(f"{PAGE.name} lists all {routes} routes")
    elif written != page:
        PAGE.write_text(written)
        print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
