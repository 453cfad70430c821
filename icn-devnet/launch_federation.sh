#!/usr/bin/env bash
# Starts a federation of three on this machine, and leaves it running.
#
#   icn-devnet/launch_federation.sh [--nodes 3] [--dir icn_devnet] [--base-port 7800] [--bin DIR]
#   icn-devnet/launch_federation.sh --down [--remove] [--dir icn_devnet] [--bin DIR]
#
#   --nodes N     how many nodes, at most 16. Three need each other to order anything; four can lose one
#   --dir DIR     where their keys, data and logs are
#   --down        stops it; with --remove the directory goes, too
#   --bin DIR     the built programs; without, they are built
#
# The nodes are processes on loopback; docker-compose.yml here starts the same in containers. Before it leaves them, it hands in
# a few jobs. Exit code 0 only if all of them settled or were rolled back, the mana adds up on every node and all agree on
# height and root; otherwise nothing is left running, unless nodes of DIR ran before.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/../scripts/devnet.sh"

given='' dir=icn_devnet nodes=3 port=7800 down='' remove=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --bin) needs_value "$1" $# && given=$2 && shift 2 ;;
    --nodes) needs_value "$1" $# && nodes=$2 && shift 2 ;;
    --dir) needs_value "$1" $# && dir=$2 && shift 2 ;;
    --base-port) needs_value "$1" $# && port=$2 && shift 2 ;;
    --down) down=yes && shift ;;
    --remove) remove=(--remove) && shift ;;
    *) refuse "there is no option $1" ;;
    esac
done
[ -z "${remove[*]}" ] || [ -n "$down" ] || refuse "--remove goes with --down"

programs "$given"
if [ -n "$down" ]; then
    exec "$bin/icn-cli" devnet down --dir "$dir" "${remove[@]}"
fi
# What ran before is not this script's to end.
ran=''
! runs "$dir" || ran=yes
finish() {
    code=$?
    [ $code = 0 ] || [ -n "$ran" ] || "$bin/icn-cli" --quiet devnet down --dir "$dir" || true
    exit $code
}
trap finish EXIT
attend "$bin/icn-cli" devnet up --seats "$nodes" --base-port "$port" --dir "$dir" --timeout 120s
attend "$bin/icn-cli" devnet load --dir "$dir" --jobs 12 --concurrent-jobs 6 --job-types short,text,data
