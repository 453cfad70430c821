#!/usr/bin/env python3
"""Runs every query of deploy/monitoring against a real Prometheus that scrapes a real federation of four.

    scripts/monitoring_test.py [--bin DIR] [--shorten FACTOR] [--files-only]

DIR holds icn-node and icn-cli (target/debug if nothing says). First the files are checked by themselves: promtool, amtool,
the tests of the rules, what dashboards and alerts have to have, the commands in docs/operating/alerts.md (--files-only ends
there, and needs icn-cli alone). Then a devnet, Prometheus and, where there is one, Alertmanager start on free loopback ports
in a temporary folder, with the project's files, of which only addresses and times are others: jobs, transfers, a vote, a
round of clearing and a refusal give the metrics something to tell. Holds if every panel's and every rule's expression is
answered, names only metrics that there are, and has data, or is in EMPTY below with the reason. In the end nodes are killed
and started again: their alerts fire, `for` divided by FACTOR (20), get to the webhook, and resolve.

Needs python3 with yaml, and prometheus with promtool in PATH (Debian: python3-yaml, prometheus). What amtool and Alertmanager
check (Debian: prometheus-alertmanager) is left out, and said, where they are missing. Takes about four minutes. Ends its own
processes, whatever happens.
"""

import argparse
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from live_prometheus import (
    GRAFANA, MADE_OF_ALERTS, Failed, Programs, Prometheus, call, check_panels, check_rules, free_port, metrics, panels, promtool,
    replaced, until,
)

try:
    import yaml
except ImportError:
    sys.exit("python3 has no yaml: install python3-yaml, or use a venv with pyyaml")

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT / "deploy" / "monitoring"
BOARDS = FILES / "dashboards"
TITLES = {"ICN Overview", "Network Health", "Job Execution", "Governance Activity", "Credit and Clearing"}
SEATS = ("bakery", "dairy", "mill", "orchard")
TOKEN = "monitoring-test-token"
# A window of 10 s is too short for what a node does now and then.
VARIABLES = GRAFANA | {"$__rate_interval": "1m", "$__range": "10m", "$node": ".*"}
# Queries of panels that have nothing to show here, and why.
EMPTY = {
    ("ICN Overview", "Certificate valid for", "A"): "a devnet's nodes serve plain HTTP",
    ("Governance Activity", "Refused in blocks, a minute", "A"): "proposers leave out what would be refused",
}
# And those that have something to show in some runs.
EITHER_WAY = {
    ("Credit and Clearing", "Not listened to, a minute", "A"): "one end of a line may hear of it before the other's log does",
}
# Selectors of rules that match nothing here, and why.
EMPTY_SELECTORS = {
    'icn_http_requests_total{status=~"5.."}': "no request fails",
    'icn_http_requests_total{status=~"401|403|429"}': "nobody is denied",
    'icn_certificate_not_after_timestamp_seconds': "a devnet's nodes serve plain HTTP",
    'icn_credit_refused_total': "both ends of each line are honest",
    'icn_credit_refused_total{reason=~"signature|key|contradiction|other-end"}': "both ends of each line are honest",
}
# The same where no Alertmanager is installed.
WITHOUT_ALERTMANAGER = {"alertmanager_notifications_failed_total": "there is no Alertmanager"}
# Metrics that have no series while there is nothing to count, so that Prometheus does not know their names.
NOT_YET = {"icn_certificate_not_after_timestamp_seconds", "icn_operations_refused_in_blocks_total", "icn_credit_refused_total"}
# Those of Prometheus and Alertmanager themselves, which docs/reference/metrics.md is not about.
NOT_OURS = re.compile(r"up|ALERTS|prometheus_\w+|alertmanager_\w+")
# Where IcnDiskNearlyFull begins, in GiB.
NEARLY_FULL = 5
# What fires when one of four is killed, and what when another is.
WITHOUT_ONE = {"IcnNodeDown", "IcnQuorumAtRisk", "IcnSeatsOffline"}
WITHOUT_TWO = {"IcnNodeDown", "IcnNoQuorum"}


