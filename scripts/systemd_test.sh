#!/usr/bin/env bash
# Boots a Debian of its own with systemd, and runs icn-node and icn-federation there as deploy/systemd says.
#
#   scripts/systemd_test.sh [--bin DIR] [--root DIR] [--ansible DIR]
#
# Holds if both start, as users of their own and with all that the units take away from them; if a job is compiled and run
# under the filter of system calls; if a backup is made, readable to nobody else; if a reload, a node that is killed and one that
# hangs end as they should; and if the node stops in order. DIR holds the programs (target/debug). --root is a Debian bookworm that has systemd and curl, which stays as
# it is; without, debootstrap makes one. Needs root, systemd-nspawn and debootstrap (Debian: systemd-container,
# debootstrap). Takes a minute, and two more to make a root. Ends what it started, whatever happens.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=target/debug
root=
ansible=
while [ $# -gt 0 ]; do
    case $1 in
    --bin) bin=$2 && shift 2 ;;
    --root) root=$2 && shift 2 ;;
    --ansible) ansible=$(echo "$2"/lib/python3*/site-packages) && shift 2 ;;
    *) echo "usage: $0 [--bin DIR] [--root DIR] [--ansible DIR]" >&2 && exit 2 ;;
    esac
done
[ "$(id -u)" = 0 ] || { echo "only root can boot another system" >&2 && exit 1; }
needed=(systemd-nspawn script unshare)
[ -n "$root" ] || needed+=(debootstrap)
for program in "${needed[@]}"; do
    command -v "$program" >/dev/null ||
        { echo "$program is missing: install systemd-container, util-linux and debootstrap" >&2 && exit 1; }
done
for program in icn-node icn-cli icn-federation; do
    [ -x "$bin/$program" ] || { echo "$bin has no $program: build it, or say --bin" >&2 && exit 1; }
done
bin=$(cd "$bin" && pwd)
[ -z "$ansible" ] || [ -d "$ansible/ansible" ] || { echo "--ansible: no ansible in $ansible" >&2 && exit 1; }
# Mounts end with the test.
if [ -z "${SYSTEMD_TEST_INSIDE:-}" ]; then
    export SYSTEMD_TEST_INSIDE=1
    exec unshare --mount bash "$0" --bin "$bin" ${root:+--root "$(cd "$root" && pwd)"} \
        ${ansible:+--ansible "$(cd "$ansible/../../.." && pwd)"}
fi

work=$(mktemp -d)
system=
finish() {
    if [ -n "$system" ] && kill "$system" 2>/dev/null; then wait "$system" 2>/dev/null || true; fi
    for mount in run over; do if mountpoint --quiet "$work/$mount"; then umount --lazy "$work/$mount"; fi; done
    rm -rf "$work"
}
trap finish EXIT

if [ -z "$root" ]; then
    root=$work/base
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates,curl,python3 bookworm "$root" \
        "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$work/debootstrap.log" ||
        { tail -n 5 "$work/debootstrap.log" >&2 && exit 1; }
fi
mkdir "$work/over" "$work/inner" "$work/run"
mount -t tmpfs -o mode=755 tmpfs "$work/over"
mkdir "$work/over/upper" "$work/over/work"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/over/upper,workdir=$work/over/work" "$work/run"
DESTDIR=$work/run sh deploy/systemd/install.sh
for program in icn-node icn-cli icn-federation; do : >"$work/run/usr/bin/$program" && chmod 755 "$work/run/usr/bin/$program"; done
install -m 644 jobs/word-frequencies/module.wasm jobs/inputs/cooperation.txt "$work/inner/"

