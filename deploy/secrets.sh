#!/usr/bin/env bash
# Makes the passwords that docker-compose.yml reads, once: deploy/secrets.sh && docker compose up
set -euo pipefail
cd "$(dirname "$0")"

if [ -d secrets ]; then
    echo "secrets: deploy/secrets is there already; remove it (and the database's volume) for new ones" >&2
    exit 0
fi

draft=$(mktemp -d ./secrets.XXXXXX)
trap 'rm -rf "$draft"' EXIT

password() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

# The folder is closed to others; the files are open so that the containers' users can read them.
write() {
    printf '%s' "$2" > "$draft/$1"
    chmod 0444 "$draft/$1"
}

admin=$(password)
write postgres_password "$admin"
write database_url "postgresql://postgres:$admin@postgres:5432/orderflow"
for service in orders claims analytics gateway deliveries; do
    own=$(password)
    write "${service}_database_password" "$own"
    write "${service}_database_url" "postgresql://orderflow_$service:$own@postgres:5432/orderflow"
done
# The key under which secrets of webhooks are encrypted: 32 bytes in base64.
write deliveries_key "$(head -c 32 /dev/urandom | base64)"
mv "$draft" secrets
trap - EXIT
echo "secrets: written to deploy/secrets"
