#!/usr/bin/env python3
"""Runs every query of monitoring/federation against a real Prometheus that scrapes a real Federation Service.

    scripts/federation_monitoring_test.py [--bin DIR]

DIR holds icn-federation (target/debug if nothing says). Starts it with SQLite, a NATS server and Prometheus on free loopback
ports in a temporary folder, registers projects, beats for them, lets one fall silent, and then asks for every panel's and
every alert's expression. Holds if each is answered, names only metrics that there are, and has data, or is in EMPTY below
with the reason. Then NATS is stopped and started: the alerts for that must become pending, and end. Files are checked by
promtool, and the rules by their own tests; each alert has a section in docs/operating/federation-alerts.md. What amtool checks (Debian:
prometheus-alertmanager) is left out, and said, where it is missing.

Needs python3, prometheus with promtool, and nats-server in PATH (Debian: prometheus, nats-server). Takes about a minute. Ends
its own processes, whatever happens.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from live_prometheus import (
    GRAFANA, MADE_OF_ALERTS, Failed, Programs, Prometheus, call, check_panels, check_rules, free_port, panels, promtool, replaced,
    until,
)

FILES = Path(__file__).resolve().parent.parent / "monitoring" / "federation"
KEY = "monitoring-test-key"
THRESHOLD_SECONDS = 3
# Of those that beat, and one that stops.
PROJECTS = [f"project-{number}" for number in range(12)]
SILENT = "silent"
# Queries of panels that have nothing to show here, and why.
EMPTY = {
    ("Stale Detection", "Heartbeats a minute, now and an hour before", "B"): "the service is younger than an hour",
}
# Selectors of alerts that match nothing here, and why.
EMPTY_SELECTORS = {
    'federation_http_requests_total{status=~"5.."}': "no request fails",
    "prometheus_notifications_errors_total": "there is no Alertmanager that could fail",
}
# A metric that there is only where Prometheus knows an Alertmanager.
NOT_YET = {"prometheus_notifications_errors_total"}
# What fires although nothing else is wrong, and why: this test starts no Alertmanager, as docker-compose.yml does not.
FIRING = {"FederationAlertmanagerMissing"}
# What must be pending while NATS is away.
WITHOUT_NATS = {"FederationNatsDown", "FederationDeaf"}


class Service:
    """The Federation Service, as its users see it."""

    def __init__(self, programs, binary, nats_port):
        env = {
            "FEDERATION_API_KEYS": json.dumps([KEY]),
            "HEARTBEAT_STALE_THRESHOLD_SECONDS": str(THRESHOLD_SECONDS),
            "LOG_LEVEL": "info",
        }
        nats = f"nats://127.0.0.1:{nats_port}"
        self.process, self.log = programs.start(
            "federation", binary, "--data-dir", "data", "--port", "0", "--nats-url", nats, **env
        )
        listening = lambda: re.search(r"listening on (http://\S+)", self.log.read_text())
        self.url = until(listening, "the service does not say where it listens")[1]
        until(lambda: call(f"{self.url}/readyz")[0] == 200, "the service is not ready")
        until(lambda: call(f"{self.url}/health/nats")[0] == 200, "the service does not reach NATS")

    def call(self, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
        return call(self.url + path, data, headers)

    def register(self, slug):
        entry = {"project_slug": slug, "name": slug.title(), "hub_url": "http://localhost:9001", "mesh_namespace": f"hub.{slug}"}
        code, body = self.call("/api/fed/projects", entry)
        if code not in (200, 201):
            raise Failed(f"{slug} is not registered: {code} {body!r}")


class Hubs(threading.Thread):
    """Beats for all projects, over NATS and HTTP, some of it wrong, and reads the catalog."""

    def __init__(self, service, nats_port):
        super().__init__(daemon=True)
        self.service, self.nats_port, self.stopping = service, nats_port, threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.nats_port), 5) as nats:
                    nats.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\n')
                    # The guide's own try: a project that nobody has registered. Once, or the alert for it would be right.
                    nats.sendall(b'PUB hub.presence.test 14\r\n{"test": true}\r\n')
                    while not self.stopping.wait(0.5):
                        self.beat(nats)
            except OSError:
                # NATS is stopped on purpose: come back when it does.
                self.stopping.wait(0.2)

    def beat(self, nats):
        for slug in PROJECTS:
            body = json.dumps({"project_slug": slug, "status": "online"}).encode()
            nats.sendall(b"PUB hub.presence.%s %d\r\n%s\r\n" % (slug.encode(), len(body), body))
        self.service.call(f"/api/fed/projects/{PROJECTS[0]}/heartbeat", {"project_slug": PROJECTS[0], "status": "online"})
        self.service.call("/api/fed/projects")
        self.service.call(f"/api/fed/projects/{PROJECTS[1]}")
        self.service.call("/api/fed/projects/nobody")


def watched_by_prometheus(programs, work, target):
    """A Prometheus with the files of the project, of which only times and addresses are others."""
    port = free_port()
    config = replaced(
        (FILES / "prometheus.yml").read_text(),
        (
            ("scrape_interval: 15s", "scrape_interval: 1s"),
            ("evaluation_interval: 30s", "evaluation_interval: 1s"),
            ('"federation:8001"', json.dumps(target)),
            ('"localhost:9090"', json.dumps(f"127.0.0.1:{port}")),
        ),
        "prometheus.yml",
    )
    (work / "prometheus.yml").write_text(config)
    rules = (FILES / "alerts.yml").read_text()
    (work / "alerts.yml").write_text(rules.replace("interval: 30s", "interval: 1s"))
    prometheus = Prometheus(programs, port)
    until(lambda: prometheus.get("query", query='up{job="federation"} == 1')["result"], "the service is not scraped")
    return prometheus


def check_files():
    for command in (("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")):
        promtool(FILES, *command)
    rules = (FILES / "alerts.yml").read_text()
    alerts = re.findall(r"- alert: (\w+)$", rules, re.M)
    runbook = (FILES.parent.parent / "docs/operating/federation-alerts.md").read_text()
    if sorted(re.findall(r"^### (\w+)$", runbook, re.M)) != sorted(alerts):
        raise Failed("docs/operating/federation-alerts.md has other sections than there are alerts")
    if re.findall(r"runbook_url: (\S+)$", rules, re.M) != [f"docs/operating/federation-alerts.md#{name.lower()}" for name in alerts]:
        raise Failed("alerts.yml: runbook_url of an alert is not the one of its section")


def check_alertmanager(work):
    if not shutil.which("amtool"):
        print("alertmanager.yml: not checked, for there is no amtool")
        return
    # An amtool before 0.26 reads addresses of webhooks from no file.
    text = re.sub(r"url_file: secrets/(\S+)", r"url: http://127.0.0.1:9/\1", (FILES / "alertmanager.yml").read_text())
    (work / "alertmanager.yml").write_text(text)
    done = subprocess.run(("amtool", "check-config", work / "alertmanager.yml"), capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"alertmanager.yml: {done.stdout}{done.stderr}")
    print("amtool check-config alertmanager.yml, with url for url_file: ok", flush=True)


def check_outage(programs, nats, nats_command, prometheus):
    """Without NATS the alerts for that are pending, with it again none is."""
    nats.terminate()
    nats.wait(10)
    until(lambda: WITHOUT_NATS <= set(prometheus.alerts()), f"without NATS {WITHOUT_NATS} are not all pending")
    programs.start("nats", *nats_command)
    until(lambda: not WITHOUT_NATS & set(prometheus.alerts()), "with NATS again its alerts do not end")
    print(f"without NATS pending, and no longer with it: {', '.join(sorted(WITHOUT_NATS))}")


def run(binary, work, programs):
    check_files()
    check_alertmanager(work)
    nats_port = free_port()
    nats_command = ("nats-server", "--addr", "127.0.0.1", "--port", str(nats_port))
    nats, _ = programs.start("nats", *nats_command)
    service = Service(programs, binary, nats_port)
    for slug in (*PROJECTS, SILENT):
        service.register(slug)
    hubs = Hubs(service, nats_port)
    hubs.start()
    prometheus = watched_by_prometheus(programs, work, service.url.removeprefix("http://"))
    # Late enough that Prometheus has seen the count of those that went stale before it grew.
    service.call(f"/api/fed/projects/{SILENT}/heartbeat", {"project_slug": SILENT, "status": "online"})
    until(lambda: prometheus.has_data("increase(stale_projects_total[1m]) > 0"), f"{SILENT} does not go stale")
    # Rates need two samples, and what was missing at the start may still be in their window.
    time.sleep(15)

    names = prometheus.names() | MADE_OF_ALERTS | NOT_YET
    wrong, asked = check_panels(prometheus, panels(FILES / "dashboards", GRAFANA), names, EMPTY)
    of_rules, rules = check_rules(prometheus, names, EMPTY_SELECTORS, FIRING)
    wrong += of_rules
    log = service.log.read_text()
    wrong += [f"in the service's log: {line}" for line in log.splitlines() if " ERROR " in line]
    if wrong:
        raise Failed("\n  ".join(["queries:", *wrong]))
    print(f"{asked + rules} queries are answered; empty, as they are to be: {', '.join(name for _, name, _ in EMPTY)}")
    check_outage(programs, nats, nats_command, prometheus)
    hubs.stopping.set()
    hubs.join()
    if service.process.poll() is not None:
        raise Failed("the service has ended")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="target/debug", help="directory that holds icn-federation")
    binary = Path(parser.parse_args().bin).resolve() / "icn-federation"
    if not os.access(binary, os.X_OK):
        sys.exit(f"{binary} is missing: cargo build -p icn-federation")
    for program in ("prometheus", "promtool", "nats-server"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: install prometheus and nats-server")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        programs = Programs(work)
        try:
            run(binary, work, programs)
        except Failed as error:
            for log in sorted(work.glob("*.log")):
                print(f"--- {log.name}\n{''.join(log.read_text().splitlines(True)[-8:])}", file=sys.stderr)
            sys.exit(f"FAIL {error}")
        finally:
            programs.end()


if __name__ == "__main__":
    main()
