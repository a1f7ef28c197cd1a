# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws docs/images/architecture.svg from the imports and calls in the repository.

`GROUPS` says which playbooks, roles, modules and packages share a box. Every arrow is computed. A playbook, role,
module, plugin or package that no box contains is an error, so the picture cannot become incomplete.
"""

from __future__ import annotations

import ast
import fnmatch
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PICTURE = "docs/images/architecture.svg"
COLLECTION = "ansible_collections.ivy.cluster.plugins."

COLUMNS = ("playbooks", "roles", "modules and plugins", "plugin_utils", "module_utils", "hosts")
# Per column, from top to bottom: the title of a box and what it contains, as patterns of names.
GROUPS: tuple[dict[str, tuple[str, ...]], ...] = (
    {
        "validate": ("preflight",),
        "change": ("plan", "site", "rollout", "deploy", "upgrade", "rollback", "unpin"),
        "nodes": ("add_node", "remove_node", "restart", "drain", "undrain"),
        "rotate": ("rotate_secrets", "rotate_certificates"),
        "back up": ("backup", "restore", "restore_database", "go_live"),
        "verify": ("verify", "status", "history", "support_bundle"),
        "service": ("maintenance",),
        "database": ("switchover_database", "reinitialize_database", "replace_etcd_member"),
        "drift": ("drift", "adopt"),
    },
    {
        "options": ("topology",),
        "validate": ("preflight",),
        "services": (
            "haproxy",
            "keepalived",
            "certificates",
            "postgres",
            "etcd",
            "elasticsearch",
            "file_share",
            "packages",
            "firewall",
        ),
        "node": ("engine", "config_guard"),
        "rollout": ("rollout", "rollback", "upgrade", "plan", "add_node", "remove_node"),
        "back up": ("backup", "restore", "restore_database"),
        "verify": ("verify", "history", "support_bundle"),
        "service": ("maintenance",),
        "drift": ("drift", "adopt"),
    },
    {
        "call": ("validate_run", "chosen_nodes", "*_command", "run_summary", "addresses", "profile"),
        "preflight": ("preflight_*",),
        "release": ("config_release", "shipped_jvm_options", "sso_headers", "*_fingerprint", "release_has_*"),
        "shared configuration": ("shared_config*", "node_releases"),
        "host state": (
            "host_state*",
            "directories",
            "directory_problem",
            "file_sha256",
            "calendar_problem",
            "certificate_request_problem",
            "regex_problem",
            "flat_keys",
        ),
        "cluster": (
            "cluster_record",
            "application",
            "application_*",
            "deployment_*",
            "engine_info",
            "node_probes",
            "balancer_*",
            "virtual_address_info",
            "database_login*",
            "database_switchover",
            "database_reinitialization",
            "etcd_member",
            "patroni",
            "rollback_choice",
            "rollout_course",
            "upgrade_*",
            "*_node_problems",
            "maintenance_words",
            "closed_words",
            "kept_out_nodes",
            "kept_out_changes",
            "rotated_secrets",
            "server_settled",
            "serving_problem",
        ),
        "back up": ("backup*", "restored_database", "point_in_time", "archive_problem"),
        "probes": ("*_probe", "search_re*", "connections_info", "deployments_info", "licence"),
        "reports": ("*_report", "report", "adopt_differences", "config_adopt", "masked", "kind_of_secret", "support_*"),
    },
    {
        "common": ("common", "report"),
        "support": ("support",),
        "preflight": ("preflight",),
        "release": ("release",),
        "yaml": ("yaml",),
        "node": ("node",),
        "host state": ("host_state", "certificates"),
        "operations": ("operations", "verify"),
        "drift": ("drift", "adopt"),
    },
    {
        "preflight": ("preflight",),
        "node.config": ("node.config",),
        "node.files, node.store": ("cached", "node", "node.files", "node.masking", "node.store"),
        "node.cluster, node.engine": ("node.cluster", "node.engine", "node.gate"),
        "node.agent, node.probes": ("node.agent", "node.probes"),
        "host_state, haproxy, probes": ("host_state", "haproxy", "probes", "database", "support"),
        "node.backup, postgres": ("node.backup", "postgres"),
    },
    {
        "load_balancers": ("load_balancers",),
        "engine_nodes": ("engine_nodes",),
        "database_servers": ("database_servers",),
        "search_servers": ("search_servers",),
        "etcd_members": ("etcd_members",),
    },
)

WIDTH, GAP, LINE, PADDING, TOP = 190, 84, 14, 10, 74
COLOURS = ("#e8eefc", "#e6f4ea", "#fff4d6", "#f3e8fd", "#fde7e3", "#eceff1")
STROKES = ("#3b5bdb", "#2b8a3e", "#b7791f", "#7b3fb5", "#c0392b", "#546e7a")


@dataclass(frozen=True)
class Box:
    """A group of one column, and where it is drawn."""

    column: int
    title: str
    members: tuple[str, ...]
    x: int
    y: int

    @property
    def lines(self) -> list[str]:
        """The members, wrapped to the width of the box. A single member is the title already."""
        if self.members == (self.title,):
            return []
        lines = [""]
        for position, member in enumerate(self.members):
            text = member + ("," if position < len(self.members) - 1 else "")
            if len(lines[-1]) + len(text) > 26 and lines[-1]:
                lines.append("")
            lines[-1] = f"{lines[-1]} {text}".strip()
        return lines

    @property
    def height(self) -> int:
        return PADDING * 2 + LINE * (len(self.lines) + 1)

    @property
    def middle(self) -> int:
        return self.y + self.height // 2


def documents(path: Path) -> list[dict[str, Any]]:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or []


def included(play: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The roles that a play runs, each with the task's condition."""
    for task in [*(play.get("pre_tasks") or []), *(play.get("tasks") or []), *(play.get("post_tasks") or [])]:
        yield from roles_of_task(task)
    for role in play.get("roles") or []:
        name = role if isinstance(role, str) else role["role"]
        yield name.removeprefix("ivy.cluster."), ""


