# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is made of, out of a task's arguments and of what each node sees.

Apart from the action, so that preflight finds what the build would find, without writing a release.
"""

from __future__ import annotations

import datetime
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.template import Templar

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking, native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import (
    build as release,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import (
    node_values,
    rendered_secrets,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import (
    source as source_tree,
)

ByNode = t.Mapping[str, t.Mapping[str, native.Plain]]


def build(
    arguments: t.Mapping[str, t.Any], by_node: ByNode, findings: list[Finding], loader: t.Any
) -> release.BuiltRelease:
    """Build the release, or raise :class:`FindingsError`; ``by_node``: the two variables as each node sees them."""
    return release.build_release(collect(arguments, by_node, findings, loader), findings)


def collect(
    arguments: t.Mapping[str, t.Any], by_node: ByNode, findings: list[Finding], loader: t.Any
) -> release.ReleaseInput:
    """Everything that the release is made of. Problems are added to the findings."""
    shared = _common(arguments["values_variable"], by_node, findings, secret=False)
    secret = _common(arguments["secrets_variable"], by_node, findings, secret=True)
    jgroups = arguments["jgroups"]
    source = read_source(arguments["source"], loader)
    if any(len(values) < len(arguments["nodes"]) for values in by_node.values()):
        # Each use of a value that could not be had would be one more finding, and none of them the cause.
        source = source.without_templates()
    return release.ReleaseInput(
        source=source,
        topology=arguments["topology"],
        shared=shared,
        secret=secret,
        nodes=tuple(arguments["nodes"]),
        cluster=arguments["cluster"],
        engine_version=arguments["engine_version"],
        profile=arguments["profile"],
        cluster_key=arguments["cluster_key"],
        today=today(),
        jgroups=release.JGroups(**{**jgroups, "hosts": tuple(jgroups["hosts"])}) if jgroups else None,
        licence=_licence(arguments["licence_file"], findings, loader),
        read_only=arguments["read_only"],
        read_only_copy=arguments["read_only_copy"],
        environments=arguments.get("environments") or {},
    )


def today() -> datetime.date:
    return datetime.datetime.now(datetime.timezone.utc).date()


def read_source(path: str, loader: t.Any) -> source_tree.Source:
    return source_tree.read_source(loader.path_dwim(path), lambda data: decrypt(data, loader), large_on_disk=True)


def read_file(path: Path, loader: t.Any) -> bytes:
    """A file of the controller, in clear text also where Ansible's vault encrypted it."""
    data = path.read_bytes()
    return decrypt(data, loader) if data.startswith(source_tree.VAULT_HEADER) else data


def decrypt(data: bytes, loader: t.Any) -> bytes:
    try:
        return bytes(loader._vault.decrypt(data))
    except AnsibleError as error:
        raise source_tree.DecryptError(first_line(error)) from error


def value_of(templar: Templar, name: str) -> tuple[native.Plain, str]:
    """The variable's value, or why there is none."""
    try:
        return native.plain(templar.resolve_variable_expression(name)), ""
    except native.PlainError as error:
        return None, f"{name}.{error.path} cannot be used: {error.reason}"
    except AnsibleError as error:
        return None, f"{name} cannot be used: {first_line(error)}"


def first_line(error: Exception) -> str:
    """Why something failed, without the excerpt of the file that Ansible adds to its messages."""
    return masking.mask("", (str(error).splitlines() or [type(error).__name__])[0]) or ""


def advice_for_unusable(reason: str) -> str:
    """What to do about a variable that has no value."""
    advice = "Correct the variable; give the vault's password if it needs one."
    # What a password that is taken for a template leads to.
    if "emplate" in reason or "is undefined" in reason:
        advice += f" {rendered_secrets.UNSAFE_ADVICE}"
    return advice


def _common(name: str, by_node: ByNode, findings: list[Finding], *, secret: bool) -> dict[str, native.Plain]:
    if not by_node[name]:
        return {}
    value, differences = node_values.compare_nodes(name, by_node[name], secret=secret)
    findings += differences
    return value


def _licence(path: str, findings: list[Finding], loader: t.Any) -> tuple[str, bytes] | None:
    if not path:
        return None
    file = Path(loader.path_dwim(path))
    try:
        return file.name, read_file(file, loader)
    except OSError as error:
        advice = (
            "Copy the licence file that the vendor sent you to this path on the controller, correct ivy_licence_file, "
            "or leave it empty where the source has the licence."
        )
        findings.append(Finding.in_file(str(file), 0, f"the licence cannot be read ({error.strerror})", advice))
    except source_tree.DecryptError as error:
        advice = "Give the vault's password to this run."
        findings.append(Finding.in_file(str(file), 0, f"the licence cannot be decrypted ({error})", advice))
    return None
