#!/usr/bin/env python3
"""Writes the Kubernetes objects of monitoring/ from the chart in monitoring/helm.

    scripts/monitoring_manifests.py [--check]

`kubectl apply -f monitoring/` and `helm install icn-monitoring monitoring/helm/` are to bring about the same, so one is made
of the other: each template, with the chart's values, for the namespace icn-monitoring, becomes a file. --check writes nothing
and fails where a file is not what it would be. Only as much of Helm's language is known here as the templates use; anything
else is an error. Where there is a helm, --check asks it, too, and compares the objects.

Needs python3 with yaml (Debian: python3-yaml).
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import yaml
except ImportError:
    sys.exit("python3 has no yaml: install python3-yaml, or use a venv with pyyaml")

CHART = Path(__file__).resolve().parent.parent / "monitoring" / "helm"
OUT = CHART.parent
NAMESPACE = "icn-monitoring"
HEAD = "# Written by scripts/monitoring_manifests.py from monitoring/helm; change that, and run it again.\n"
# It comes first by its name, and kubectl goes by that. Nodes let in whom the label names.
NAMESPACE_FILE = (
    "00-namespace.yml",
    f'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n  labels:\n    icn.coop/monitoring: "true"\n',
)
ACTION = re.compile(r"(\s*)\{\{-\s*(.*?)\s*\}\}|\{\{\s*(.*?)\s*\}\}", re.S)
RANGE = re.compile(r'range \$path, \$_ := \.Files\.Glob "([^"]+)"')


class Unknown(Exception):
    pass


def indent(text, width):
    return "\n".join(" " * int(width) + line for line in text.split("\n"))


FUNCTIONS = {
    "indent": lambda text, width: indent(text, width),
    "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "trimSuffix": lambda text, suffix: text.removesuffix(suffix.strip('"')),
}


def value(expression, values, path):
    """What a pipeline comes to: a value of the chart, the namespace, a file, or the path that is being gone through."""
    first, *pipes = (part.strip() for part in expression.split("|"))
    name = first.removeprefix("$")
    if name == ".Release.Namespace":
        result = NAMESPACE
    elif name.startswith(".Values."):
        result = values
        for key in name.split(".")[2:]:
            result = result[key]
    elif name == ".Files.Get $path":
        result = (CHART / path).read_text()
    elif found := re.fullmatch(r'\.Files\.Get "([^"]+)"', name):
        result = (CHART / found[1]).read_text()
    elif first == "base $path":
        result = Path(path).name
    else:
        raise Unknown(f"{{{{ {expression} }}}}")
    for pipe in pipes:
        function, *arguments = pipe.split()
        if function not in FUNCTIONS:
            raise Unknown(f"{{{{ {expression} }}}}")
        result = FUNCTIONS[function](result, *arguments)
    return str(result)


def rendered(template, values, path=None):
    """A template's text. `{{-` takes the white space before it away, as in Helm."""
    out, at = [], 0
    while found := ACTION.search(template, at):
        trimmed, plain = found[2], found[3]
        out.append(template[at : found.start()] + ("" if trimmed else found[1] or ""))
        action = trimmed or plain
        if ranged := RANGE.fullmatch(action):
            end = re.compile(r"\s*\{\{- end \}\}").search(template, found.end())
            if not end:
                raise Unknown(action)
            for file in sorted(CHART.glob(ranged[1])):
                out.append(rendered(template[found.end() : end.start()], values, file.relative_to(CHART)))
            at = end.end()
            continue
        out.append(value(action, values, path))
        at = found.end()
    return "".join(out) + template[at:]


def manifests():
    """Every file of monitoring/, by name."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    files = dict([NAMESPACE_FILE])
    for template in sorted((CHART / "templates").glob("*.yaml")):
        try:
            text = rendered(template.read_text(), values)
        except (Unknown, KeyError) as error:
            raise Unknown(f"{template.name}: not known here: {error}") from error
        files[f"{template.stem}.yml"] = re.sub(r"[ \t]+$", "", text, flags=re.M)
    return {name: HEAD + text for name, text in files.items()}


def objects(text):
    """The objects of a text by kind and name."""
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text) if one}


def check_helm(files):
    """What helm itself makes of the chart."""
    if not shutil.which("helm"):
        print("helm template: not compared, for there is no helm")
        return
    command = ("helm", "template", "icn-monitoring", str(CHART), "--namespace", NAMESPACE)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Unknown(f"helm template: {done.stderr}")
    own = {key: one for name, text in files.items() if name != NAMESPACE_FILE[0] for key, one in objects(text).items()}
    if objects(done.stdout) != own:
        raise Unknown("helm makes other objects of the chart")
    print(f"helm template: the same {len(own)} objects")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where something would change")
    check = parser.parse_args().check
    try:
        files = manifests()
        there = {path.name for path in OUT.glob("*") if path.is_file()}
        if check:
            check_helm(files)
    except Unknown as error:
        sys.exit(f"FAIL {error}")
    stale = sorted(there - set(files))
    if check:
        wrong = stale + [name for name, text in files.items() if not (OUT / name).exists() or (OUT / name).read_text() != text]
        if wrong:
            sys.exit(f"FAIL monitoring/ is not what scripts/monitoring_manifests.py writes: {', '.join(wrong)}")
        count = sum(len(objects(text)) for text in files.values())
        print(f"monitoring/: {count} objects in {len(files)} files are those of the chart")
        return
    for name in stale:
        print(f"monitoring/{name} is none of the chart's: remove it", file=sys.stderr)
    for name, text in files.items():
        (OUT / name).write_text(text)


if __name__ == "__main__":
    main()
