#!/usr/bin/env python3
"""Runs a node behind HAProxy and behind nginx, with deploy/haproxy/haproxy.cfg and deploy/nginx/icn-node.conf.

    scripts/proxy_test.py [--bin DIR]

DIR holds icn-node and icn-cli (target/debug if nothing says). Holds, of each proxy, if /health is answered over TLS, plain HTTP
is sent on to it, events of a stream arrive when they happen, a request may wait for the minute that the node allows, the node sees the client's address and not the proxy's, and a client cannot pretend to be another. In the
configurations only ports and places are changed. Takes two minutes.

Needs haproxy and nginx (Debian: haproxy, nginx-light), openssl, iproute2, and root or user namespaces: everything listens in a
network namespace of its own. Ends its own processes, whatever happens.
"""

import argparse
import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Documentation's own networks: neither is a machine's.
CLIENT = "192.0.2.7"
PRETENDED = "203.0.113.9"
KEY = "proxy-test-key-0123456789abcdef"
HTTP_PORT, HTTPS_PORT = 8080, 8443
# An event that a proxy keeps back comes with the stream's next sign of life, or never.
LATE_SECONDS = 1.0
# As long as the node lets a request wait: more than the usual timeouts of proxies.
WAIT_SECONDS = 60


class Failed(Exception):
    pass


def inside():
    """Starts this again in a network namespace where the client has an address of its own."""
    if os.environ.get("PROXY_TEST_INSIDE"):
        return
    os.environ["PROXY_TEST_INSIDE"] = "1"
    user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    os.execvp("unshare", ["unshare", *user, "--net", sys.executable, *sys.argv])


def until(holds, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = holds()
        except (OSError, http.client.HTTPException):
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise Failed(f"{what}: not within {seconds} s")


def connect(port, work=None):
    """A connection from the client's address; over TLS if `work` has the certificate."""
    if work is None:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=90, source_address=(CLIENT, 0))
    context = ssl.create_default_context(cafile=work / "cert.pem")
    connection = http.client.HTTPSConnection("localhost", port, timeout=90, source_address=(CLIENT, 0), context=context)
    return connection


def ask(connection, path, **headers):
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer, answer.read()


def stream(connection, arrived):
    """Notes when each event arrives."""
    connection.request("GET", "/events?tail=0", headers={"accept": "text/event-stream", "x-api-key": KEY})
    answer = connection.getresponse()
    if answer.status != 200:
        raise Failed(f"the stream: {answer.status}")

    def follow():
        while line := answer.fp.readline() if not answer.chunked else answer.readline():
            if line.startswith(b"id:"):
                arrived[int(line[3:])] = time.monotonic()

    threading.Thread(target=follow, daemon=True).start()


def certificate(work):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        + ["-subj", "/CN=node", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        + ["-addext", "basicConstraints=critical,CA:FALSE"]
        + ["-keyout", work / "key.pem", "-out", work / "cert.pem"],
        check=True,
        capture_output=True,
    )
    (work / "both.pem").write_text((work / "cert.pem").read_text() + (work / "key.pem").read_text())


def changed(text, changes):
    """A configuration with other places; each of those that are changed has to be there."""
    for old, new in changes:
        if old not in text:
            raise Failed(f"the configuration has no {old!r}")
        text = text.replace(old, new)
    return text


def haproxy(work):
    text = changed(
        (ROOT / "deploy/haproxy/haproxy.cfg").read_text(),
        [
            ("bind :443", f"bind 127.0.0.1:{HTTPS_PORT}"),
            ("bind :80", f"bind 127.0.0.1:{HTTP_PORT}"),
            ("/etc/haproxy/certs/icn-node.pem", str(work / "both.pem")),
        ],
    )
    file = work / "haproxy.cfg"
    file.write_text(text)
    return ["haproxy", "-c", "-f", file], ["haproxy", "-db", "-f", file]


