#!/usr/bin/env bash
# Carries out the last stage of Dockerfile without Docker, and runs what comes out.
#
#   scripts/dockerfile_test.sh [--bin DIR] [--root DIR]
#
# In a clean Debian bookworm, each RUN, COPY, ENV and WORKDIR is done as Dockerfile says; what the build stage would have made
# comes from DIR (target/debug). Then CMD is run as USER, on a root that cannot be written but for VOLUME and /tmp, in
# namespaces of its own. Holds if the HEALTHCHECK command says that it is healthy, the node answers on the ports of EXPOSE,
# `icn-cli status` needs no flags, and the node ends in order on SIGTERM. The build stage itself is read and not run: it is a
# whole release build.
#
# --root is a bookworm made by `debootstrap --variant=minbase`, which stays as it is; without, one is made. Needs root,
# debootstrap (Debian: debootstrap), python3 and openssl, and a mirror of Debian (DEBIAN_MIRROR). Ends its own processes,
# whatever happens.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=target/debug
root=
while [ $# -gt 0 ]; do
    case $1 in
    --bin) bin=$2 && shift 2 ;;
    --root) root=$2 && shift 2 ;;
    *) echo "usage: $0 [--bin DIR] [--root DIR]" >&2 && exit 2 ;;
    esac
done
[ "$(id -u)" = 0 ] || { echo "only root can carry out an image's steps" >&2 && exit 1; }
needed=(unshare python3 openssl)
[ -n "$root" ] || needed+=(debootstrap)
for program in "${needed[@]}"; do
    command -v "$program" >/dev/null || { echo "$program is missing: install debootstrap, python3 and openssl" >&2 && exit 1; }
done
for program in icn-node icn-cli; do
    [ -x "$bin/$program" ] || { echo "$bin has no $program: build it, or say --bin" >&2 && exit 1; }
done
bin=$(cd "$bin" && pwd)
if [ -z "${DOCKERFILE_TEST_INSIDE:-}" ]; then
    export DOCKERFILE_TEST_INSIDE=1
    exec unshare --mount bash "$0" --bin "$bin" ${root:+--root "$(cd "$root" && pwd)"}
fi

work=$(mktemp -d)
finish() {
    for mount in image/dev image/proc image over; do
        if mountpoint --quiet "$work/$mount"; then umount --lazy "$work/$mount"; fi
    done
    rm -rf "$work"
}
trap finish EXIT
if [ -z "$root" ]; then
    root=$work/base
    debootstrap --variant=minbase bookworm "$root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$work/debootstrap.log" ||
        { tail -n 5 "$work/debootstrap.log" >&2 && exit 1; }
fi
mkdir "$work/over" "$work/image"
mount -t tmpfs -o mode=755 tmpfs "$work/over"
mkdir "$work/over/upper" "$work/over/work"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/over/upper,workdir=$work/over/work" "$work/image"
mount -t proc proc "$work/image/proc"
mount --bind /dev "$work/image/dev"
cp --remove-destination --dereference /etc/resolv.conf "$work/image/etc/resolv.conf"

# Docker gives every container one.
echo "127.0.0.1 localhost" >"$work/image/etc/hosts"

# The last stage's steps, carried out; what says how to run it goes to $work/run.json.
python3 - "$work" "$bin" <<'PYTHON'
import json, os, re, shlex, shutil, subprocess, sys
from pathlib import Path

