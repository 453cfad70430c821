#!/usr/bin/env bash
# Backs up a node that runs: what it keeps, its database if that is PostgreSQL, and its encrypted keys. Checks what it wrote.
#
#   scripts/backup.sh [--dir DIR] [--profile FILE] [--keys DIR] [--database URL] [--keep-days N] [--bin DIR]
#
# Writes to DIR (BACKUP_DIR, /backups/icn), each under a name with the time (UTC) of the run:
#   dag-TIME.tar.gz       `icn-cli dag backup`: blocks, state, log, events, configuration
#   db-TIME.sql.gz        pg_dump of the node's database, if that is what it keeps its store in
#   identity-TIME.tar.gz  the directory of its keys, if one is said; each key in it has to be encrypted
#   sums-TIME.sha256      of these, as `sha256sum --check` reads it
#
# A backup is complete or not there: files get their names at the end, after the archive was restored into an empty store
# beside it, which checks every hash and the root of the state, and the dump was read to its end. What fails says so and ends
# with 1, and then nothing older is removed. Of complete backups, those older than N days (30) are removed.
#
#   --profile   the node's cli.toml (ICN_PROFILE, ./icn_data/cli.toml): where the node is, and where its store
#   --keys      directory of the node's key, such as /secrets/identity (BACKUP_KEYS); without, no key is backed up
#   --database  URL of the database (BACKUP_DATABASE), if the profile's is not the one that can be reached from here. The
#               password comes from DB_PASSWORD, the file that DB_PASSWORD_FILE names, or what libpq knows (PGPASSWORD,
#               ~/.pgpass)
#   --bin       directory of icn-cli and icn-node, if they are not in PATH
#
# For cron or a systemd timer: no output but on standard error when something is wrong, and one line at the end.
set -euo pipefail
umask 077

dir=${BACKUP_DIR:-/backups/icn}
profile=${ICN_PROFILE:-./icn_data/cli.toml}
keys=${BACKUP_KEYS:-}
database=${BACKUP_DATABASE:-}
days=30
while [ $# -gt 0 ]; do
    case $1 in
    --dir | --profile | --keys | --database | --keep-days | --bin)
        [ $# -ge 2 ] || { echo "$1 needs a value" >&2 && exit 2; }
        ;;&
    --dir) dir=$2 && shift 2 ;;
    --profile) profile=$2 && shift 2 ;;
    --keys) keys=$2 && shift 2 ;;
    --database) database=$2 && shift 2 ;;
    --keep-days) days=$2 && shift 2 ;;
    --bin) PATH=$(cd "$2" && pwd):$PATH && shift 2 ;;
    -h | --help) sed -n '2,/^set /{s/^# \{0,1\}//p}' "$0" && exit 0 ;;
    *) echo "unknown argument $1: see $0 --help" >&2 && exit 2 ;;
    esac
done
case $days in '' | *[!0-9]*) echo "--keep-days takes a number of days, not $days" >&2 && exit 2 ;; esac

failed() {
    echo "no backup: $*" >&2
    exit 1
}
for program in icn-cli icn-node sha256sum flock; do
    command -v "$program" >/dev/null || failed "$program is not in PATH (--bin says where the node's programs are)"
done
[ -r "$profile" ] || failed "$profile cannot be read: --profile names the cli.toml in the node's data directory"

mkdir -p "$dir" || failed "$dir cannot be made"
dir=$(cd "$dir" && pwd)
exec 9>"$dir/.lock"
flock --nonblock 9 || failed "another backup to $dir runs"
work=$(mktemp -d "$dir/.unfinished-XXXXXX")
trap 'rm -rf "$work"' EXIT
time=$(date -u +%Y%m%d_%H%M%S)
files=()

# The value of a key in the profile's [store].
store() {
    sed -n '/^\[store\]/,/^\[/{s/^'"$1"' *= *"\(.*\)"$/\1/p}' "$profile"
}
backend=$(store backend)
if [ -z "$database" ] && [ "$backend" = postgresql ]; then
    database=$(store path)
    [ -n "$database" ] || failed "$profile does not say where the database is: say --database"
fi
if [ -n "$database" ]; then
    command -v pg_dump >/dev/null || failed "pg_dump is not in PATH: install PostgreSQL's client programs"
    if [ -n "${DB_PASSWORD_FILE:-}" ]; then
        PGPASSWORD=$(cat "$DB_PASSWORD_FILE") || failed "DB_PASSWORD_FILE cannot be read"
        export PGPASSWORD
    elif [ -n "${DB_PASSWORD:-}" ]; then
        export PGPASSWORD=$DB_PASSWORD
    fi
    file=db-$time.sql.gz
    pg_dump --no-password "$database" | gzip >"$work/$file" || failed "pg_dump"
    # A dump that was cut off is valid as far as it goes.
    gzip -dc "$work/$file" | tail -n 10 | grep -q '^-- PostgreSQL database dump complete' ||
        failed "the dump of the database is not complete"
    files+=("$file")
fi

file=dag-$time.tar.gz
icn-cli --quiet --profile "$profile" dag backup --output "$work/$file" >/dev/null || failed "icn-cli dag backup"
# Settings of a node on this machine are not this one's: the store that is made here is to be seen and thrown away.
checked() {
    env -i PATH="$PATH" HOME="$work" icn-node storage restore --input "$work/$file" --storage-backend fjall \
        --data-dir "$work/restored" >"$work/restore.log" 2>&1
}
checked || failed "what was written cannot be restored: $(tail -n 1 "$work/restore.log")"
rm -rf "$work/restored" "$work/restore.log"
files+=("$file")

if [ -n "$keys" ]; then
    [ -d "$keys" ] || failed "$keys is no directory of keys"
    found=$(grep -rl 'PRIVATE KEY-----' "$keys") || failed "$keys holds no key"
    while IFS= read -r key; do
        grep -q 'BEGIN ENCRYPTED PRIVATE KEY' "$key" ||
            failed "$key is not encrypted, and does not belong in a backup: icn-cli key export $key --to NEW"
    done <<<"$found"
    file=identity-$time.tar.gz
    # Without the path before it, so that it is unpacked where one says.
    tar --create --gzip --file "$work/$file" --directory "$(dirname "$keys")" "$(basename "$keys")" || failed "tar of $keys"
    tar --compare --gzip --file "$work/$file" --directory "$(dirname "$keys")" || failed "$file does not hold what is in $keys"
    files+=("$file")
fi

(cd "$work" && sha256sum "${files[@]}") >"$work/sums-$time.sha256"
files+=("sums-$time.sha256")
for file in "${files[@]}"; do sync "$work/$file"; done
# The sums come last: where they are, all of a run is.
for file in "${files[@]}"; do mv "$work/$file" "$dir/$file"; done
sync "$dir"

find "$dir" -maxdepth 1 -type f -mtime "+$days" \
    \( -name 'dag-*.tar.gz' -o -name 'db-*.sql.gz' -o -name 'identity-*.tar.gz' -o -name 'sums-*.sha256' \) -delete
echo "backed up to $dir: ${files[*]}"
