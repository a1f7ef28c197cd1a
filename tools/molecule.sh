#!/usr/bin/env bash
# Usage: molecule.sh SCENARIO create|converge|idempotence|side-effect|verify|destroy
# Runs one action of a molecule scenario. Saves the hosts' logs before it destroys them.
set -euo pipefail
cd "$(dirname "$0")/.."

scenario="$1"
action="$2"
# The inventories, as in the scenario's molecule.yml.
mapfile -t inventories < <(sed -n \
    -e 's|^ *- --inventory=${MOLECULE_PROJECT_DIRECTORY}/|--inventory=|p' \
    -e "s|^ *- --inventory=\${MOLECULE_SCENARIO_DIRECTORY}/|--inventory=molecule/$scenario/|p" "molecule/$scenario/molecule.yml")
lab="$(sed -n 's/^ *lab_name: *//p' "molecule/$scenario/inventory/hosts.yml")"
# In the checkout, so that checkouts and users do not share it.
export ANSIBLE_FORCE_COLOR=0
export MOLECULE_EPHEMERAL_DIRECTORY="$PWD/.cache/molecule/$scenario"
# An ansible-playbook with less of the processor's time.
PATH="$PWD/tests/bin:$PATH"

save_logs() {
    local logs="$PWD/.cache/log/hosts-$scenario" name
    rm -rf "$logs"
    mkdir -p "$logs"
    docker container ls --filter "label=ivy-lab=$lab" --format '{{.Names}}' | while read -r name; do
        docker exec "$name" journalctl --boot --no-pager > "$logs/$name.journal" 2>&1 < /dev/null || true
    done
}

case "$action" in
    create)
        # Remove what a killed run has left behind.
        molecule reset --scenario-name "$scenario"
        ansible-playbook "${inventories[@]}" molecule/shared/destroy.yml
        molecule create --no-command-borders --scenario-name "$scenario"
        ;;
    destroy)
        if ! command -v molecule > /dev/null || ! docker version > /dev/null 2>&1; then
            echo "Nothing was created, so there is nothing to remove."
            exit 0
        fi
        save_logs
        molecule destroy --no-command-borders --scenario-name "$scenario"
        ;;
    *)
        molecule "$action" --no-command-borders --scenario-name "$scenario"
        ;;
esac
