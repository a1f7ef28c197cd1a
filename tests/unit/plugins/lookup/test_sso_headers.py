# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader

from ansible_collections.ivy.cluster.plugins.lookup import sso_headers

NAME = "ivy.cluster.sso_headers"


def headers(source: Path, **options: t.Any) -> list[str]:
    # As Ansible's loader does, which finds no collection under pytest.
    constants.config.initialize_plugin_configuration_definitions(
        "lookup", NAME, yaml.safe_load(sso_headers.DOCUMENTATION)["options"]
    )
    plugin = sso_headers.LookupModule(loader=DataLoader())
    plugin._load_name = NAME
    found: list[str] = plugin.run([str(source)], variables={}, **options)
    return found


def test_headers_of_source_secrets_and_environments(tmp_path: Path) -> None:
    (tmp_path / "configuration").mkdir()
    (tmp_path / "configuration/ivy.yaml.j2").write_text("SSO.UserHeader: {{ shared.name }}\n", encoding="utf-8")
    found = headers(
        tmp_path,
        values={"name": "X-Corp-User"},
        secrets={"engine_keys": {"SSO.UserHeader": "X-Key"}},
        environments={"n1": {"IVY_SSO_USERHEADER": "x-corp-user"}, "n2": {"IVY_SSO_USERHEADER": "X-Other", "A": "b"}},
    )
    assert found == ["x-corp-user", "x-key", "x-other"]
    assert headers(tmp_path / "none") == []


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "configuration").mkdir()
    (tmp_path / "configuration/ivy.yaml.j2").write_text("SSO.UserHeader: {{ shared.name }}\n", encoding="utf-8")
    with pytest.raises(AnsibleLookupError, match="not known"):
        headers(tmp_path)
    with pytest.raises(AnsibleLookupError, match="IVY_SSO_USERHEADER"):
        headers(tmp_path / "none", environments={"n1": {"IVY_SSO_USERHEADER": "X Y"}})