def expressions():
    """Every expression of the rules' files, by the name of the rule."""
    for file in ("recording.yml", "alerts.yml"):
        for group in yaml.safe_load((FILES / "rules" / file).read_text())["groups"]:
            for rule in group["rules"]:
                yield rule.get("alert") or rule["record"], rule


def check_boards(wrong):
    """What Grafana would accept in silence, and people would not find."""
    boards = {path.name: json.loads(path.read_text()) for path in sorted(BOARDS.glob("*.json"))}
    if {board["title"] for board in boards.values()} != TITLES:
        wrong.append(f"dashboards: {sorted(board['title'] for board in boards.values())}")
    if len({board["uid"] for board in boards.values()}) != len(boards):
        wrong.append("dashboards: two have one uid")
    for name, board in boards.items():
        variables = {variable["name"]: variable["type"] for variable in board["templating"]["list"]}
        if variables.get("datasource") != "datasource" or variables.get("node") != "query":
            wrong.append(f"{name}: variables {variables}")
        if f"{board['uid']}.json" != name:
            wrong.append(f"{name}: uid {board['uid']}")
        ids = [panel["id"] for panel in board["panels"]]
        if len(set(ids)) != len(ids):
            wrong.append(f"{name}: two panels have one id")
        taken = {}
        for panel in board["panels"]:
            place, what = panel["gridPos"], f"{name}, {panel['title']}"
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    if taken.setdefault((x, y), what) != what or x >= 24:
                        wrong.append(f"{what}: lies over {taken[x, y]}, or beyond the edge")
            if panel["type"] == "row":
                continue
            if not panel["description"]:
                wrong.append(f"{what}: no description")
            if panel["type"] == "alertlist":
                continue
            if not panel["fieldConfig"]["defaults"].get("unit"):
                wrong.append(f"{what}: no unit")
            sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
            if any(source != {"type": "prometheus", "uid": "${datasource}"} for source in sources):
                wrong.append(f"{what}: another source than the variable")


def check_words(wrong):
    """What each alert has to have, and that only metrics are named which the reference lists."""
    listed = set(re.findall(r"^\| `(\w+)` ", (ROOT / "docs/reference/metrics.md").read_text(), re.M))
    listed |= {f"{name}_{part}" for name in listed for part in ("bucket", "sum", "count")}
    rules = dict(expressions())
    listed |= {name for name in rules if ":" in name}
    runbook = (ROOT / "docs/operating/alerts.md").read_text()
    sections = re.findall(r"^### (Icn\w+)$", runbook, re.M)
    fired = {
        check["alertname"]
        for path in (FILES / "rules").glob("*_test.yml")
        for test in yaml.safe_load(path.read_text())["tests"]
        for check in test["alert_rule_test"]
        if check.get("exp_alerts")
    }
    alerts = {name: rule for name, rule in rules.items() if "alert" in rule}
    for name, rule in alerts.items():
        words = rule["annotations"]
        if rule["labels"]["severity"] not in ("critical", "warning") or not words["summary"] or not words["description"]:
            wrong.append(f"{name}: severity, summary or description")
        if words["runbook_url"] != f"docs/operating/alerts.md#{name.lower()}":
            wrong.append(f"{name}: runbook_url {words['runbook_url']}")
    wrong += [f"docs/operating/alerts.md: {name}" for name in sorted(set(sections) ^ set(alerts))]
    wrong += [f"{name}: no test of the rules sees it fire" for name in sorted(set(alerts) ^ fired)]
    queries = [(name, rule["expr"]) for name, rule in rules.items()] + list(panels(BOARDS, VARIABLES))
    for place, expression in queries:
        unknown = sorted(name for name in metrics(expression) - listed if not NOT_OURS.fullmatch(name))
        wrong += [f"{place}: docs/reference/metrics.md does not list {name}" for name in unknown]


