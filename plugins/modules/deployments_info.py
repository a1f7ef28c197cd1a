#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deployments_info
short_description: Compares what an engine deployed with what was placed for it
version_added: 0.1.0
description:
  - Lists every artefact in the engine's deploy directory with its digest and what the engine made of it, together with
    the digests that P(ivy.cluster.application#module) remembers.
  - So an artefact that somebody else put there, or that is not the same any more, can be told.
options:
  deploy_directory:
    description: The directory from which the engine deploys.
    type: path
    required: true
  store:
    description: The node's own memory of what was placed.
    type: path
    default: /var/lib/ivy-cluster
  unit:
    description: The engine's unit.
    type: str
    default: axonivy-engine.service
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.application
"""

EXAMPLES = r"""
- name: Look at what was deployed
  ivy.cluster.deployments_info:
    deploy_directory: /opt/ivy/current/deploy
  register: deployments

- name: Name what the collection did not place
  ansible.builtin.debug:
    msg: "{{ deployments.artefacts | rejectattr('name', 'in', deployments.placed) | map(attribute='name') | list }}"
"""

RETURN = r"""
artefacts:
  description: Every artefact in the deploy directory, by name.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its name below the deploy directory, without the engine's marker.
      type: str
      sample: demo.zip
    state:
      description: One of V(deployed), V(failed), V(pending).
      type: str
      sample: deployed
    sha256:
      description: Digest of its bytes.
      type: str
      sample: 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
    time:
      description: When the engine dealt with it, or when it was put there, in seconds since 1970.
      type: float
      sample: 1795364468.5
placed:
  description: Digest of each artefact that P(ivy.cluster.application#module) placed there, by name.
  returned: always
  type: dict
  sample: {demo.zip: 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b}
started:
  description: When the engine's process started, in seconds since 1970; 0 when it does not run.
  returned: always
  type: float
  sample: 1795364400.0
"""

import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import unit as units
from ansible_collections.ivy.cluster.plugins.module_utils.node.engine.applications import digest_of
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import state as look
from ansible_collections.ivy.cluster.plugins.module_utils.node.store.store import Store

_STATES = {".deployed": "deployed", ".notDeployed": "failed"}
_ARTEFACTS = (".zip", ".iar")


def what_is(name: str) -> tuple[str, str] | None:
    """The artefact that a file stands for, and its state; none for a log or for options."""
    stem, ending = os.path.splitext(name)
    if ending in _STATES and stem.endswith(_ARTEFACTS):
        return stem, _STATES[ending]
    return (name, "pending") if ending in _ARTEFACTS else None


def dealt_with(directory: str, name: str, file: str) -> float:
    """A marker keeps the artefact's own time, so the log that the engine wrote beside it counts, if there is one."""
    try:
        return os.stat(os.path.join(directory, f"{name}.deploymentLog")).st_mtime
    except OSError:
        return os.stat(os.path.join(directory, file)).st_ctime


def artefacts(directory: str) -> list[dict[str, t.Any]]:
    found = []
    for base, _directories, files in os.walk(directory):
        for file in files:
            meant = what_is(file)
            path = os.path.join(base, file)
            # A link may lead to anything on the host, and it may be large.
            if meant is None or os.path.islink(path):
                continue
            name = os.path.relpath(os.path.join(base, meant[0]), directory)
            try:
                digest, moment = digest_of(path), dealt_with(base, meant[0], file)
            except (FileNotFoundError, NodeError):
                # Deployed while it was looked at: the next look has it under its new name.
                continue
            found.append({"name": name, "state": meant[1], "sha256": digest, "time": moment})
    return sorted(found, key=lambda item: (item["name"], item["state"]))


def placed(known: t.Mapping[str, t.Mapping[str, t.Any]], directory: str) -> dict[str, str]:
    """What is remembered of this directory; the memory may name it through a link."""
    real = os.path.realpath(directory)
    return {
        os.path.relpath(os.path.realpath(key), real): str(item.get("sha256"))
        for key, item in known.items()
        if os.path.realpath(key).startswith(real + os.sep)
    }


def started(unit: str) -> float:
    state = units.show(unit)
    process = look.process(state.main_pid) if state.running and state.main_pid else None
    return round(time.time() - float(process["age"]), 1) if process else 0.0


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "deploy_directory": {"type": "path", "required": True},
            "store": {"type": "path", "default": "/var/lib/ivy-cluster"},
            "unit": {"type": "str", "default": "axonivy-engine.service"},
        },
        supports_check_mode=True,
    )
    directory = module.params["deploy_directory"]
    try:
        with Store(module.params["store"]) as store:
            known = store.applications() if store.tree.exists else {}
        module.exit_json(
            changed=False,
            artefacts=artefacts(directory),
            placed=placed(known, directory),
            started=started(module.params["unit"]),
        )
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"The deployments in {directory} cannot be read: {exc}.")


if __name__ == "__main__":
    main()
