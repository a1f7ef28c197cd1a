# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import gather


def test_the_headers_that_a_balancer_removes_are_known_while_it_does_not_run(tmp_path: Path) -> None:
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text('global\n    description "ivy-cluster 1 sso:x-corp-user"\n', encoding="utf-8")
    params = {"socket": str(tmp_path / "none"), "digest": "", "files": [], "configuration": str(configuration)}
    assert gather.gather({"services": {"balancer": params}}, {}, check_mode=True)["balancer"] == {
        "sso_headers": ["x-corp-user"]
    }
    params["configuration"] = str(tmp_path / "none")
    assert gather.gather({"services": {"balancer": params}}, {}, check_mode=True)["balancer"] == {"sso_headers": []}
