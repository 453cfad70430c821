#!/usr/bin/env python3
"""Runs the command blocks of the runbooks in docs/, in order, page by page, against real federations.

    scripts/runbooks_test.py [--bin DIR] [--page NAME]... [--keep]

DIR holds icn-node and icn-cli (target/debug if nothing says). A page of RUN below gets a federation of four of its own in a
temporary folder, on loopback: mill, bakery, dairy and orchard, each a "machine", which is a folder with etc/icn, var/lib/icn
and a home. The federation is founded by the blocks of docs/operating/federation.md themselves.

How a block is read:
- only those marked `sh` run, one after the other; the first failing command fails the block, pipes included
- `# on NAME`, `# on every machine` and `# on every other machine`, alone on a line, say where the lines below are typed; a page
  begins on mill, and a block where the block before it ended
- a command that is to fail says so at the end of its line: `# ends with 1`
- `$NAME` in capitals is what the reader knows and the page does not: VARIABLES says how the test gets it

What stands in for what is in SWAPS and in the programs that `install_stand_ins` writes: systemctl starts and stops the machine's
node, journalctl prints its log, scp copies between the folders. Blocks of all other pages of docs/operating, and those marked
otherwise, are parsed: each icn-cli and icn-node command in them has to exist, with its options. Ends with a list of all blocks
and what became of each; exit code 1 if one failed. All pages take about eight minutes.

Needs python3, bash and curl. Ends its own processes, whatever happens.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("mill", "bakery", "dairy", "orchard")
# A fifth, which is there and does nothing until a page types something in on it.
NEWCOMER = "creamery"
MACHINES = (*NAMES, NEWCOMER)
# Pages whose blocks run, in this order; each with what it takes before its first block.
RUN = {
    "docs/operating/federation.md": "nothing",
    "docs/operating/disaster-recovery.md": "federation",
    "docs/operating/incidents.md": "federation",
    "docs/operating/key-loss.md": "federation",
    "docs/operating/leaving.md": "federation",
    "docs/operating/security.md": "federation",
    "docs/operating/single-node.md": "alone",
    "docs/operating/capacity.md": "federation",
    "docs/API.md": "federation",
    "docs/TROUBLESHOOTING.md": "federation",
    "docs/EVENT_SOURCING.md": "federation",
}
# Text that is another one here, and why. Everything else is typed as it stands.
SWAPS = {
    r"(federation create \w+)": (
        r"\1 --parameters devnet --set epoch_blocks=32", "epochs of half a minute, and votes of seconds, where not said otherwise"
    ),
    r"(?<![\w/])jobs/(?=\w)": (f"{ROOT}/jobs/", "the project's own jobs"),
    r"--for 30d": ("--for 1m", "a suspension that ends while the test looks"),
}
# How the test gets what `$NAME` stands for: a command on the machine where the block is typed. `it NAME` reads JSON.
VARIABLES = {
    "JOB": "icn-cli --json job ls | field 'it[\"items\"][0][\"id\"]'",
    "API_KEY": "sed -n 's/^api_key = \"\\(.*\\)\"$/\\1/p' \"$ICN_PROFILE\"",
    "ALICE": "icn-cli --json key show @alice | field 'it[\"did\"]'",
    "SELF": "icn-cli --json info | field 'it[\"did\"]'",
    "PROPOSAL": "icn-cli --json proposal ls | field 'it[\"items\"][0][\"id\"]'",
}
for _name in MACHINES:
    _upper = _name.upper()
    _there = f"cd $WORLD/{_name}/home && export ICN_KEY_PASSPHRASE_FILE=$WORLD/{_name}/etc/icn/secrets/key_passphrase"
    VARIABLES[_upper] = f"{_there} && icn-cli --json key show ../var/lib/icn/node.key | field 'it[\"did\"]'"
    VARIABLES[f"{_upper}_URL"] = f"sed -n 's/^api_url = \"\\(.*\\)\"$/\\1/p' $WORLD/{_name}/var/lib/icn/cli.toml"
    VARIABLES[f"{_upper}_API_KEY"] = f"sed -n 's/^api_key = \"\\(.*\\)\"$/\\1/p' $WORLD/{_name}/var/lib/icn/cli.toml"
    for _role in ("OFFICER", "RECOVERY", "OFFICER2", "RECOVERY2"):
        VARIABLES[f"{_upper}_{_role}"] = (
            f"{_there} && icn-cli --json key show {_role.lower()}.pem | field 'it[\"key\"]'"
        )
BLOCK_TIMEOUT_SECS = 240
COMMANDS = {"sh", "console", "bash", ""}


class Failed(Exception):
    """A block that did not do what its page says."""


def free_ports(count):
    """Loopback ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Block:
    """A fenced block of a page."""

    def __init__(self, page, heading, number, language, text, line):
        self.page, self.language, self.text, self.line = page, language, text, line
        self.name = f"{page}:{line} {heading}/{number}"


