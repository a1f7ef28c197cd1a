# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes that operators have drained, in the cluster record, and a forced restart that is not finished.

No start of an engine depends on it, so a part that is invalid is dropped when the record is read.
"""

from __future__ import annotations

import typing as t

from . import lease as leases

# A forced restart that did not reach a node in this time is not continued.
LONGEST_RESTART = 24 * 3600.0
_LONGEST_NAME = 255
_MOST_NODES = 1000

Record = dict[str, t.Any]


def readable(record: Record) -> dict[str, t.Any]:
    """The valid entries of what was read."""
    found, restarts = record.get("drained_nodes"), record.get("restarts")
    entries = list(found.items())[:_MOST_NODES] if isinstance(found, dict) else []
    return {
        "drained_nodes": {
            node: {**{name: entry[name] for name in ("since", "owner", "reason")}, "stopped": entry["stopped"]}
            for node, entry in entries
            if _is_name(node) and _is_entry(entry)
        },
        "restarts": {name: restarts[name] for name in ("since", "owner", "nodes")}
        if restarts and _is_restart(restarts)
        else None,
    }


def _is_name(value: t.Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME


def _is_time(value: t.Any) -> bool:
    try:
        return isinstance(value, str) and leases.seconds(value) > 0
    except (ValueError, OverflowError):
        return False


def _is_entry(entry: t.Any) -> bool:
    return (
        isinstance(entry, dict)
        and _is_time(entry.get("since"))
        and leases.is_short_text(entry.get("owner"))
        and leases.is_short_text(entry.get("reason"))
        and isinstance(entry.get("stopped"), bool)
    )


def _is_restart(value: t.Any) -> bool:
    return (
        isinstance(value, dict)
        and _is_time(value.get("since"))
        and leases.is_short_text(value.get("owner"))
        and isinstance(value.get("nodes"), list)
        and 0 < len(value["nodes"]) <= _MOST_NODES
        and all(map(_is_name, value["nodes"]))
    )


def begin(record: Record, node: str, entry: Record) -> bool:
    """An operator keeps users from the node from now on. Returns whether that is new, or has another reason.

    No run brings the node back any more, so it is not one that an interrupted run has left out.
    """
    record["drained"] = [name for name in record["drained"] if name != node]
    record["drained_states"] = {name: states for name, states in record["drained_states"].items() if name != node}
    known = record["drained_nodes"].get(node)
    if known:
        entry = {**entry, "since": known["since"], "stopped": known["stopped"] or entry["stopped"]}
        if entry == {**known, "owner": entry["owner"]}:
            return False
    record["drained_nodes"] = {**record["drained_nodes"], node: entry}
    return True


def end(record: Record, node: str) -> bool:
    """The node is to be used again. Until it is, each run that has it brings it back.

    Returns whether it was drained.
    """
    known = node in record["drained_nodes"]
    record["drained_nodes"] = {name: entry for name, entry in record["drained_nodes"].items() if name != node}
    record["drained"] = sorted({*record["drained"], node})
    # Without a state from before, the load balancers use it.
    record["drained_states"] = {name: states for name, states in record["drained_states"].items() if name != node}
    return known


def unfinished(record: t.Mapping[str, t.Any], now: float) -> list[str]:
    """The nodes that a forced restart did not reach."""
    restarts = record.get("restarts")
    if not restarts or not 0 <= now - leases.seconds(restarts["since"]) <= LONGEST_RESTART:
        return []
    return list(restarts["nodes"])


def request_restart(record: Record, nodes: t.Sequence[str], owner: str, since: str, now: float) -> None:
    """Remember which nodes a forced restart has to reach. An earlier one that is not finished for some is continued.

    Without nodes, one that is too old is forgotten.
    """
    wanted, left = set(nodes), set(unfinished(record, now))
    if wanted and not left & wanted:
        record["restarts"] = {"since": since, "owner": owner, "nodes": sorted(left | wanted)}
    elif not left:
        record["restarts"] = None


def restarted(record: Record, node: str) -> None:
    """The node was restarted."""
    restarts = record["restarts"]
    if restarts and node in restarts["nodes"]:
        nodes = [name for name in restarts["nodes"] if name != node]
        record["restarts"] = {**restarts, "nodes": nodes} if nodes else None
