# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adopts the changes of one node: from the node's answer to edits of the source."""

from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

from ansible.inventory.manager import IGNORED
from ansible.template import Templar

from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import bootstrap, patch, plan, write
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import answers, commands, masking, native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import FindingsError
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import inputs, node_copy, templates
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import source as source_tree
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.bounded_templates import BoundedRenderer
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.build import ENGINE_KEYS
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import CacheError

_VALUES, _SECRETS = "ivy_shared_values", "ivy_shared_secrets"

Result = dict[str, t.Any]

# What of a node's answer is used here and in the plan.
_ANSWER: answers.Shape = {
    "applied?": str,
    "engine_owned": [str],
    "findings": [
        {
            **dict.fromkeys(("root", "path", "kind"), str),
            **{f"{name}?": str for name in ("origin", "detail", "before", "after")},
            **{f"{name}?": bool for name in ("yaml", "secret", "too_long", "irregular")},
        }
    ],
}


class Controller(t.NamedTuple):
    """The part of Ansible's run that adoption needs."""

    loader: t.Any
    templar: Templar
    secrets: tuple[str, ...]
    inventory_sources: t.Sequence[str]
    check: bool


def empty_result(base: Path) -> Result:
    """The result before the node is read. `first` is true if there is no source yet."""
    return {
        "changed": False,
        "taken": [],
        "named": [],
        "text": "",
        "written": False,
        "secrets": [],
        "files": {},
        "local_changes": [],
        "first": not write.has_files(base),
    }


def check_answer(answer: Result) -> None:
    try:
        answers.check(answer, _ANSWER)
    except answers.AnswerError as exc:
        raise ValueError(f"The node's answer cannot be used: {exc}. Take another node.") from exc


def adopt(params: Result, base: Path, answer: Result, controller: Controller, result: Result) -> None:
    """Plan the edits from the node's answer, write them on request, and complete the result."""
    check_answer(answer)
    findings = [plan.node_change_from(item) for item in answer["findings"]]
    selection = plan.Selection(tuple(params["files"]), tuple(params["keys"]))
    if result["first"]:
        result["files"] = bootstrap.fingerprint(findings, params["cluster_key"] or os.urandom(16).hex())
        if not params["chosen"]:
            return
        planned, result["secrets"] = bootstrap.first_source(
            findings, answer["engine_owned"], selection, params["profile"]
        )
    else:
        if not answer["applied"]:
            raise ValueError(
                "No release was ever applied to this node, so there are no changes since. "
                f"Run: {commands.command('site')}"
            )
        with _context(base, answer, controller) as context:
            planned = plan.plan(findings, answer["engine_owned"], selection, context)
    edits = [taken.edit for taken in planned.taken]
    result["local_changes"] = sorted({plain_text(finding.path) for finding in findings})
    result["taken"] = [taken.plain() for taken in planned.taken]
    result["named"] = [named.plain() for named in planned.named]
    result["text"] = write.shown(planned.taken, controller.secrets)
    if params["write"] and edits:
        write.refuse_inventory(base, controller.inventory_sources, IGNORED)
    patched = False
    if params["patch_file"]:
        # Relative to the working directory, since the playbook may be in an installed collection.
        path = Path(params["patch_file"]).expanduser().absolute()
        patched = write.write_patch(path, patch.render(edits), controller.check)
    if params["write"] and edits:
        write.write(base, edits, controller.check)
        result["written"] = not controller.check
    result["changed"] = patched or (params["write"] and bool(edits))


@contextlib.contextmanager
def _context(base: Path, answer: Result, controller: Controller) -> t.Iterator[plan.Context]:
    source = source_tree.read_source(base, lambda data: inputs.decrypt(data, controller.loader))
    if source.findings:
        raise FindingsError(source.findings)
    entries: list[Result] = []
    if answer.get("manifest"):
        try:
            entries = node_copy.manifest_of(answer["manifest"], answer["applied"])["entries"]
        except CacheError as exc:
            raise ValueError(str(exc)) from exc
    secret_keys = {entry["path"]: entry.get("secret_keys") or [] for entry in entries if entry["root"] == "engine"}
    shared, secret = (_dictionary(controller.templar, name) for name in (_VALUES, _SECRETS))
    secret = {name: value for name, value in secret.items() if name != ENGINE_KEYS}

    def render(path: str, text: str) -> str:
        rendered, problems = renderer.render(path, text)
        if rendered is None:
            raise ValueError(masking.scrub("; ".join(map(str, problems)), controller.secrets))
        return rendered.text

    with BoundedRenderer(templates.Renderer(shared, secret)) as renderer:
        yield plan.Context({file.path: file for file in source.files}, secret_keys, controller.secrets, render)


def _dictionary(templar: Templar, name: str) -> dict[str, native.Plain]:
    value, reason = inputs.value_of(templar, name)
    if reason:
        raise ValueError(reason)
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not a dictionary. Set it as key: value pairs.")
    return value
