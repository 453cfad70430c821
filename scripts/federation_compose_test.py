#!/usr/bin/env python3
"""Checks federation/ without Docker: what docker-compose.yml says against what the deployment guide promises.

    scripts/federation_compose_test.py [--schema FILE] [--bin DIR]

Holds if the variables, their defaults, ports and names are those of the guide, nothing has a default password, every file
that is mounted is there, and `.env.production` has every variable. With --schema (compose-spec.json of
github.com/compose-spec/compose-spec) the file is checked against it, too; with --bin (which holds icn-federation) the
catalog is checked and `alembic` is run.

Needs python3 with yaml (Debian: python3-yaml; or `python3 -m venv V && V/bin/pip install pyyaml`), and for --schema
jsonschema.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import yaml
except ImportError:
    sys.exit("python3 has no yaml: install python3-yaml, or use a venv with pyyaml")

FOLDER = Path(__file__).resolve().parent.parent / "federation"
# The guide's table: the default, None where a value is needed. Those that are needed have no default here, whatever the
# guide's table shows beside them ([] and admin).
VARIABLES = {
    "DB_PASSWORD": None,
    "POSTGRES_PORT": "5433",
    "NATS_PORT": "4223",
    "NATS_HTTP_PORT": "8223",
    "FEDERATION_PORT": "8001",
    "FEDERATION_API_KEYS": None,
    "HEARTBEAT_STALE_THRESHOLD_SECONDS": "90",
    "HEARTBEAT_STALE_CHECK_INTERVAL_SECONDS": "60",
    "PROMETHEUS_PORT": "9091",
    "GRAFANA_PORT": "3001",
    "GRAFANA_PASSWORD": None,
    "LOG_LEVEL": "info",
}
# Our own.
VARIABLES_BESIDE = {"PUBLISH_ADDRESS": "127.0.0.1"}
# The port inside of each one outside.
PORTS = {
    "POSTGRES_PORT": ("postgres", "5432"),
    "NATS_PORT": ("nats", "4222"),
    "NATS_HTTP_PORT": ("nats", "8222"),
    "FEDERATION_PORT": ("federation", "8001"),
    "PROMETHEUS_PORT": ("prometheus", "9090"),
    "GRAFANA_PORT": ("grafana", "3000"),
}
# Reached from this machine only, whatever PUBLISH_ADDRESS says.
LOCAL = {"POSTGRES_PORT", "NATS_HTTP_PORT", "PROMETHEUS_PORT"}
SECRETS = {"DB_PASSWORD": "p4ss-word_", "FEDERATION_API_KEYS": '["key-one-1","key-two-2"]', "GRAFANA_PASSWORD": "gr4fana_"}
REFERENCE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}|\$(\w+)|\$\$")


class Missing(Exception):
    pass


def interpolated(value, env):
    """A value as compose fills it in."""
    if isinstance(value, dict):
        return {key: interpolated(inner, env) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner, env) for inner in value]
    if not isinstance(value, str):
        return value

    def fill(found):
        name, how, text = found[1] or found[4], found[2], found[3]
        if name is None:
            return "$"
        if env.get(name):
            return env[name]
        if how == ":-":
            return text
        raise Missing(f"{name}: {text}" if how else name)

    return REFERENCE.sub(fill, value)


def env_file(path):
    """Variables of a file: the last value of each."""
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value for name, value in pairs}


def references(value):
    """Every variable that is named anywhere, with its default."""
    text = json.dumps(value)
    return {found[1] or found[4]: found[3] if found[2] == ":-" else None for found in REFERENCE.finditer(text)}


class Check:
    def __init__(self):
        self.failed = 0

    def that(self, holds, what):
        if not holds:
            self.failed += 1
            print(f"FAIL {what}")


def check_variables(check, raw):
    named = references(raw)
    wanted = VARIABLES | VARIABLES_BESIDE
    check.that(set(named) == set(wanted), f"variables: {sorted(set(named) ^ set(wanted))}")
    template = env_file(FOLDER / ".env.production")
    check.that(set(template) == set(wanted), f".env.production: {sorted(set(template) ^ set(wanted))}")
    for name, default in wanted.items():
        check.that(named.get(name) == default, f"{name}: default {named.get(name)!r}, not {default!r}")
        check.that(template.get(name) == (default or ""), f".env.production: {name}={template.get(name)}")
    for name in SECRETS:
        try:
            interpolated(raw, {other: value for other, value in SECRETS.items() if other != name})
            check.that(False, f"{name} is not asked for")
        except Missing as missing:
            check.that(str(missing).startswith(f"{name}: "), f"{name}: {missing}")
    try:
        interpolated(raw, template)
        check.that(False, "the template starts as it is")
    except Missing:
        pass


def check_services(check, services):
    check.that(list(services) == ["federation", "postgres", "nats", "prometheus", "grafana"], f"services: {list(services)}")
    for name, service in services.items():
        wanted = f"federation-{'service' if name == 'federation' else name}"
        check.that(service.get("container_name") == wanted, f"{name}: container_name")
        check.that(service.get("healthcheck", {}).get("test", [""])[0] == "CMD", f"{name}: health check")
        check.that(service.get("restart") == "unless-stopped", f"{name}: restart")
        image = service.get("image", "")
        check.that("build" in service or re.search(r":v?\d", image), f"{name}: the version of {image} is not said")
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("."):
                check.that((FOLDER / source).exists(), f"{name}: {source} is not there")
                check.that(mount.endswith(":ro"), f"{name}: {source} can be written")
    for variable, (name, inside) in PORTS.items():
        address = "127.0.0.1" if variable in LOCAL else "192.0.2.1"
        port = f"{address}:{VARIABLES[variable]}:{inside}"
        check.that(port in services[name]["ports"], f"{name}: {port} is not in {services[name]['ports']}")
    count = sum(len(service.get("ports", [])) for service in services.values())
    check.that(count == len(PORTS), f"{count} ports are published")

    database = services["postgres"]["environment"]
    check.that(database["POSTGRES_DB"] == "commandcenter_fed", "name of the database")
    check.that(database["POSTGRES_USER"] == "commandcenter", "user of the database")
    own = services["federation"]["environment"]
    check.that(own["FEDERATION_HOST"] == "0.0.0.0", "the service listens inside its container only")
    check.that(own["DATABASE_URL"] == "postgresql://commandcenter@postgres:5432/commandcenter_fed", "DATABASE_URL")
    check.that(database["POSTGRES_PASSWORD"] == own["DB_PASSWORD"] == SECRETS["DB_PASSWORD"], "DB_PASSWORD")
    check.that(json.loads(own["FEDERATION_API_KEYS"]) == ["key-one-1", "key-two-2"], "FEDERATION_API_KEYS")
    command = services["nats"]["command"]
    check.that(command[command.index("--max_payload") + 1] == "10485760", "--max_payload of NATS")


def check_schema(check, raw, path):
    try:
        import jsonschema
    except ImportError:
        sys.exit("python3 has no jsonschema: install python3-jsonschema, or use a venv")
    validator = jsonschema.Draft7Validator(json.loads(Path(path).read_text()))
    for error in validator.iter_errors(raw):
        check.that(False, f"{'/'.join(map(str, error.absolute_path))}: {error.message}")


def check_program(check, directory, own):
    """The catalog, what the service makes of its variables, and the shim."""
    program = Path(directory).resolve() / "icn-federation"
    with tempfile.TemporaryDirectory() as work:
        env = {"PATH": f"{program.parent}:/usr/bin:/bin", "FEDERATION_DATA_DIR": f"{work}/data"}

        def run(*command, **more):
            return subprocess.run(command, env=env | more, cwd=work, capture_output=True, text=True, timeout=60)

        catalog = run(program, "catalog", "check", FOLDER / "config" / "projects.yaml")
        check.that(catalog.returncode == 0, f"the catalog: {catalog.stderr}")
        variables = {name: value for name, value in own.items()}
        shown = run(program, "config", "show", "--origin", **variables)
        check.that(shown.returncode == 0, f"config show: {shown.stderr}")
        for name in variables:
            # DB_PASSWORD and keys are masked, but their origin is not.
            check.that(f"environment {name}" in shown.stdout, f"{name} sets nothing")
        shim = FOLDER / "alembic"
        check.that(os.access(shim, os.X_OK), "alembic cannot be run")
        first = run(shim, "upgrade", "head")
        check.that(first.returncode == 0 and "applied" in first.stdout, f"alembic upgrade head: {first}")
        second = run(shim, "upgrade", "head")
        check.that(second.returncode == 0 and "of this version" in second.stdout, f"alembic upgrade head again: {second}")
        for other in (["downgrade", "-1"], ["upgrade"], ["upgrade", "head", "--sql"], []):
            refused = run(shim, *other)
            named = "alembic upgrade head" in refused.stderr
            check.that(refused.returncode == 2 and named, f"alembic {other} is not refused: {refused}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schema", help="compose-spec.json")
    parser.add_argument("--bin", help="directory that holds icn-federation")
    args = parser.parse_args()

    check = Check()
    raw = yaml.safe_load((FOLDER / "docker-compose.yml").read_text())
    check_variables(check, raw)
    full = interpolated(raw, SECRETS | {"PUBLISH_ADDRESS": "192.0.2.1"})
    check_services(check, full["services"])
    if args.schema:
        check_schema(check, full, args.schema)
    if args.bin:
        check_program(check, args.bin, full["services"]["federation"]["environment"])
    if check.failed:
        sys.exit(f"{check.failed} checks failed")
    skipped = [flag for flag, value in (("--schema", args.schema), ("--bin", args.bin)) if not value]
    print("federation/ holds" + (f"; not checked without {' and '.join(skipped)}" if skipped else ""))


if __name__ == "__main__":
    main()