def roles_of_task(task: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for block in ("block", "rescue", "always"):
        for inner in task.get(block) or []:
            yield from roles_of_task(inner)
    for action in ("include_role", "import_role"):
        if call := task.get(f"ansible.builtin.{action}"):
            yield call["name"].removeprefix("ivy.cluster."), str(task.get("when", ""))


def plays(path: Path) -> Iterator[dict[str, Any]]:
    """The plays of a playbook and of those that it imports."""
    for play in documents(path):
        if imported := play.get("ansible.builtin.import_playbook"):
            yield from plays(path.parent / imported)
        else:
            yield play


def called(text: str, names: set[str]) -> set[str]:
    return set(re.findall(r"\bivy\.cluster\.(\w+)", text)) & names


def imports(path: Path) -> Iterator[str]:
    """The packages below plugins that a file imports from, such as `module_utils.node.files`."""
    if not path.exists():
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            base = list(path.relative_to(ROOT / "plugins").parent.parts)
            if node.level:
                full = [*base[: len(base) - node.level + 1], *node.module.split(".")]
            elif node.module.startswith(COLLECTION):
                full = node.module.removeprefix(COLLECTION).split(".")
            else:
                continue
            for name in node.names:
                place = [*full, name.name]
                while place and not (ROOT / "plugins").joinpath(*place).is_dir():
                    place.pop()
                yield ".".join(place)


def short(package: str, layer: str) -> str:
    """The name of a package inside its layer: one component, two for module_utils.node."""
    parts = package.split(".")
    if parts[0] != layer or len(parts) < 2:
        return ""
    return ".".join(parts[1:3]) if layer == "module_utils" and parts[1] == "node" else parts[1]


class Repository:
    """What exists, and what uses what."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.playbooks = {path.stem: path for path in sorted((root / "playbooks").glob("*.yml"))}
        self.roles = {path.name: path for path in sorted((root / "roles").iterdir()) if path.is_dir()}
        plugins = root / "plugins"
        files = [path for kind in ("modules", "filter", "lookup") for path in (plugins / kind).glob("*.py")]
        self.modules = {path.stem for path in files}
        self.files = [path for path in sorted(plugins.rglob("*.py")) if "__pycache__" not in path.parts]

    def members(self) -> list[set[str]]:
        found = [set(self.playbooks), set(self.roles), self.modules, set(), set(), set()]
        for path in self.files:
            package = ".".join(path.parent.relative_to(self.root / "plugins").parts)
            for column, layer in ((3, "plugin_utils"), (4, "module_utils")):
                if name := short(package, layer):
                    found[column].add(name)
        found[5] = {name for pattern in GROUPS[5].values() for name in pattern}
        return found

    def arrows(self) -> set[tuple[int, str, int, str]]:
        """Every use: the column and the name of the user, the column and the name of what it uses."""
        found: set[tuple[int, str, int, str]] = set()
        hosts: dict[str, set[str]] = {}
        for name, path in self.playbooks.items():
            for play in plays(path):
                for role, condition in included(play):
                    found.add((0, name, 1, role))
                    groups = set(re.findall(r"groups\['(\w+)'\]", condition))
                    groups = groups or set(re.split(r"\W+", str(play["hosts"])))
                    hosts.setdefault(role, set()).update(groups)
                for module in called(str(play.get("tasks") or []), self.modules):
                    found.add((0, name, 2, module))
        for name, path in self.roles.items():
            for file in sorted(path.rglob("*.yml")):
                if file.parent.name != "meta":
                    for module in called(file.read_text(encoding="utf-8"), self.modules):
                        found.add((1, name, 2, module))
                        for package in self.packages(module, "module_utils"):
                            for group in hosts.get(name, set()) & set(GROUPS[5]):
                                found.add((4, package, 5, group))
            for file in sorted((path / "files").glob("*")):
                # Programs that run on the host without Ansible import the packages that are installed beside them.
                for package in re.findall(
                    r"^\s*from (?:ivy_node\.)?(\w+)[\w.]* import", file.read_text("utf-8"), re.MULTILINE
                ):
                    for name in (f"node.{package}", package):
                        found.add((1, path.name, 4, name))
        for module in self.modules:
            for column, layer in ((3, "plugin_utils"), (4, "module_utils")):
                for package in self.packages(module, layer):
                    found.add((2, module, column, package))
        for path in self.files:
            user = short(".".join(path.parent.relative_to(self.root / "plugins").parts), "plugin_utils")
            if user:
                for package in imports(path):
                    if name := short(package, "module_utils"):
                        found.add((3, user, 4, name))
        return found

    def packages(self, module: str, layer: str) -> set[str]:
        plugins = self.root / "plugins"
        files = [plugins / kind / f"{module}.py" for kind in ("modules", "action", "filter", "lookup")]
        return {name for file in files for package in imports(file) if (name := short(package, layer))}


def boxes(repository: Repository) -> list[Box]:
    found = []
    for column, (groups, names) in enumerate(zip(GROUPS, repository.members(), strict=True)):
        placed: set[str] = set()
        y = TOP
        for title, patterns in groups.items():
            members = tuple(
                sorted({name for pattern in patterns for name in fnmatch.filter(sorted(names), pattern)} - placed)
            )
            if not members:
                raise SystemExit(f"tools/architecture.py: the box '{title}' of column '{COLUMNS[column]}' is empty")
            placed.update(members)
            box = Box(column, title, members, 16 + column * (WIDTH + GAP), y)
            found.append(box)
            y += box.height + 20
        if missing := sorted(names - placed):
            listed = ", ".join(missing)
            raise SystemExit(f"tools/architecture.py: no box of column '{COLUMNS[column]}' contains {listed}")
    return found


def edges(repository: Repository, drawn: list[Box]) -> list[tuple[Box, Box]]:
    """The arrows between boxes."""
    found: dict[tuple[int, str, int, str], tuple[Box, Box]] = {}
    for column, user, target, used in repository.arrows():
        for start in (box for box in drawn if box.column == column and user in box.members):
            for end in (box for box in drawn if box.column == target and used in box.members):
                found[(column, start.title, target, end.title)] = (start, end)
    return [found[key] for key in sorted(found)]


def draw(repository: Repository) -> str:
    drawn = boxes(repository)
    width = 32 + len(COLUMNS) * WIDTH + (len(COLUMNS) - 1) * GAP
    height = max(box.y + box.height for box in drawn) + 24
    border = 16 + 4 * (WIDTH + GAP) - GAP // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        "<!-- Written by `make docs` (tools/architecture.py). -->",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<rect x="4" y="4" width="{border - 8}" height="{height - 8}" rx="8" fill="none" stroke="#adb5bd"/>',
        f'<rect x="{border + 4}" y="4" width="{width - border - 8}" height="{height - 8}" rx="8" fill="none" '
        'stroke="#adb5bd"/>',
        '<text x="16" y="24" font-size="13" fill="#495057">on the controller</text>',
        f'<text x="{border + 16}" y="24" font-size="13" fill="#495057">on the hosts</text>',
    ]
    for column, title in enumerate(COLUMNS):
        x = 16 + column * (WIDTH + GAP) + WIDTH // 2
        parts.append(f'<text x="{x}" y="56" font-size="13" font-weight="bold" text-anchor="middle">{title}</text>')
    for start, end in edges(repository, drawn):
        x1, y1, x2, y2 = start.x + WIDTH, start.middle, end.x, end.middle
        bend = GAP // 2 + (x2 - x1 - GAP) // 3
        parts.append(
            f'<path d="M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}" fill="none" '
            f'stroke="{STROKES[start.column]}" stroke-opacity="0.55" stroke-width="1.3"/>'
            f'<circle cx="{x2}" cy="{y2}" r="2.5" fill="{STROKES[start.column]}"/>'
        )
    for box in drawn:
        parts.append(
            f'<rect x="{box.x}" y="{box.y}" width="{WIDTH}" height="{box.height}" rx="6" fill="{COLOURS[box.column]}" '
            f'stroke="{STROKES[box.column]}"/>'
        )
        y = box.y + PADDING + LINE - 3
        parts.append(f'<text x="{box.x + 10}" y="{y}" font-weight="bold">{escape(box.title)}</text>')
        for number, line in enumerate(box.lines, 1):
            parts.append(f'<text x="{box.x + 10}" y="{y + number * LINE}">{escape(line)}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    (ROOT / PICTURE).write_text(draw(Repository(ROOT)), encoding="utf-8")
    sys.exit(0)