def blocks_of(page):
    """All fenced blocks of a page, with the heading that they are under."""
    found, heading, inside, lines, start, number = [], "", None, [], 0, 0
    for at, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        fence = re.match(r"( *)```(\w*)", line)
        if inside is None and line.startswith("#"):
            heading, number = re.sub(r"[^a-z0-9]+", "-", line.lstrip("# ").lower()).strip("-"), 0
        elif inside is None and fence:
            inside, lines, start, number = fence, [], at, number + 1
        elif inside is not None and fence:
            found.append(Block(page, heading, number, inside[2], "\n".join(lines), start))
            inside = None
        elif inside is not None:
            lines.append(line.removeprefix(inside[1]))
    return found


def inline_of(page):
    """The commands within sentences and tables of a page, one a line."""
    text = re.sub(r"^( *)```.*?^ *```", "", (ROOT / page).read_text(), flags=re.M | re.S)
    return "\n".join(" ".join(found.split()) for found in re.findall(r"`((?:icn-cli|icn-node)\s[^`]+)`", text))


def parts_of(text, machine):
    """What is typed on which machine: pairs of a machine (or `every`, `others`) and lines."""
    parts = [(machine, [])]
    for line in text.splitlines():
        place = re.fullmatch(r"# on (every other machine|every machine|\w+)", line.strip())
        if place:
            parts.append(({"every other machine": "others", "every machine": "every"}.get(place[1], place[1]), []))
        else:
            parts[-1][1].append(line)
    return [(place, "\n".join(lines)) for place, lines in parts if "".join(lines).strip()]


def script_of(text):
    """The lines as bash is to run them: every failure counts, but those that the page announces."""
    for pattern, (instead, _) in SWAPS.items():
        text = re.sub(pattern, instead, text)
    text = re.sub(r"^(.*?)\s*# ends with (\d+)$", r"ended=0; { \1; } || ended=$?; [ $ended = \2 ]", text, flags=re.M)
    return "set -euo pipefail\n" + text


