#!/bin/sh
# Puts the units and what belongs to them where systemd looks for them, and configuration where there is none yet:
#
#   sudo deploy/systemd/install.sh
#
# The programs themselves belong in /usr/bin. Packages are laid out by it, too: DESTDIR is put before every place, PREFIX
# stands for /usr and ETC for /etc.
set -eu
# It changes the machine: a question is no reason to.
[ $# = 0 ] || { echo "usage: [DESTDIR=DIR] [PREFIX=/usr] [ETC=/etc] $0" >&2 && exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
lib=${DESTDIR-}${PREFIX-/usr}/lib
share=${DESTDIR-}${PREFIX-/usr}/share
etc=${DESTDIR-}${ETC-/etc}/icn
logrotate=${DESTDIR-}${ETC-/etc}/logrotate.d/icn

for unit in icn-node.service icn-federation.service icn-backup.service icn-backup.timer; do
    install -D -m 644 "$here/$unit" "$lib/systemd/system/$unit"
done
install -D -m 644 "$here/sysusers.conf" "$lib/sysusers.d/icn.conf"
install -D -m 644 "$here/postgresql.conf" "$share/doc/icn/systemd/postgresql.conf"
# What icn-backup.service runs.
install -D -m 755 "$here/../../scripts/backup.sh" "$lib/icn/backup.sh"
for file in config.toml federation.toml projects.yaml; do
    [ -e "$etc/$file" ] || install -D -m 644 "$here/$file" "$etc/$file"
done
[ -e "$logrotate" ] || install -D -m 644 "$here/logrotate.conf" "$logrotate"
# Read by root alone, who hands them to the services.
install -d -m 700 "$etc/secrets"
[ -z "${DESTDIR-}" ] || exit 0

systemd-sysusers icn.conf
[ ! -d /run/systemd/system ] || systemctl daemon-reload
