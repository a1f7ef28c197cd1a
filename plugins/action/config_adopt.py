# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of config_adopt: edits the source with what the node handed over."""

from __future__ import annotations

import base64
import json
import os
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.inventory.manager import IGNORED
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import encryption, payload
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.patterns import check_patterns
from ansible_collections.ivy.cluster.plugins.modules.config_adopt import argument_spec
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import (
    bootstrap,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import (
    patch as adopt_patch,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import (
    plan as adopt,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import (
    write as adopt_write,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import commands, masking, native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import FindingsError
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import session
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import source as source_tree
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import templates
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.build import ENGINE_KEYS

# What the node's half needs; the rest is the controller's own business.
_FOR_THE_NODE = ("source", "roots", "store", "owner", "group", "unit", "ignore")
_VALUES, _SECRETS = "ivy_shared_values", "ivy_shared_secrets"

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    """One call of the node; everything else happens here."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, checked = self.validate_argument_spec(argument_spec=argument_spec())
        args = t.cast(Result, native.plain({name: value for name, value in checked.items() if value is not None}))
        base = Path(self._loader.path_dwim(args["source"]))
        result: Result = {
            "changed": False,
            "taken": [],
            "named": [],
            "text": "",
            "written": False,
            "secrets": [],
            "files": {},
            "local_changes": [],
            "first": not adopt_write.has_files(base),
        }
        if not result["first"] and not args["chosen"]:
            return result
        answer = self._ask(args, task_vars, everything=result["first"])
        if "findings" not in answer:
            return answer
        try:
            return self._adopt(args, task_vars, base, answer, result)
        except (FindingsError, adopt_write.WriteError, ValueError) as error:
            raise AnsibleError(str(error)) from error

    def _ask(self, args: Result, task_vars: Result, everything: bool) -> Result:
        try:
            check_patterns("files", args["files"])
        except NodeError as error:
            raise AnsibleError(str(error)) from error
        key = os.urandom(32)
        header = {"key": key.hex(), "take": args["files"], "everything": everything}
        for_node = {name: args[name] for name in _FOR_THE_NODE if name in args}
        for_node["payload"] = payload.to_text(payload.pack(header, {}))
        result: Result = self._execute_module(module_args=for_node, task_vars=task_vars)
        if "encrypted" not in result:
            return result
        try:
            return t.cast(Result, encryption.decrypt(key, result["encrypted"]))
        except NodeError as error:
            raise AnsibleError(str(error)) from error

    def _adopt(self, args: Result, task_vars: Result, base: Path, answer: Result, result: Result) -> Result:
        findings = [adopt.finding_from(item) for item in answer["findings"]]
        wish = adopt.Wish(tuple(args["files"]), tuple(args["keys"]))
        secrets = tuple(session.known_secrets(self, task_vars))
        if result["first"]:
            result["files"] = bootstrap.fingerprint(findings, args["cluster_key"] or os.urandom(16).hex())
            if not args["chosen"]:
                return result
            plan, result["secrets"] = bootstrap.first_source(findings, answer["engine_owned"], wish, args["profile"])
        else:
            if not answer["applied"]:
                raise ValueError(
                    "Nothing was ever applied to this node, so nothing can have changed since. "
                    f"Run: {commands.command('site')}"
                )
            plan = adopt.plan(findings, answer["engine_owned"], wish, self._context(base, answer, secrets))
        result["local_changes"] = sorted({source_tree.printable(finding.path) for finding in findings})
        edits = [one.edit for one in plan.taken]
        result["taken"] = [one.plain() for one in plan.taken]
        result["named"] = [one.plain() for one in plan.named]
        result["text"] = adopt_write.shown(plan.taken, secrets)
        if self._task.diff and edits:
            result["diff"] = {"prepared": result["text"]}
        check = bool(self._task.check_mode)
        if args["write"] and edits:
            adopt_write.refuse_inventory(base, task_vars.get("ansible_inventory_sources") or (), IGNORED)
        patched = False
        if args["patch_file"]:
            # Relative to where the command runs: the playbook may lie in an installed collection.
            patch = Path(args["patch_file"]).expanduser().absolute()
            patched = adopt_write.write_patch(patch, adopt_patch.render(edits), check)
        if args["write"] and edits:
            adopt_write.write(base, edits, check)
            result["written"] = not check
        result["changed"] = patched or (args["write"] and bool(edits))
        return result

    def _context(self, base: Path, answer: Result, secrets: tuple[str, ...]) -> adopt.Context:
        source = source_tree.read_source(base, self._decrypt)
        if source.findings:
            raise FindingsError(source.findings)
        manifest = json.loads(base64.b64decode(answer["manifest"])) if answer["manifest"] else {"entries": []}
        keys = {
            entry["path"]: entry.get("secret_keys", []) for entry in manifest["entries"] if entry["root"] == "engine"
        }
        shared, secret = self._value(_VALUES), self._value(_SECRETS)
        renderer = templates.Renderer(shared, {name: value for name, value in secret.items() if name != ENGINE_KEYS})

        def render(path: str, text: str) -> str:
            rendered, problems = renderer.render(path, text)
            if rendered is None:
                raise ValueError(masking.scrub("; ".join(map(str, problems)), secrets))
            return rendered.text

        return adopt.Context({file.path: file for file in source.files}, keys, secrets, render)

    def _value(self, name: str) -> dict[str, native.Plain]:
        try:
            value = native.plain(self._templar.resolve_variable_expression(name))
        except (AnsibleError, native.PlainError) as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise AnsibleError(f"{name} cannot be used: {masking.mask('', first)}") from error
        if not isinstance(value, dict):
            raise AnsibleError(f"{name} is not a dictionary. Give it as key: value pairs.")
        return value

    def _decrypt(self, data: bytes) -> bytes:
        try:
            return bytes(self._loader._vault.decrypt(data))
        except AnsibleError as error:
            raise source_tree.DecryptError((str(error).splitlines() or [""])[0]) from error