class World:
    """Machines, each a folder."""

    def __init__(self, programs):
        self.directory = Path(tempfile.mkdtemp(prefix="icn-runbooks-"))
        self.stand_ins = self.directory / "stand-ins"
        ports = free_ports(3 * len(MACHINES))
        self.ports = {name: ports[3 * at : 3 * at + 3] for at, name in enumerate(MACHINES)}
        self.environment = {
            "PATH": f"{self.stand_ins}:{programs}:{os.environ['PATH']}",
            "WORLD": str(self.directory),
            "LANG": "C.UTF-8",
        }
        # Whose node a machine's is.
        self.identities = {}
        self.install_stand_ins()
        for name in MACHINES:
            self.furnish(name)

    def furnish(self, name):
        """What the package, and an operator before the first page, put on a machine."""
        root = self.directory / name
        http, p2p, metrics = self.ports[name]
        for directory in ("etc/icn/secrets", "var/lib/icn", "var/log/icn", "var/backups/icn", "home", "mnt/safe"):
            (root / directory).mkdir(parents=True, mode=0o700)
        # A passphrase of this run only.
        (root / "etc/icn/secrets/key_passphrase").write_text(os.urandom(16).hex())
        others = ", ".join(f'"/ip4/127.0.0.1/tcp/{self.ports[other][1]}"' for other in NAMES if other != name)
        (root / "etc/icn/config.toml").write_text(
            f"""[runtime]
environment = "production"

[network]
http_listen_addr = "127.0.0.1:{http}"
p2p_listen_addr = "/ip4/127.0.0.1/tcp/{p2p}"
bootstrap_peers = [{others}]

[storage]
backend = "fjall"
data_dir = "{root}/var/lib/icn"

[monitoring]
metrics_bind_addr = "127.0.0.1:{metrics}"

[logging]
format = "json"

[audit]
enabled = true
log_path = "{root}/var/log/icn/audit.log"
"""
        )

    def install_stand_ins(self):
        """Programs in PATH that stand in for those of a machine with systemd and a network."""
        self.stand_ins.mkdir()
        programs = {
            "systemctl": """
pid=$MACHINE/pid
alive() { [ -s "$pid" ] && kill -0 "$(cat "$pid")" 2>/dev/null; }
case $1 in
start)
    alive && exit 0
    [ ! -e "$MACHINE/node.log" ] || cat "$MACHINE/node.log" >>"$MACHINE/node.log.before"
    : >"$MACHINE/node.log"
    cd "$MACHINE/var/lib/icn"
    setsid icn-node --config "$MACHINE/etc/icn/config.toml" </dev/null >>"$MACHINE/node.log" 2>&1 &
    echo $! >"$pid"
    for _ in $(seq 300); do
        curl --silent --fail --output /dev/null "http://127.0.0.1:$HTTP_PORT/health" && exit 0
        alive || { tail -n 5 "$MACHINE/node.log" >&2; exit 1; }
        sleep 0.2
    done
    echo "the node does not answer" >&2; exit 1 ;;
stop)
    alive || exit 0
    kill "$(cat "$pid")"
    for _ in $(seq 300); do alive || { rm "$pid"; exit 0; }; sleep 0.1; done
    echo "the node does not end" >&2; exit 1 ;;
kill)
    kill -KILL "$(cat "$pid")"; rm "$pid"; sleep 0.2 ;;
show) echo this-run ;;
reload) kill -HUP "$(cat "$pid")" ;;
restart) "$0" stop && "$0" start ;;
is-active) if alive; then echo active; else echo inactive; exit 3; fi ;;
*) echo "systemctl $*: not known here" >&2; exit 64 ;;
esac
""",
            "journalctl": """
case $1 in _SYSTEMD_INVOCATION_ID=*) ;; *) cat "$MACHINE/node.log.before" 2>/dev/null || true ;; esac
cat "$MACHINE/node.log"
""",
            "chown": "exit 0\n",
            "sudo": 'exec "$@"\n',
            "scp": """
for to; do :; done
machine=${to%%:*} place=${to#*:}
case $place in /*) place=$WORLD/$machine$place ;; *) place=$WORLD/$machine/home/$place ;; esac
while [ $# -gt 1 ]; do cp "$1" "$place"; shift; done
""",
            "field": "exec python3 -c \"import json,sys; it = json.load(sys.stdin); print($1)\"\n",
        }
        for name, text in programs.items():
            path = self.stand_ins / name
            path.write_text("#!/usr/bin/env bash\nset -eu\n" + text.lstrip())
            path.chmod(0o755)

    def run(self, name, text, seconds=BLOCK_TIMEOUT_SECS):
        """Types text in on a machine; returns what it prints."""
        root = self.directory / name
        http, p2p, metrics = self.ports[name]
        environment = self.environment | {
            "MACHINE": str(root),
            "HOME": str(root / "home"),
            "HTTP_PORT": str(http),
            "ICN_PROFILE": str(root / "var/lib/icn/cli.toml"),
            "ICN_KEY_PASSPHRASE_FILE": str(root / "etc/icn/secrets/key_passphrase"),
        }
        # Folders of the machine, and its ports.
        text = re.sub(r"(?<![\w/.}])/(etc/icn|var/\w+/icn|mnt/safe)\b", rf"{root}/\1", text)
        text = text.replace("127.0.0.1:9090", f"127.0.0.1:{metrics}").replace("127.0.0.1:7845", f"127.0.0.1:{http}")
        for variable in sorted(set(re.findall(r"\$\{?([A-Z][A-Z_0-9]+)\b", text))):
            if variable in VARIABLES and variable not in environment and not re.search(rf"^\s*{variable}=", text, re.M):
                environment[variable] = self.variable(name, variable, environment)
        # A session of its own, so that nothing of a block outlives it but the node, which has another one.
        process = subprocess.Popen(
            ["bash", "-c", text], env=environment, cwd=root / "home", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            printed, _ = process.communicate()
            raise Failed(f"on {name}, not done after {seconds} s:\n{text}\n--- it said:\n{printed[-3000:]}") from None
        if process.returncode:
            raise Failed(f"on {name}, exit code {process.returncode}:\n{text}\n--- it said:\n{printed[-3000:]}")
        return printed

    def variable(self, name, variable, environment):
        """What a variable of the page stands for. A machine's identity is what it was when a page first named it: keys come and go."""
        if variable in self.identities:
            return self.identities[variable]
        done = subprocess.run(
            ["bash", "-c", "set -euo pipefail\n" + VARIABLES[variable]], env=environment, cwd=self.directory / name / "home",
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )
        value = done.stdout.strip()
        if done.returncode or not value:
            raise Failed(f"${variable} on {name}: {done.stderr}{done.stdout}")
        if variable.lower() in MACHINES:
            self.identities[variable] = value
        return value

    def block(self, block, machine):
        """Runs a block, part by part; returns the machine where it ends."""
        for place, text in parts_of(block.text, machine):
            if place == "every":
                on = NAMES
            elif place == "others":
                on = tuple(name for name in NAMES if name != machine)
            elif place in MACHINES:
                on, machine = (place,), place
            else:
                raise Failed(f"there is no machine {place}")
            for name in on:
                printed = self.run(name, script_of(text))
                if os.environ.get("RUNBOOKS_VERBOSE"):
                    print(f"--- {name}\n{text}\n{printed}", file=sys.stderr)
        return machine

    def agree(self):
        """All seats that run are at one height with one root within a while."""
        deadline = time.monotonic() + 60
        while True:
            running = [name for name in NAMES if (self.directory / name / "pid").exists()]
            seen = {}
            for name in running:
                log = json.loads(self.run(name, "icn-cli --json status", 60))["log"]
                seen[name] = (log["height"], log["root"])
            if len(set(seen.values())) == 1:
                return len(running), *seen[running[0]]
            if time.monotonic() > deadline:
                raise Failed(f"the nodes do not agree: {seen}")

    def close(self, keep):
        """Ends the nodes of this world, by their ids."""
        for name in MACHINES:
            path = self.directory / name / "pid"
            if path.exists():
                try:
                    os.kill(int(path.read_text()), signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if keep:
            print(f"kept: {self.directory}", file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


def found(world):
    """A federation of four, by the blocks of its page."""
    machine = "mill"
    for block in blocks_of("docs/operating/federation.md"):
        if block.language == "sh" and "founding" in block.name:
            machine = world.block(block, machine)


class Parser:
    """Whether commands exist, with their options, by what the programs say themselves."""

    def __init__(self, programs):
        self.programs, self.known = programs, {}

    def help(self, path):
        """What a command's --help prints, or None if there is no such command."""
        if path not in self.known:
            done = subprocess.run(
                [f"{self.programs}/{path[0]}", *path[1:], "--help"], capture_output=True, text=True, timeout=60
            )
            self.known[path] = done.stdout if done.returncode == 0 else None
        return self.known[path]

    def check(self, text):
        """Faults of the commands in a block, and how many commands there are."""
        faults, commands = [], 0
        for line in text.replace("\\\n", " ").splitlines():
            for command in re.split(r"&&|\|\||[|;]|\$\(", line.removeprefix("$ ")):
                words = re.match(r"(?:\s|sudo\s|\w+=\S*\s|\S*target/\w+/)*(icn-cli|icn-node)(?=\s|$)(.*)", command)
                if not words:
                    continue
                try:
                    given = shlex.split(words[2].replace("…", "x"), comments=True)
                except ValueError:
                    given = words[2].split()
                commands += 1
                faults += self.faults(words[1], given)
        return faults, commands

    def faults(self, program, given):
        """What is wrong with one command."""
        path = (program,)
        options = []
        given = given[: given.index("--")] if "--" in given else given
        for word in given:
            listed = re.search(r"^Commands:\n((?:  .*\n)+)", self.help(path) or "", re.M)
            names = re.findall(r"^  (\S+)", listed[1], re.M) if listed else []
            if word.startswith("--"):
                options.append(word.split("=")[0])
            elif word in names:
                path += (word,)
        text = self.help(path) or ""
        needs_more = re.search(r"^Usage: .*<COMMAND>$", text, re.M) and program == "icn-cli"
        if needs_more and any(word not in path and not word.startswith("-") for word in given):
            return [f"{program} {' '.join(given)}: no such command"]
        return [f"{' '.join(path)}: no option {option}" for option in options if not re.search(rf"(?<![\w-]){option}\b", text)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=ROOT / "target" / "debug", type=Path)
    parser.add_argument("--page", action="append", help="only pages whose path contains this")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a page that failed")
    arguments = parser.parse_args()
    programs = arguments.bin.resolve()
    for name in ("icn-node", "icn-cli"):
        if not os.access(programs / name, os.X_OK):
            sys.exit(f"{programs / name} is missing: cargo build -p icn-node -p icn-cli, or --bin DIR")
    for name in ("bash", "curl"):
        if not shutil.which(name):
            sys.exit(f"{name} is missing")

    def wanted(page):
        return not arguments.page or any(part in page for part in arguments.page)

    # Ended from outside, it ends its nodes, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    outcomes, failed = [], 0

    for page, before in RUN.items():
        if not wanted(page):
            continue
        world, machine, broken = World(programs), "mill", None
        began = time.monotonic()
        try:
            if before == "federation":
                found(world)
            elif before == "alone":
                config = world.directory / "mill/etc/icn/config.toml"
                config.write_text(re.sub(r"bootstrap_peers.*\n", "", config.read_text()))
            for block in blocks_of(page):
                if block.language != "sh":
                    continue
                if broken:
                    outcomes.append((block.name, "not reached"))
                    continue
                at = time.monotonic()
                try:
                    machine = world.block(block, machine)
                    outcomes.append((block.name, f"ran, {time.monotonic() - at:.1f} s"))
                except (Failed, subprocess.TimeoutExpired) as error:
                    broken = error
                    outcomes.append((block.name, "FAILED"))
            if not broken:
                count, height, root = world.agree()
                outcomes.append((page, f"ran; {count} nodes agree on height {height}, root {root[:12]}"))
        except (Failed, subprocess.TimeoutExpired) as error:
            broken = error
            outcomes.append((page, "FAILED: no federation to begin with"))
        finally:
            world.close(arguments.keep and broken)
        if broken:
            failed += 1
            print(f"{page}: {broken}", file=sys.stderr)
        else:
            print(f"{page}: {time.monotonic() - began:.0f} s", file=sys.stderr)

    commands = Parser(programs)
    pages = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs/operating").glob("*.md"))
    for page in [*pages, *(page for page in RUN if page not in pages)]:
        if wanted(page) and inline_of(page):
            faults, count = commands.check(inline_of(page))
            failed += bool(faults)
            outcomes.append((f"{page} in sentences", "FAILED: " + "; ".join(faults) if faults else f"{count} commands exist with their options"))
        for block in blocks_of(page) if wanted(page) else ():
            if block.language not in COMMANDS or (page in RUN and block.language == "sh"):
                continue
            faults, count = commands.check(block.text)
            if faults:
                failed += 1
                outcomes.append((block.name, "FAILED: " + "; ".join(faults)))
            elif count:
                reason = "continuous or long" if page in RUN else "its page is no runbook"
                outcomes.append((block.name, f"parsed only, {count} commands exist with their options: {reason}"))
            else:
                outcomes.append((block.name, "not run: no command of icn-cli or icn-node"))
    width = max((len(name) for name, _ in outcomes), default=0)
    for name, outcome in outcomes:
        print(f"{name:<{width}}  {outcome}")
    for _, (instead, reason) in SWAPS.items():
        print(f"stands in everywhere: {instead.replace(chr(92) + '1', '...')}: {reason}")
    print(f"{sum(outcome.startswith('ran,') for _, outcome in outcomes)} blocks ran, "
          f"{sum(outcome.startswith('parsed') for _, outcome in outcomes)} were parsed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
