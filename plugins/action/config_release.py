# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half, and the only one, of ivy.cluster.config_release."""

from __future__ import annotations

import datetime
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import Templar

from ansible_collections.ivy.cluster.plugins.modules.config_release import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils import masking, node_values, plain, release, source_tree
from ansible_collections.ivy.cluster.plugins.plugin_utils.findings import Finding, FindingsError
from ansible_collections.ivy.cluster.plugins.plugin_utils.profiles import ProfileError
from ansible_collections.ivy.cluster.plugins.plugin_utils.release_cache import CacheError, prune, write_release


class ActionModule(ActionBase):
    """Builds the release out of what every node would see, and writes it to the cache."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        arguments = t.cast("dict[str, t.Any]", plain.plain(checked))
        result["changed"] = False
        try:
            built = self._build(arguments)
            manifest = write_release(arguments["cache"], built.manifest, built.blobs)
        except FindingsError as error:
            findings = [finding.to_dict() for finding in error.findings]
            result.update(failed=True, msg=str(error), findings=findings)
            return result
        except (CacheError, ProfileError) as error:
            result.update(failed=True, msg=str(error))
            return result
        prune(arguments["cache"], built.id)
        result["release"] = {
            "id": built.id,
            "files": len(built.manifest["entries"]),
            "size": built.size,
            "manifest": str(manifest),
        }
        if built.warnings:
            result["warnings"] = list(built.warnings)
        return result

    def _build(self, arguments: dict[str, t.Any]) -> release.BuiltRelease:
        findings: list[Finding] = []
        variables = {name: arguments[name] for name in ("values_variable", "secrets_variable")}
        by_node = self._resolve(arguments["nodes"], tuple(variables.values()), findings)
        shared = self._common(variables["values_variable"], by_node, findings, secret=False)
        secret = self._common(variables["secrets_variable"], by_node, findings, secret=True)
        jgroups = arguments["jgroups"]
        source = source_tree.read_source(self._loader.path_dwim(arguments["source"]), self._decrypt)
        if any(len(values) < len(arguments["nodes"]) for values in by_node.values()):
            # Each use of a value that could not be had would be one more finding, and none of them the cause.
            source = source.without_templates()
        given = release.ReleaseInput(
            source=source,
            topology=arguments["topology"],
            shared=shared,
            secret=secret,
            nodes=tuple(arguments["nodes"]),
            cluster=arguments["cluster"],
            engine_version=arguments["engine_version"],
            profile=arguments["profile"],
            cluster_key=arguments["cluster_key"],
            today=datetime.datetime.now(datetime.timezone.utc).date(),
            jgroups=release.JGroups(**{**jgroups, "hosts": tuple(jgroups["hosts"])}) if jgroups else None,
            licence=self._licence(arguments["licence_file"], findings),
            read_only=arguments["read_only"],
            read_only_copy=arguments["read_only_copy"],
        )
        return release.build_release(given, findings)

    def _resolve(
        self, nodes: list[str], names: tuple[str, ...], findings: list[Finding]
    ) -> dict[str, dict[str, plain.Plain]]:
        """Each variable as each node sees it: the arguments of this task were templated for one host only."""
        manager = self._task.get_variable_manager()
        resolved: dict[str, dict[str, plain.Plain]] = {name: {} for name in names}
        failed: dict[str, list[str]] = {}
        if not nodes:
            findings.append(Finding("", 0, "there is no engine node", "Put hosts into the group engine_nodes."))
        for node in nodes:
            host = manager._inventory.get_host(node)
            if host is None:
                findings.append(
                    Finding("", 0, f"the node {node} is not in the inventory", "Correct the list of nodes.")
                )
                continue
            # hostvars would lack the defaults of the role that this task belongs to.
            seen = manager.get_vars(play=self._task.play, host=host, task=self._task)
            templar = Templar(loader=self._loader, variables=seen)
            for name in names:
                value, reason = _value_of(templar, name)
                if reason:
                    failed.setdefault(reason, []).append(node)
                else:
                    resolved[name][node] = value
        for reason, where in failed.items():
            problem = f"{reason} (on {', '.join(where)})"
            findings.append(Finding("", 0, problem, "Correct the variable; give the vault's password if it needs one."))
        return resolved

    def _common(
        self, name: str, by_node: dict[str, dict[str, plain.Plain]], findings: list[Finding], *, secret: bool
    ) -> dict[str, plain.Plain]:
        if not by_node[name]:
            return {}
        value, differences = node_values.compare_nodes(name, by_node[name], secret=secret)
        findings += differences
        return value

    def _licence(self, path: str, findings: list[Finding]) -> tuple[str, bytes] | None:
        if not path:
            return None
        file = Path(self._loader.path_dwim(path))
        try:
            data = file.read_bytes()
            if data.startswith(source_tree.VAULT_HEADER):
                data = self._decrypt(data)
        except OSError as error:
            advice = "Correct ivy_licence_file, or leave it empty."
            findings.append(Finding(str(file), 0, f"the licence cannot be read ({error.strerror})", advice))
            return None
        except source_tree.DecryptError as error:
            advice = "Give the vault's password to this run."
            findings.append(Finding(str(file), 0, f"the licence cannot be decrypted ({error})", advice))
            return None
        return file.name, data

    def _decrypt(self, data: bytes) -> bytes:
        try:
            return bytes(self._loader._vault.decrypt(data))
        except AnsibleError as error:
            raise source_tree.DecryptError(_first_line(error)) from error


def _value_of(templar: Templar, name: str) -> tuple[plain.Plain, str]:
    """The variable's value, or why there is none."""
    try:
        return plain.plain(templar.resolve_variable_expression(name)), ""
    except plain.PlainError as error:
        return None, f"{name}.{error.path} cannot be used: {error.reason}"
    except AnsibleError as error:
        return None, f"{name} cannot be used: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    """Why something failed, without the excerpt of the file that Ansible adds to its messages."""
    return masking.mask("", (str(error).splitlines() or [type(error).__name__])[0]) or ""
