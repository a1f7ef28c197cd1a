# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of every module describes exactly the options of its ARGUMENT_SPEC."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

import pytest
import yaml

PLUGINS = "ansible_collections.ivy.cluster.plugins"
# It is not an Ansible module with an argument specification: it runs before any of the collection's code is loaded.
WITHOUT_SPECIFICATION = {"shared_config_call"}
MODULES = sorted(
    path.stem
    for path in (Path(__file__).resolve().parents[4] / "plugins/modules").glob("*.py")
    if path.stem not in WITHOUT_SPECIFICATION
)
TYPES = ("type", "elements", "default", "required", "choices")


def documented(module: str) -> dict[str, t.Any]:
    """The documented options, with those of the documentation fragments."""
    text = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").DOCUMENTATION)
    options = dict(text.get("options") or {})
    for name in text["extends_documentation_fragment"]:
        fragment, _dot, part = name.removeprefix("ivy.cluster.").partition(".")
        holder = importlib.import_module(f"{PLUGINS}.doc_fragments.{fragment}").ModuleDocFragment
        options.update(yaml.safe_load(getattr(holder, (part or "documentation").upper())).get("options") or {})
    return options


def description(options: dict[str, t.Any], nested: str) -> dict[str, t.Any]:
    """Options by name, reduced to what a specification and a documentation have in common."""
    return {
        name: {
            **{key: option[key] for key in TYPES if option.get(key) not in (None, False, "str")},
            "nested": description(option.get(nested) or {}, nested),
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("module", MODULES)
def test_documentation_and_specification_are_equal(module: str) -> None:
    specification = importlib.import_module(f"{PLUGINS}.modules.{module}").ARGUMENT_SPEC
    assert description(documented(module), "suboptions") == description(specification, "options")


def test_a_difference_is_found() -> None:
    written = {"name": {"type": "str", "suboptions": {"port": {"type": "int", "required": True}}}}
    accepted: dict[str, t.Any] = {"name": {"type": "str", "options": {"port": {"type": "int", "required": True}}}}
    assert description(written, "suboptions") == description(accepted, "options")
    accepted["name"]["options"]["port"]["default"] = 443
    assert description(written, "suboptions") != description(accepted, "options")
