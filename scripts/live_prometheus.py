"""What the tests of dashboards and alerts share: programs that are started and ended, and a Prometheus that is asked.

Used by federation_monitoring_test.py and monitoring_test.py; does nothing by itself.
"""

import json
import math
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

# What Grafana puts in. Scraped is once a second here.
GRAFANA = {"$__rate_interval": "10s", "$__interval": "5s", "$__range": "1m"}
# Metrics that Prometheus makes of alerts while there are any.
MADE_OF_ALERTS = {"ALERTS", "ALERTS_FOR_STATE"}


class Failed(Exception):
    pass


def call(url, body=None, headers=None, timeout=10):
    """Sends a request; the body of a refusal is returned as that of an answer."""
    request = urllib.request.Request(url, body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def until(holds, what, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = holds()
        except OSError:
            found = None
        if found:
            return found
        time.sleep(0.2)
    raise Failed(f"{what}: not within {seconds} s")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Programs:
    """What the test has started, and ends."""

    def __init__(self, work):
        self.work, self.running = work, []

    def start(self, name, *command, **env):
        log = self.work / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(command, cwd=self.work, env=os.environ | env, stdout=out, stderr=out)
        self.running.append(process)
        return process, log

    def end(self):
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def replaced(text, pairs, name):
    """A text with each of some places, which it has once, replaced."""
    for old, new in pairs:
        if text.count(old) != 1:
            raise Failed(f"{name} has {old} {text.count(old)} times, not once")
        text = text.replace(old, new)
    return text


class Prometheus:
    """One that runs with work/prometheus.yml on a port of this machine."""

    def __init__(self, programs, port):
        self.url = f"http://127.0.0.1:{port}/api/v1"
        programs.start(
            "prometheus",
            "prometheus",
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=tsdb",
            f"--web.listen-address=127.0.0.1:{port}",
        )

    def get(self, path, **parameters):
        code, body = call(f"{self.url}/{path}?{urllib.parse.urlencode(parameters)}")
        if code == 503:
            # It still starts, and says so in plain text.
            raise ConnectionError(body.decode())
        answer = json.loads(body)
        if code != 200 or answer["status"] != "success":
            raise Failed(answer.get("error", f"{code}"))
        return answer["data"]

    def names(self):
        return set(self.get("label/__name__/values")) | set(self.get("metadata"))

    def has_data(self, expression):
        """Whether an expression has a value that is a number."""
        result = self.get("query", query=expression)["result"]
        return any(not math.isnan(float(series["value"][1])) for series in result)

    def rules(self):
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]

    def alerts(self):
        """The state of each alert that is pending or fires; the latter where both are."""
        alerts = self.get("alerts")["alerts"]
        alerts.sort(key=lambda alert: alert["state"] == "firing")
        return {alert["labels"]["alertname"]: alert["state"] for alert in alerts}


def panels(boards, variables):
    """Every query of every dashboard of a folder, with what it is called, and with values for Grafana's variables."""
    for path in sorted(boards.glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"]
                for variable, value in variables.items():
                    expression = expression.replace(variable, value)
                if "$" in expression:
                    raise Failed(f"{path.name}, {panel['title']}: a variable that is not known here: {expression}")
                yield (board["title"], panel["title"], target["refId"]), expression


STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
KEYWORDS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right", "inf", "nan"}


def metrics(expression):
    """The names of the metrics in an expression."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", " ", STRINGS.sub('""', expression))
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    words = re.findall(r"(?<![\w.:])([a-zA-Z_:][\w:]*)\b(?!\s*\()", bare)
    return {word for word in words if word.lower() not in KEYWORDS}


def selectors(expression):
    """Each metric of an expression with its matchers."""
    # Braces within strings are none of a selector's.
    hidden = STRINGS.sub(lambda found: found[0].replace("{", "\0").replace("}", "\1"), expression)
    return {
        found[0].replace("\0", "{").replace("\1", "}")
        for name in metrics(expression)
        for found in re.finditer(rf"(?<![\w:]){re.escape(name)}(?![\w:])(\{{[^}}]*\}})?", hidden)
    }


def check_panels(prometheus, queries, names, empty_panels, either_way=frozenset()):
    """What is wrong with queries of panels, and how many there are: each is answered, by metrics that there are, and has data
    or is said to have none; those that are `either_way` may."""
    wrong, empty, count = [], set(), 0
    for place, expression in queries:
        count += 1
        try:
            wrong += [f"{place}: there is no metric {name}" for name in sorted(metrics(expression) - names)]
            if not prometheus.has_data(expression):
                empty.add(place)
        except Failed as error:
            wrong.append(f"{place}: {error}")
    wrong += [f"{place}: no data" for place in sorted(empty - set(empty_panels) - set(either_way))]
    wrong += [f"{place}: has data, and is said to have none" for place in sorted(set(empty_panels) - empty)]
    return wrong, count


def check_rules(prometheus, names, empty_selectors, firing=frozenset()):
    """The same of rules. While all is well an alert has no data, but what it looks at has; `firing` are those that are to have."""
    wrong, rules = [], prometheus.rules()
    for rule in rules:
        name, expression = rule["name"], rule["query"]
        wrong += [f"{name}: there is no metric {metric}" for metric in sorted(metrics(expression) - names)]
        if rule["health"] != "ok":
            wrong.append(f"{name}: {rule.get('lastError', rule['health'])}")
        try:
            has_data = prometheus.has_data(expression)
            if rule["type"] == "alerting" and has_data != (name in firing):
                what = "wants to fire, and nothing is wrong" if has_data else "does not fire, and ought to"
                wrong.append(f"{name}: {what}")
            if rule["type"] == "recording" and not has_data and name not in empty_selectors:
                wrong.append(f"{name}: records nothing")
            for selector in selectors(expression):
                if not prometheus.has_data(selector) and selector not in empty_selectors:
                    wrong.append(f"{name}: no data for {selector}")
        except Failed as error:
            wrong.append(f"{name}: {error}")
    return wrong, len(rules)


def promtool(folder, *command):
    done = subprocess.run(("promtool", *command), cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"promtool {' '.join(command)}: {done.stdout}{done.stderr}")
    print(f"promtool {' '.join(command)}: ok", flush=True)