cat >"$work/inner/check.sh" <<'CHECK'
#!/bin/bash
# Runs in the booted system; what it says is in /test/result.
set -euo pipefail
exec >/test/result 2>&1
failed() {
    echo "failed: $*"
    journalctl --no-pager --quiet --unit icn-node --unit icn-federation --lines 30 || true
    exit 1
}
trap 'failed "line $LINENO"' ERR
pid() { systemctl show --property MainPID --value "$1"; }
# Jobs are signed with the node's key.
cli() { ICN_KEY_PASSPHRASE_FILE=/etc/icn/secrets/key_passphrase icn-cli --quiet --profile /var/lib/icn/cli.toml "$@"; }
ready() { # URL of what says so
    for _ in $(seq 150); do
        curl --fail --silent --max-time 2 "$1" >/dev/null && return
        sleep 0.2
    done
    failed "$1 is not ready"
}
# another PID: waits until the node runs as a process that is not this one
another() {
    for _ in $(seq 300); do
        now=$(pid icn-node)
        [ "$now" != 0 ] && [ "$now" != "$1" ] && systemctl --quiet is-active icn-node && return
        sleep 0.2
    done
    failed "the node was not started again"
}

systemd-analyze verify /usr/lib/systemd/system/icn-{node,federation,backup}.service /usr/lib/systemd/system/icn-backup.timer 2>&1 |
    grep -v 'man icn-' && failed "systemd-analyze verify complains"
[ "$(stat -c %a /etc/icn/secrets)" = 700 ] || failed "/etc/icn/secrets is open to others"
systemctl start icn-node && failed "the node starts without a passphrase for its key"
systemctl stop icn-node
echo "ok: without a passphrase for its key the node does not start"

head -c 32 /dev/urandom | base64 >/etc/icn/secrets/key_passphrase
systemctl start icn-node
ready http://127.0.0.1:9090/ready
grep -q 'ENCRYPTED PRIVATE KEY' /var/lib/icn/node.key || failed "the key is not encrypted"
[ "$(stat -c %U:%a /var/lib/icn)" = icn:700 ] || failed "/var/lib/icn is $(stat -c %U:%a /var/lib/icn)"
[ "$(stat -c %U "/proc/$(pid icn-node)")" = icn ] || failed "the node does not run as icn"
status=/proc/$(pid icn-node)/status
for line in 'CapBnd:.0000000000000000' 'NoNewPrivs:.1' 'Seccomp:.2'; do
    grep -q "^$line" "$status" || failed "$line: $(grep "^${line%%:*}" "$status")"
done
echo "ok: the node is ready, runs as icn without capabilities, and its key is encrypted"

cli job submit /test/module.wasm --stdin /test/cooperation.txt --wait >/test/job.out
grep -q . /test/job.out || failed "the job said nothing"
echo "ok: a job was compiled and run"

systemctl start icn-backup || failed "no backup: $(journalctl --no-pager --quiet --unit icn-backup --lines 20)"
(cd /var/backups/icn && sha256sum --quiet --check sums-*.sha256) || failed "the backup is not complete"
[ "$(stat -c %U:%a /var/backups/icn)" = icn:700 ] || failed "/var/backups/icn is $(stat -c %U:%a /var/backups/icn)"
systemctl --quiet enable --now icn-backup.timer
systemctl list-timers --all icn-backup.timer | grep -q icn-backup.service || failed "the timer starts no backup"
echo "ok: a backup was made, by a service without rights, and the timer waits"

before=$(pid icn-node)
systemctl reload icn-node
sleep 1
[ "$(pid icn-node)" = "$before" ] || failed "a reload started another process"
grep -q reload /var/log/icn/audit.log || failed "the audit log knows of no reload"
echo "ok: a reload is taken, and written to the audit log"

kill -KILL "$before"
another "$before"
ready http://127.0.0.1:9090/ready
echo "ok: a node that was killed is started again"

# A shorter time than the unit's, to wait less.
mkdir -p /run/systemd/system/icn-node.service.d
printf '[Service]\nWatchdogSec=4\n' >/run/systemd/system/icn-node.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart icn-node
sleep 6
before=$(pid icn-node)
[ "$(systemctl show --property NRestarts --value icn-node)" = 0 ] || failed "the node does not tell the watchdog that it lives"
kill -STOP "$before"
another "$before"
ready http://127.0.0.1:9090/ready
echo "ok: a node that hangs is ended and started again"