def check_commands(wrong, cli):
    """Each icn-cli command of the runbook is one."""
    text = (ROOT / "docs/operating/alerts.md").read_text()
    # Lines are broken within `…`, too.
    text = re.sub(r"`[^`\n]*\n[^`\n]*`", lambda found: found[0].replace("\n", " "), text)
    commands = {found.strip() for found in re.findall(r"icn-cli ([^`\n|]+)", text)}
    for command in sorted(commands):
        words = []
        for word in command.split():
            if not re.fullmatch(r"[a-z][a-z-]*", word):
                break
            words.append(word)
        flags = re.findall(r"--[a-z-]+", command)
        done = subprocess.run((cli, *words, "--help"), capture_output=True, text=True)
        is_one = done.returncode == 0
        if not is_one:
            # The last word may be a value, as in `explain NAME`, of a command that has no others in it.
            done = subprocess.run((cli, *words[:-1], "--help"), capture_output=True, text=True)
            is_one = done.returncode == 0 and "\nCommands:" not in done.stdout
        if not is_one or any(flag not in done.stdout for flag in flags):
            wrong.append(f"docs/operating/alerts.md: icn-cli {command} is no command")
    return len(commands)


def check_compose(wrong):
    """That nothing has a default password or a version that changes, and every file that is mounted is there."""
    text = (FILES / "docker-compose-monitoring.yml").read_text()
    raw = yaml.safe_load(text)
    if "${GRAFANA_PASSWORD:?" not in text:
        wrong.append("docker-compose-monitoring.yml: the password of Grafana is not asked for")
    for name, service in raw["services"].items():
        if not re.search(r":v?\d", service["image"]):
            wrong.append(f"docker-compose-monitoring.yml: the version of {service['image']} is not said")
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            if source.startswith(".") and not ((FILES / source).exists() and mount.endswith(":ro")):
                wrong.append(f"docker-compose-monitoring.yml, {name}: {mount}")
        for port in service["ports"]:
            address = "${PUBLISH_ADDRESS:-127.0.0.1}:" if name == "grafana" else "127.0.0.1:"
            if not port.startswith(address):
                wrong.append(f"docker-compose-monitoring.yml, {name}: {port} is open to others")
    for path in yaml.safe_load((ROOT / "docker-compose-monitoring.yml").read_text())["include"]:
        if (ROOT / path) != FILES / "docker-compose-monitoring.yml":
            wrong.append(f"docker-compose-monitoring.yml: includes {path}")
    if (ROOT / "icn-devnet/grafana").resolve() != BOARDS:
        wrong.append("icn-devnet/grafana is something else")


def with_urls(config):
    """For an Alertmanager before 0.26, which reads addresses of webhooks from no file."""
    return re.sub(r"url_file: secrets/(\S+)", r"url: http://127.0.0.1:9/\1", config)


def check_alertmanager(work):
    if not shutil.which("amtool"):
        print("alertmanager.yml: not checked, for there is no amtool")
        return
    text = (FILES / "alertmanager.yml").read_text()
    head, mail = text.split("# By e-mail, too", 1)
    block = "\n".join(line.removeprefix("#") for line in mail.splitlines()[1:])
    done = subprocess.run(("amtool", "--version"), capture_output=True, text=True)
    version = tuple(map(int, re.search(r"version (\d+)\.(\d+)", done.stdout + done.stderr).groups()))
    for what, config in (("as it is", text), ("with e-mail", f"{head.rstrip()}\n{block}\n")):
        (work / "alertmanager-checked.yml").write_text(config if version >= (0, 26) else with_urls(config))
        done = subprocess.run(("amtool", "check-config", "alertmanager-checked.yml"), cwd=work, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"alertmanager.yml {what}: {done.stdout}{done.stderr}")
        note = "" if version >= (0, 26) else ", with url for url_file, which this amtool is too old for"
        print(f"amtool check-config alertmanager.yml {what}: ok{note}", flush=True)


