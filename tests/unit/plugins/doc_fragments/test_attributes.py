# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.doc_fragments.attributes import ModuleDocFragment

MODULES = Path(__file__).resolve().parents[4] / "plugins/modules"


def test_the_fragment_promises_three_things() -> None:
    attributes = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["attributes"]
    assert set(attributes) == {"check_mode", "diff_mode", "idempotent"}
    assert {attribute["support"] for attribute in attributes.values()} == {"full"}


@pytest.mark.parametrize("module", sorted(path.name for path in MODULES.glob("*.py") if path.name != "__init__.py"))
def test_every_module_makes_its_promises_known(module: str) -> None:
    assert "ivy.cluster.attributes" in (MODULES / module).read_text(encoding="utf-8")