systemctl stop icn-node
[ "$(systemctl show --property Result --value icn-node)" = success ] || failed "the node did not end in order"
echo "ok: the node stops in order"

systemctl start icn-federation
ready http://127.0.0.1:8001/readyz
[ "$(stat -c %U "/proc/$(pid icn-federation)")" = icn-federation ] || failed "the Federation Service has no user of its own"
systemctl stop icn-federation
[ "$(systemctl show --property Result --value icn-federation)" = success ] || failed "the Federation Service did not end in order"
echo "ok: the Federation Service starts and stops"
[ -d /ansible ] || { echo "all held" && exit; }
rm -rf /var/lib/icn /etc/icn /usr/lib/icn /etc/logrotate.d/icn /usr/lib/systemd/system/icn-node.service
printf '[icn_nodes]\nbakery ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n' >/test/inventory
printf '[icn_nodes:vars]\nicn_node_programs=/usr/bin\nicn_node_federation_name=valley\n' >>/test/inventory
export PYTHONPATH=/ansible LANG=C.UTF-8 ANSIBLE_NOCOLOR=1 HOME=/root
for run in first second; do
    (cd /deploy/ansible && python3 -m ansible playbook -i /test/inventory deploy_icn_federation.yml) >/test/$run.log 2>&1 ||
        failed "the playbook: $(tail -n 20 /test/$run.log)"
done
grep -q 'changed=0 .*failed=0' /test/second.log || failed "the playbook changes something again: $(cat /test/second.log)"
[ "$(icn-cli --profile /var/lib/icn/cli.toml --json status | grep -c valley)" != 0 ] || failed "the node is in another federation"
for file in /usr/lib/icn/backup.sh /etc/logrotate.d/icn /usr/lib/systemd/system/icn-backup.timer; do
    [ -f $file ] || failed "the playbook leaves out $file"
done
before=$(pid icn-node)
(cd /deploy/ansible && python3 -m ansible playbook -i /test/inventory -e icn_node_log_level=debug deploy_icn_federation.yml) \
    >/test/third.log 2>&1 || failed "the playbook: $(tail -n 20 /test/third.log)"
[ "$(pid icn-node)" != "$before" ] || failed "another configuration starts no other node"
ready http://127.0.0.1:9090/ready
echo "ok: the playbook founds a federation, changes nothing when it runs again, and starts the node anew for another configuration"
echo "all held"
CHECK
cat >"$work/run/etc/systemd/system/check.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/bash /test/check.sh
ExecStopPost=/bin/systemctl --no-block poweroff
TimeoutStartSec=15min
[Install]
WantedBy=multi-user.target
UNIT
ln -s ../check.service "$work/run/etc/systemd/system/multi-user.target.wants/check.service"

binds=(--bind "$work/inner:/test")
for program in icn-node icn-cli icn-federation; do binds+=(--bind-ro "$bin/$program:/usr/bin/$program"); done
[ -z "$ansible" ] || binds+=(--bind-ro "$ansible:/ansible" --bind-ro "$PWD/deploy:/deploy" --bind-ro "$PWD/scripts:/scripts")
# It asks for a terminal.
script --quiet --return --command "timeout --signal KILL 1000 systemd-nspawn --directory $work/run --register=no --keep-unit \
    --private-network --boot ${binds[*]} systemd.unit=multi-user.target" "$work/boot.log" </dev/null >/dev/null 2>&1 &
system=$!
wait "$system" || true
system=
[ -e "$work/inner/result" ] || { tail -n 40 "$work/boot.log" >&2 && echo "the system did not boot" >&2 && exit 1; }
cat "$work/inner/result"
tail -n 1 "$work/inner/result" | grep -q '^all held$'