def check_kubernetes_config(work):
    """prometheus-kubernetes.yml; Debian's promtool is built without Kubernetes and checks all but who is discovered."""
    config = (FILES / "prometheus-kubernetes.yml").read_text()
    done = subprocess.run(("promtool", "check", "config", "prometheus-kubernetes.yml"), cwd=work, capture_output=True, text=True)
    if done.returncode != 0 and "kubernetes_sd_configs not found" in done.stderr + done.stdout:
        places = (("kubernetes_sd_configs:\n      - role: pod", "file_sd_configs:\n      - files: [pods.yml]"),)
        text = replaced(config, places, "prometheus-kubernetes.yml")
        (work / "prometheus-kubernetes.yml").write_text(text)
        promtool(work, "check", "config", "prometheus-kubernetes.yml")
        print("prometheus-kubernetes.yml: kubernetes_sd_configs itself is not checked, for this promtool has none")
    elif done.returncode != 0:
        raise Failed(f"promtool check config prometheus-kubernetes.yml: {done.stdout}{done.stderr}")
    else:
        print("promtool check config prometheus-kubernetes.yml: ok", flush=True)


def check_files(work, cli):
    copied = work / "files"
    shutil.copytree(FILES, copied)
    (copied / "secrets" / "metrics-token").touch()
    promtool(copied, "check", "config", "prometheus.yml")
    check_kubernetes_config(copied)
    for file in ("recording.yml", "alerts.yml"):
        promtool(copied / "rules", "check", "rules", file)
    for path in sorted((copied / "rules").glob("*_test.yml")):
        promtool(copied / "rules", "test", "rules", path.name)
    check_alertmanager(work)
    wrong = []
    check_boards(wrong)
    check_words(wrong)
    check_compose(wrong)
    commands = check_commands(wrong, cli)
    done = subprocess.run((sys.executable, ROOT / "scripts/monitoring_manifests.py", "--check"), capture_output=True, text=True)
    print(done.stdout, end="")
    if done.returncode != 0:
        wrong.append(done.stderr.strip())
    if wrong:
        raise Failed("\n  ".join(["files:", *wrong]))
    print(f"dashboards, alerts, compose files and {commands} commands of the runbook: ok", flush=True)


class Devnet:
    """A federation of four with metrics, as icn-cli starts it."""

    def __init__(self, work, directory):
        self.cli, self.dir = str(directory / "icn-cli"), work / "devnet"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("ICN_")}
        self.base = free_base()
        self.up()
        self.run("devnet", "down", "--dir", str(self.dir))
        # What a devnet's nodes do not have by themselves: metrics, behind a token here, and lines that are anchored soon.
        (work / "metrics-token").write_text(TOKEN)
        self.targets = {}
        for name in SEATS:
            self.targets[name] = f"127.0.0.1:{free_port()}"
            path = self.dir / name / "icn.toml"
            settings = (
                f'metrics_enabled = true\nmetrics_bind_addr = "{self.targets[name]}"\n'
                f'metrics_token_file = "{work / "metrics-token"}"\n\n[credit]\nanchor_after_secs = 2'
            )
            path.write_text(replaced(path.read_text(), (("metrics_enabled = false", settings),), "icn.toml"))
        self.up()

    def run(self, *command, check=True):
        done = subprocess.run((self.cli, "--quiet", *command), env=self.env, capture_output=True, text=True, timeout=120)
        if check and done.returncode != 0:
            raise Failed(f"icn-cli {' '.join(command)}: {done.stderr}")
        return done.stdout

    def ask(self, name, *command):
        return json.loads(self.run("--profile", str(self.dir / name / "data" / "cli.toml"), "--json", *command))

    def tell(self, name, *command, check=True):
        return self.run("--profile", str(self.dir / name / "data" / "cli.toml"), *command, check=check)

    def up(self):
        self.run("devnet", "up", "--seats", "4", "--dir", str(self.dir), "--base-port", str(self.base))

    def kill(self, name):
        """Ends a node as a power cut would."""
        nodes = json.loads((self.dir / "devnet.json").read_text())["nodes"]
        os.kill(next(node["process"]["pid"] for node in nodes if node["name"] == name), signal.SIGKILL)

    def errors(self):
        for name in SEATS:
            for line in (self.dir / name / "node.log").read_text().splitlines():
                if " ERROR " in line:
                    yield f"in the log of {name}: {line}"

    def down(self):
        if self.dir.exists():
            self.run("devnet", "down", "--dir", str(self.dir), check=False)


