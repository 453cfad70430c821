#!/usr/bin/env bash
# Runs scripts/backup.sh against real nodes: one with an embedded store, one with SQLite and one with PostgreSQL.
#
#   scripts/backup_test.sh [--bin DIR]
#
# Holds if each backup is complete and restored by a node that then runs, if what cannot be backed up leaves nothing and says
# so, and if old backups go only when there is a new one. Needs PostgreSQL (Debian: postgresql), which is started in a
# temporary folder, by an unprivileged user where this one is root. Ends its own processes, whatever happens.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=target/debug
while [ $# -gt 0 ]; do
    case $1 in
    --bin) bin=$2 && shift 2 ;;
    *) echo "usage: $0 [--bin DIR]" >&2 && exit 2 ;;
    esac
done
bin=$(cd "$bin" && pwd)
for tool in /usr/lib/postgresql/*/bin; do [ ! -d "$tool" ] || PATH=$tool:$PATH; done
for program in initdb postgres createdb psql pg_dump python3 openssl; do
    command -v "$program" >/dev/null || { echo "$program is missing: install postgresql, python3 and openssl" >&2 && exit 1; }
done

work=$(mktemp -d)
chmod 755 "$work"
node=
server=
finish() {
    for pid in $node $server; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
failed() {
    echo "failed: $*" >&2
    tail -n 5 "$work"/*.log >&2 || true
    exit 1
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# start NAME OPTION...: a node in $work/NAME
start() {
    local name=$1
    shift
    mkdir -p "$work/$name"
    "$bin/icn-node" --data-dir "$work/$name" --http-listen-addr 127.0.0.1:0 --p2p-listen-addr /ip4/127.0.0.1/tcp/0 \
        --metrics-bind-addr "127.0.0.1:$(free_port)" "$@" >"$work/$name.out" 2>"$work/$name.log" &
    node=$!
    for _ in $(seq 600); do
        ! cli "$name" status >/dev/null 2>&1 || return 0
        sleep 0.2
    done
    failed "the node with $name did not start"
}
stop() {
    kill "$node"
    wait "$node" || failed "a node did not end in order"
    node=
}
cli() {
    local name=$1
    shift
    "$bin/icn-cli" --quiet --profile "$work/$name/cli.toml" "$@"
}
backup() { scripts/backup.sh --bin "$bin" --dir "$work/backups" "$@"; }
written() { [ ! -d "$work/backups" ] || find "$work/backups" -mindepth 1 ! -name .lock -printf '%f\n' | sort; }
# refused WORDS COMMAND...: fails, says WORDS, and leaves nothing
refused() {
    local words=$1 said before
    shift
    before=$(written)
    if said=$("$@" 2>&1); then failed "is not refused: $*"; fi
    grep -q "$words" <<<"$said" || failed "$* says: $said"
    [ "$(written)" = "$before" ] || failed "leaves something: $(written)"
}
complete() { # how many files
    (cd "$work/backups" && sha256sum --quiet --check sums-*.sha256) || failed "the sums are wrong"
    [ "$(find "$work/backups" -type f ! -name .lock | wc -l)" = "$1" ] || failed "not $1 files: $(ls -A "$work/backups")"
    [ -z "$(find "$work/backups" -type f -perm /077)" ] || failed "others can read what was written"
}

# A key under a passphrase, as in production.
mkdir "$work/identity" "$work/plain"
openssl rand -hex 16 >"$work/passphrase"
export ICN_KEY_PASSPHRASE_FILE=$work/passphrase
"$bin/icn-cli" --quiet key new "$work/identity/node.key" --encrypt >/dev/null
env --unset ICN_KEY_PASSPHRASE_FILE "$bin/icn-cli" --quiet key new "$work/plain/node.key" >/dev/null 2>&1
export ICN_IDENTITY_KEY_PATH=$work/identity/node.key

for backend in fjall sqlite; do
    start $backend --storage-backend $backend
    cid=$(cli $backend dag put README.md)
    backup --profile "$work/$backend/cli.toml" --keys "$work/identity" >/dev/null || failed "the backup of $backend"
    complete 3
    if [ $backend = fjall ]; then
        refused "is not encrypted" backup --profile "$work/fjall/cli.toml" --keys "$work/plain"
        refused "holds no key" backup --profile "$work/fjall/cli.toml" --keys "$work/backups"
        refused "cannot be read" backup --profile "$work/nowhere/cli.toml"
        refused "pg_dump" backup --profile "$work/fjall/cli.toml" --database "postgresql://nobody@127.0.0.1:1/none"
        refused "takes a number" backup --profile "$work/fjall/cli.toml" --keep-days never
        refused "unknown argument" backup --everything
        mkdir "$work/refused"
        # What is written is checked: a program that writes something else does not pass for one that backs up.
        printf '#!/bin/sh\nfor last; do :; done\n' >"$work/refused/icn-cli"
        # shellcheck disable=SC2016
        printf 'echo damaged > "$last"\n' >>"$work/refused/icn-cli"
        ln -s "$bin/icn-node" "$work/refused/icn-node"
        chmod +x "$work/refused/icn-cli"
        refused "cannot be restored" scripts/backup.sh --bin "$work/refused" --dir "$work/backups" --profile "$work/fjall/cli.toml"
    fi
    stop
    refused "icn-cli dag backup" backup --profile "$work/$backend/cli.toml"

    # The same node from its backup alone, on an empty machine.
    mkdir "$work/restored-$backend"
    tar -xzf "$work"/backups/identity-*.tar.gz -C "$work/restored-$backend"
    "$bin/icn-node" storage restore --input "$work"/backups/dag-*.tar.gz --data-dir "$work/again-$backend" \
        --storage-backend $backend >/dev/null 2>"$work/restore.log" || failed "restoring $backend"
    ICN_IDENTITY_KEY_PATH=$work/restored-$backend/identity/node.key start "again-$backend" --storage-backend $backend
    cli "again-$backend" dag get "$cid" --output "$work/back.md" 2>/dev/null || cli "again-$backend" dag get "$cid" >"$work/back.md"
    cmp -s README.md "$work/back.md" || failed "a file is not what it was"
    cli "again-$backend" dag verify --deep >/dev/null || failed "dag verify --deep after restoring $backend"
    stop
    rm -r "$work/backups"
    echo "ok: $backend backed up and restored"
done

# Old ones go, but only after a new one.
start retention
mkdir "$work/backups"
for day in 29 31 400; do
    for name in dag-$day.tar.gz sums-$day.sha256 notes-$day.txt; do touch -d "$day days ago" "$work/backups/$name"; done
done
refused "is not encrypted" backup --profile "$work/retention/cli.toml" --keys "$work/plain"
backup --profile "$work/retention/cli.toml" >/dev/null
left=$(written | sed 's/2[0-9]\{7\}_[0-9]\{6\}/NOW/' | sort | tr '\n' ' ')
[ "$left" = "dag-29.tar.gz dag-NOW.tar.gz notes-29.txt notes-31.txt notes-400.txt sums-29.sha256 sums-NOW.sha256 " ] ||
    failed "left are $left"
stop
rm -r "$work/backups"
echo "ok: backups of more than 30 days are removed once there is a new one"

# PostgreSQL refuses to run as root.
as=()
[ "$(id -u)" != 0 ] || as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
mkdir "$work/postgres"
[ "$(id -u)" != 0 ] || chown nobody "$work/postgres"
password=$(openssl rand -hex 16)
echo "$password" >"$work/password"
chmod 644 "$work/password"
port=$(free_port)
(cd / && "${as[@]}" initdb --pgdata "$work/postgres/data" --username icn --auth scram-sha-256 --pwfile "$work/password") \
    >"$work/initdb.log" 2>&1 || failed "initdb"
chmod 600 "$work/password"
(cd / && exec "${as[@]}" postgres -D "$work/postgres/data" -c listen_addresses=127.0.0.1 -p "$port" -k "$work/postgres") \
    >"$work/postgres.log" 2>&1 &
server=$!
export PGHOST=127.0.0.1 PGPORT=$port PGUSER=icn
for _ in $(seq 1200); do
    ! PGPASSWORD=$password psql --dbname postgres --command 'select 1' >/dev/null 2>&1 || break
    sleep 0.1
done
PGPASSWORD=$password createdb icn_production
start postgresql --db-url "postgresql://icn:$password@127.0.0.1:$port/icn_production"
cid=$(cli postgresql dag put README.md)
refused "pg_dump" backup --profile "$work/postgresql/cli.toml"
DB_PASSWORD_FILE=$work/password backup --profile "$work/postgresql/cli.toml" --keys "$work/identity" >/dev/null ||
    failed "the backup of postgresql"
complete 4
stop
export PGPASSWORD=$password
createdb icn_production_new
gunzip -c "$work"/backups/db-*.sql.gz | psql --quiet --set ON_ERROR_STOP=1 icn_production_new >/dev/null || failed "restoring the dump"
# With its data directory, for what is no database's.
start postgresql --db-url "postgresql://icn:$password@127.0.0.1:$port/icn_production_new"
cli postgresql dag get "$cid" >"$work/back.md"
cmp -s README.md "$work/back.md" || failed "a file is not what it was"
stop
# A node that lost both: the archive alone, into an empty database and a new data directory.
createdb icn_production_empty
empty=postgresql://icn:$password@127.0.0.1:$port/icn_production_empty
"$bin/icn-node" storage restore --input "$work"/backups/dag-*.tar.gz --db-url "$empty" --data-dir "$work/again-postgresql" \
    >/dev/null 2>"$work/restore.log" || failed "restoring into an empty database"
start again-postgresql --db-url "$empty"
cli again-postgresql dag get "$cid" >"$work/back.md"
cmp -s README.md "$work/back.md" || failed "a file is not what it was"
cli again-postgresql dag verify --deep >/dev/null || failed "dag verify --deep after restoring into an empty database"
stop
echo "ok: postgresql dumped, backed up and restored, and from the archive alone"
