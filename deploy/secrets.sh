#!/bin/sh
# Write .env for docker compose with fresh random passwords; an existing one stays.
set -eu
cd "$(dirname -- "$0")/.."
if [ -e .env ]; then
    echo ".env is there already; remove it to make a new one (the database keeps its old passwords)." >&2
    exit 1
fi
umask 077
for name in POSTGRES JACKFIELD_GATEWAY JACKFIELD_OAUTH JACKFIELD_WEBHOOKS JACKFIELD_CONNECTORS \
    JACKFIELD_CERTIFICATION GRAFANA; do
    printf '%s_PASSWORD=%s\n' "$name" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
done > .env.partial
mv .env.partial .env
echo "Wrote .env. Next: docker compose up --build"