def nginx(work):
    text = changed(
        (ROOT / "deploy/nginx/icn-node.conf").read_text(),
        [
            ("listen [::]:443 ssl http2;", ""),
            ("listen [::]:80;", ""),
            ("listen 443 ssl http2", f"listen 127.0.0.1:{HTTPS_PORT} ssl http2"),
            ("listen 80", f"listen 127.0.0.1:{HTTP_PORT}"),
            ("node.bakery.example", "localhost"),
            ("/etc/ssl/icn/cert.pem", str(work / "cert.pem")),
            ("/etc/ssl/icn/key.pem", str(work / "key.pem")),
        ],
    )
    (work / "icn-node.conf").write_text(text)
    places = "".join(f"{name}_temp_path {work}/nginx-{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    file = work / "nginx.conf"
    file.write_text(
        f"user root; daemon off; pid {work}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {places} include {work}/icn-node.conf; }}\n"
    )
    command = ["nginx", "-p", work, "-e", "stderr", "-c", file]
    return [*command, "-t"], command


def node(work, directory):
    """Starts a node; returns its process."""
    (work / "config.toml").write_text(
        f"""
        [network]
        http_listen_addr = "127.0.0.1:7845"
        p2p_listen_addr = "/ip4/127.0.0.1/tcp/7000"
        [storage]
        data_dir = "{work}/data"
        [api]
        api_key = "{KEY}"
        behind_proxy = true
        [monitoring]
        metrics_bind_addr = "127.0.0.1:9090"
        [audit]
        enabled = true
        """
    )
    log = (work / "node.log").open("wb")
    return subprocess.Popen([directory / "icn-node", "--config", work / "config.toml"], stdout=log, stderr=log)


def check(name, work, cli):
    answer, body = until(lambda: ask(connect(HTTPS_PORT, work), "/health"), f"/health behind {name}")
    if answer.status != 200 or not json.loads(body)["alive"]:
        raise Failed(f"/health: {answer.status} {body}")
    answer, _ = ask(connect(HTTP_PORT), "/health", host="localhost")
    if answer.status != 308 or not answer.headers["location"].startswith("https://localhost"):
        raise Failed(f"plain HTTP: {answer.status} {answer.headers}")

    # The client's address is what the audit log has of a request that is denied.
    audit = work / "data" / "audit.log"
    until(lambda: audit.exists(), "the audit log")
    for pretended in ({}, {"X_Forwarded_For": PRETENDED}):
        before = audit.stat().st_size
        answer, body = ask(connect(HTTPS_PORT, work), "/v1/keys", **pretended)
        if answer.status != 401:
            raise Failed(f"without a key: {answer.status} {body}")

        def written():
            with audit.open("rb") as file:
                file.seek(before)
                return [json.loads(line) for line in file]

        lines = until(written, "a line of the audit log")
        if f'"{CLIENT}"' not in json.dumps(lines) or PRETENDED in json.dumps(lines):
            raise Failed(f"the node sees another client than {CLIENT}: {lines}")

    # Events: a stream through the proxy beside one that goes to the node.
    through, straight = {}, {}
    stream(connect(HTTPS_PORT, work), through)
    stream(connect(7845), straight)
    time.sleep(1)
    cli("job", "submit", ROOT / "jobs/noop/module.wasm", "--wait")
    until(lambda: len(straight) >= 3 and set(straight) == set(through), "the same events on both streams", 10)
    late = max(through[number] - straight[number] for number in straight)
    if late > LATE_SECONDS:
        raise Failed(f"an event came {late:.1f} s later than it should")

    # A request that waits for something that does not come.
    unknown = "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    started = time.monotonic()
    answer, body = ask(connect(HTTPS_PORT, work), f"/v1/operations/{unknown}?wait_ms={1000 * WAIT_SECONDS}", x_api_key=KEY)
    waited = time.monotonic() - started
    if answer.status != 404 or waited < WAIT_SECONDS:
        raise Failed(f"a request that waits: {answer.status} {body} after {waited:.0f} s")
    print(f"ok {name}: {len(straight)} events, at most {1000 * late:.0f} ms later; a request waited {waited:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="target/debug", help="directory that holds icn-node and icn-cli")
    args = parser.parse_args()
    directory = Path(args.bin).resolve()
    for program in ("haproxy", "nginx", "openssl", "ip", "unshare"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: install haproxy, nginx-light, openssl, iproute2 and util-linux")
    for program in ("icn-node", "icn-cli"):
        if not (directory / program).exists():
            sys.exit(f"{directory} has no {program}: build it, or say --bin")
    inside()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{CLIENT}/32", "dev", "lo"], check=True)

    processes = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        # nginx's workers are others than who started it.
        work.chmod(0o755)
        try:
            certificate(work)
            processes.append(node(work, directory))
            until(lambda: ask(connect(7845), "/health")[0].status == 200, "the node")

            def cli(*command):
                env = os.environ | {"ICN_PROFILE": str(work / "data" / "cli.toml")}
                subprocess.run([directory / "icn-cli", "--quiet", *command], env=env, check=True, stdout=subprocess.DEVNULL)

            for name, made in (("haproxy", haproxy), ("nginx", nginx)):
                test, command = made(work)
                tested = subprocess.run(test, capture_output=True, text=True)
                if tested.returncode or "[WARNING]" in tested.stderr or "[warn]" in tested.stderr:
                    raise Failed(f"{name} does not take its configuration: {tested.stdout}{tested.stderr}")
                log = (work / f"{name}.log").open("wb")
                proxy = subprocess.Popen(command, stdout=log, stderr=log)
                processes.append(proxy)
                try:
                    check(name, work, cli)
                except Failed:
                    print((work / f"{name}.log").read_text()[-2000:], file=sys.stderr)
                    raise
                proxy.terminate()
                proxy.wait(20)
        except Failed as failed:
            sys.exit(f"failed: {failed}")
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)


if __name__ == "__main__":
    main()