def free_base():
    """A port from which those of four nodes are free, for HTTP and for each other."""
    import socket

    for base in range(20_000, 30_000, 10):
        probes = []
        try:
            for port in (*range(base, base + 4), *range(base + 100, base + 104)):
                probe = socket.socket()
                probes.append(probe)
                probe.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
    raise Failed("no free ports")


class Work(threading.Thread):
    """Gives the federation something to do until it is stopped."""

    def __init__(self, devnet):
        super().__init__(daemon=True)
        self.devnet, self.stopping, self.failed = devnet, threading.Event(), None

    def run(self):
        try:
            while not self.stopping.wait(1):
                self.job()
        except (Failed, OSError, subprocess.TimeoutExpired) as error:
            if not self.stopping.is_set():
                self.failed = error

    def job(self):
        module, text = ROOT / "jobs/word-frequencies/module.wasm", ROOT / "jobs/inputs/cooperation.txt"
        self.devnet.tell("bakery", "job", "submit", str(module), "--stdin", str(text), "--wait")


def trade(devnet):
    """Three lines in a ring, a vote for clearing, and a round of it; a refusal and a backup."""
    ring = [("bakery", "dairy"), ("dairy", "mill"), ("mill", "bakery")]
    lines = []
    for debtor, creditor in ring:
        terms = ("credit", "--title", "trade", "--with", creditor, "--credit", "EUR.2=1000/1000")
        offer = devnet.ask(debtor, "agreement", "propose", *terms)
        devnet.tell(creditor, "agreement", "sign", offer["id"])
        lines.append(f"{offer['id']}:EUR.2")
    for (debtor, _), line in zip(ring, lines):
        met = lambda: not devnet.ask(debtor, "credit", "show", line)["own"]["waits_for_other"]
        until(met, f"{line}: the ends do not meet")
        devnet.tell(debtor, "credit", "pay", line, "100", "--wait", "20")
    proposal = devnet.ask("mill", "proposal", "create", "clearing", "every", "15s", "--join", "4s", "--object", "4s")["id"]
    for name in SEATS:
        devnet.tell(name, "vote", proposal, "yes")
    # More than anybody has: refused as it is handed in, which is told in the metrics.
    devnet.tell("bakery", "mana", "share", "dairy", "1000000000", check=False)
    devnet.tell("bakery", "dag", "backup", "--path", str(devnet.dir))

    def applied():
        rounds = devnet.ask("orchard", "clearing", "ls")["items"]
        return any("applied" in one["record"]["phase"] for one in rounds)

    until(applied, "no round of clearing is applied")
    # Owed again, so that limits are in use.
    for (debtor, _), line in zip(ring, lines):
        devnet.tell(debtor, "credit", "pay", line, "50", "--wait", "20")