work, built = Path(sys.argv[1]), Path(sys.argv[2])
image = work / "image"
lines = [line for line in Path("Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
steps = [step.split(None, 1) for step in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines() if step.strip()]
stages = [at for at, (word, _) in enumerate(steps) if word == "FROM"]
for word, rest in steps[: stages[-1]]:
    print(f"read, not run: {word} {' '.join(rest.split())}")
    if word == "RUN":
        for package in re.findall(r"--package (\S+)", rest):
            assert Path("crates", package, "Cargo.toml").exists(), f"there is no package {package}"
assert steps[stages[-1]][1].startswith("debian:bookworm"), "the last stage is no Debian bookworm"

inside = {"env": {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, "volumes": [], "ports": [], "user": "0:0"}
here = "/"
for word, rest in steps[stages[-1] + 1 :]:
    print(f"{word} {' '.join(rest.split())}", flush=True)
    if word == "RUN":
        command = ["chroot", str(image), "/bin/sh", "-ec", f"cd {here}; {rest}"]
        env = inside["env"] | {"DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(f"failed: {done.stdout[-3000:]}")
    elif word == "COPY":
        words = shlex.split(rest)
        flags, (*sources, target) = [w for w in words if w.startswith("--")], [w for w in words if not w.startswith("--")]
        for source in sources:
            at = built / Path(source).name if "--from=build" in flags else Path(source)
            to = image / target.lstrip("/") / at.name if target.endswith("/") else image / target.lstrip("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(at, to)
    elif word == "ENV":
        inside["env"] |= dict(pair.split("=", 1) for pair in shlex.split(rest))
    elif word == "WORKDIR":
        here = rest.strip()
        (image / here.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif word == "VOLUME":
        inside["volumes"] += rest.split()
    elif word == "EXPOSE":
        inside["ports"] += rest.split()
    elif word == "USER":
        inside["user"] = rest.strip()
    elif word == "CMD":
        inside["command"] = json.loads(rest)
    elif word == "HEALTHCHECK":
        inside["health"] = rest.split("CMD", 1)[1].strip()
    else:
        sys.exit(f"this test does not know the step {word}")
assert inside["user"].split(":")[0] != "0", "the image runs as root"
inside["here"] = here
(work / "run.json").write_text(json.dumps(inside))
PYTHON

# What an operator mounts: a configuration, a key under a passphrase, a certificate.
mkdir "$work/secrets"
openssl rand -hex 32 >"$work/secrets/key_passphrase"
ICN_KEY_PASSPHRASE_FILE=$work/secrets/key_passphrase "$bin/icn-cli" --quiet key new "$work/secrets/node.key" --encrypt >/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=node \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
    -keyout "$work/secrets/key.pem" -out "$work/secrets/cert.pem" 2>/dev/null
# As in production, with an embedded store.
python3 - >"$work/config.toml" <<'PYTHON'
import re
text = open("configs/production.toml").read()
text = re.sub(r'backend = .*\nconnection_string = .*\n', 'backend = "fjall"\n', text)
text = re.sub(r'"/secrets/(?:tls|identity)/', '"/secrets/', text)
print(text.replace('auth_token_env = "ICN_AUTH_TOKEN"\n', ""))
PYTHON

export work
unshare --net --pid --fork --kill-child --mount-proc bash -euo pipefail <<'INSIDE'
image=$work/image
told() { python3 -c "import json, os; it = json.load(open(os.environ['work'] + '/run.json')); print($1)"; }
ip link set lo up 2>/dev/null || python3 - <<'PYTHON'
import fcntl, socket, struct
with socket.socket() as one:
    fcntl.ioctl(one, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
PYTHON
user=$(told 'it["user"]')
mkdir -p "$image/secrets"
mount -t tmpfs tmpfs "$image/secrets"
cp "$work"/secrets/* "$image/secrets/"
chown -R "$user" "$image/secrets"
mount --bind "$work/config.toml" "$image/etc/icn/config.toml"
chmod 644 "$work/config.toml"
mount -t tmpfs tmpfs "$image/tmp"
for volume in $(told '" ".join(it["volumes"])'); do
    # A new volume has the owner that the image gives it.
    owner=$(stat -c %u:%g "$image$volume")
    mount -t tmpfs -o "uid=${owner%:*},gid=${owner#*:},mode=700" tmpfs "$image$volume"
done
mount -t proc proc "$image/proc"
in_image() {
    env --ignore-environment $(told '" ".join(f"{k}={v}" for k, v in it["env"].items())') \
        ICN_KEY_PASSPHRASE_FILE=/secrets/key_passphrase ICN_API_KEY=key-of-a-test-0123456789 ICN_CA_CERT=/secrets/cert.pem \
        chroot --userspec="$user" "$image" /bin/sh -c "cd $(told 'it["here"]'); $1"
}
mount -o remount,ro "$image"
in_image "touch /usr/local/bin/written 2>/dev/null" && echo "failed: the node could change its own programs" && exit 1
command=$(told '__import__("shlex").join(it["command"])')
in_image "exec $command" >"$work/node.log" 2>&1 &
node=$!
health=$(told 'it["health"]')
for _ in $(seq 150); do
    in_image "$health" >/dev/null 2>"$work/health.log" && break
    [ -d "/proc/$node" ] || break
    sleep 0.2
done
if ! in_image "$health" >/dev/null; then
    tail -n 20 "$work/node.log" "$work/health.log"
    echo "failed: not healthy" && exit 1
fi
echo "ok: healthy, by the image's own health check"
for port in $(told '" ".join(it["ports"])'); do
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 5)" || { echo "failed: nobody listens on $port"; exit 1; }
done
echo "ok: listens on the ports that the image names"
in_image "icn-cli status" >"$work/status.log" 2>&1 || { cat "$work/status.log"; echo "failed: icn-cli status"; exit 1; }
echo "ok: icn-cli status in the container"
kill -TERM "$(pgrep -P "$node" icn-node || echo "$node")"
wait "$node" || { echo "failed: the node did not end in order"; exit 1; }
echo "ok: ends in order"
INSIDE
echo "the image's last stage holds"