class Webhook:
    """Where Alertmanager calls, and what it said: severity, alert, node and whether it fires."""

    def __init__(self):
        self.heard = heard = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                for alert in body["alerts"]:
                    labels = alert["labels"]
                    heard.add((self.path[1:], labels["alertname"], labels.get("node"), alert["status"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]


def start_alertmanager(programs, work, webhook):
    """An Alertmanager with the project's routes, whose times are short; its port, or None where there is no such program."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if not program:
        print("no Alertmanager: not checked who is called")
        return None
    config = (FILES / "alertmanager.yml").read_text()
    config = re.sub(r"url_file: secrets/(\w+)-webhook-url", rf"url: http://127.0.0.1:{webhook.port}/\1", config)
    config = re.sub(r"group_wait: \w+", "group_wait: 1s", re.sub(r"group_interval: \w+", "group_interval: 2s", config))
    (work / "alertmanager.yml").write_text(config)
    port = free_port()
    programs.start(
        "alertmanager",
        program,
        "--config.file=alertmanager.yml",
        "--storage.path=alertmanager",
        "--cluster.listen-address=",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    until(lambda: call(f"http://127.0.0.1:{port}/-/ready")[0] == 200, "Alertmanager is not ready")
    return port


def shortened(rules, factor):
    """Rules that are looked at each second, and wait `factor` times less before they fire."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}

    def shorter(found):
        return f"for: {max(1, int(found[1]) * units[found[2]] // factor)}s"

    return re.sub(r"\bfor: (\d+)([smhd])$", shorter, rules, flags=re.M).replace("interval: 15s", "interval: 1s")


def start_prometheus(programs, work, devnet, alertmanager, factor):
    port = free_port()
    places = [
        ("scrape_interval: 15s", "scrape_interval: 1s"),
        ("evaluation_interval: 15s", "evaluation_interval: 1s"),
        ('"localhost:9090"', json.dumps(f"127.0.0.1:{port}")),
    ]
    config = replaced((FILES / "prometheus.yml").read_text(), places, "prometheus.yml")
    # Twice: whom Prometheus tells of alerts, and whose metrics it reads. Port 9 is nobody's.
    (work / "prometheus.yml").write_text(config.replace('"alertmanager:9093"', json.dumps(f"127.0.0.1:{alertmanager or 9}")))
    for folder in ("rules", "targets", "secrets"):
        (work / folder).mkdir()
    (work / "secrets" / "metrics-token").write_text(TOKEN)
    targets = [{"targets": [address], "labels": {"node": name}} for name, address in devnet.targets.items()]
    (work / "targets" / "nodes.yml").write_text(yaml.safe_dump(targets))
    for file in ("recording.yml", "alerts.yml"):
        (work / "rules" / file).write_text(shortened((FILES / "rules" / file).read_text(), factor))
    prometheus = Prometheus(programs, port)
    up = lambda: len(prometheus.get("query", query='up{job="icn-node"} == 1')["result"]) == len(SEATS)
    until(up, "the nodes are not scraped")
    return prometheus


def check_queries(prometheus, alertmanager, work):
    names = prometheus.names() | MADE_OF_ALERTS | NOT_YET
    selectors = dict(EMPTY_SELECTORS)
    firing = set()
    # Of this machine's disk the alert tells the truth, whatever that is.
    free = shutil.disk_usage(work).free / 1024**3
    if free < NEARLY_FULL:
        print(f"{free:.1f} GiB are free under {work}: IcnDiskNearlyFull is to fire")
        firing.add("IcnDiskNearlyFull")
    if alertmanager is None:
        names |= set(WITHOUT_ALERTMANAGER)
        selectors |= WITHOUT_ALERTMANAGER
        firing |= {"IcnNotificationsFail"} & {rule["name"] for rule in prometheus.rules() if prometheus.has_data(rule["query"])}
    wrong, asked = check_panels(prometheus, panels(BOARDS, VARIABLES), names, EMPTY, EITHER_WAY)
    of_rules, rules = check_rules(prometheus, names, selectors, firing)
    return wrong + of_rules, asked + rules


def check_outage(devnet, prometheus, webhook, alertmanager):
    """Nodes are killed, one and then another, and come back."""

    def fire(names):
        return lambda: all(prometheus.alerts().get(name) == "firing" for name in names)

    devnet.kill("mill")
    until(fire(WITHOUT_ONE), f"without mill {WITHOUT_ONE} do not all fire: {prometheus.alerts()}")
    if alertmanager:
        until(lambda: ("critical", "IcnNodeDown", "mill", "firing") in webhook.heard, "nobody is told that mill is down")
        url = f"http://127.0.0.1:{alertmanager}/api/v2/alerts?active=false&inhibited=true&filter=alertname=IcnSeatsOffline"
        until(lambda: json.loads(call(url)[1]), "that seats are offline is not held back for the quorum at risk")
    print(f"without one of four: {', '.join(sorted(WITHOUT_ONE))}", flush=True)
    devnet.kill("orchard")
    until(fire(WITHOUT_TWO), f"without two {WITHOUT_TWO} do not all fire")
    if alertmanager:
        until(lambda: ("critical", "IcnNoQuorum", "bakery", "firing") in webhook.heard, "nobody is told that there is no quorum")
    print(f"without two of four: {', '.join(sorted(WITHOUT_TWO))}", flush=True)
    devnet.up()
    all_of_them = WITHOUT_ONE | WITHOUT_TWO
    until(lambda: not all_of_them & set(prometheus.alerts()), "with all four again the alerts do not end")
    if alertmanager:
        until(lambda: ("critical", "IcnNodeDown", "mill", "resolved") in webhook.heard, "nobody is told that mill is back")
        print("the webhooks were called when alerts fired, and when they ended", flush=True)
    print("with all four again none of them", flush=True)


def run(directory, work, programs, devnets, factor):
    devnet = Devnet(work, directory)
    devnets.append(devnet)
    webhook = Webhook()
    alertmanager = start_alertmanager(programs, work, webhook)
    prometheus = start_prometheus(programs, work, devnet, alertmanager, factor)
    jobs = Work(devnet)
    jobs.start()
    trade(devnet)
    # Rates need two samples, and the windows of rules some minutes' worth of them.
    time.sleep(20)
    wrong, count = check_queries(prometheus, alertmanager, work)
    wrong += devnet.errors()
    if jobs.failed:
        wrong.append(f"a job: {jobs.failed}")
    if wrong:
        raise Failed("\n  ".join(["queries:", *wrong]))
    print(f"{count} queries are answered; empty, as they are to be:", flush=True)
    for (board, panel, _), why in (EMPTY | EITHER_WAY).items():
        print(f"  {board}, {panel}: {why}")
    for selector, why in EMPTY_SELECTORS.items():
        print(f"  in rules, {selector}: {why}")
    jobs.stopping.set()
    jobs.join()
    check_outage(devnet, prometheus, webhook, alertmanager)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="target/debug", help="directory that holds icn-node and icn-cli")
    parser.add_argument("--shorten", type=int, default=20, help="by how much `for` of alerts is divided")
    parser.add_argument("--files-only", action="store_true", help="check the files, and start nothing")
    args = parser.parse_args()
    directory = Path(args.bin).resolve()
    for program in ("icn-cli",) if args.files_only else ("icn-node", "icn-cli"):
        if not os.access(directory / program, os.X_OK):
            sys.exit(f"{directory / program} is missing: cargo build -p icn-node -p icn-cli")
    for program in ("prometheus", "promtool"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: install prometheus")
    with tempfile.TemporaryDirectory() as folder:
        work, devnets = Path(folder), []
        programs = Programs(work)
        try:
            check_files(work, directory / "icn-cli")
            if not args.files_only:
                run(directory, work, programs, devnets, args.shorten)
        except Failed as error:
            for log in sorted(work.glob("*.log")):
                print(f"--- {log.name}\n{''.join(log.read_text().splitlines(True)[-8:])}", file=sys.stderr)
            sys.exit(f"FAIL {error}")
        finally:
            programs.end()
            for devnet in devnets:
                devnet.down()


if __name__ == "__main__":
    main()
