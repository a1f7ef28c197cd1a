# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New secrets and new certificates while users work: no request fails, and the former ones are refused afterwards."""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from user_load import Load

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Browser, Lab

PSQL = "runuser -u postgres -- psql -qAt"


def query(lab: Lab, sql: str) -> set[str]:
    return set(lab.host(lab.groups["database_servers"][0]).check_output(f'{PSQL} -c "{sql}"').split())


@pytest.fixture
def restored(lab: Lab) -> Iterator[None]:
    yield
    lab.playbook("playbooks/rotate_secrets.yml").succeeded()


@pytest.mark.usefixtures("restored")
def test_passwords_are_replaced(lab: Lab, browser: Browser, tmp_path: Path) -> None:
    former = lab.database_login()
    database, administrator = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    keys = {**lab.secrets["engine_keys"], "Administrators.admin.Password": administrator}
    vault = tmp_path / "vault.json"
    vault.touch(0o600)
    vault.write_text(
        json.dumps(
            {
                "ivy_database_password": database,
                "ivy_shared_secrets": {**lab.secrets, "engine_keys": keys},
            }
        ),
        encoding="utf-8",
    )

    with Load(browser) as load:
        lab.until(lambda: all(user.nodes for user in load.everybody), 120, "every user has a node")
        run = lab.playbook("playbooks/rotate_secrets.yml", "-e", f"@{vault}", "-vvv", "--diff").succeeded()

    print(load.report("new secrets"))
    assert [failure for user in load.everybody for failure in user.failures] == []
    table = run.output.rpartition("TASK [Show which secrets were replaced]")[2]
    nodes = ", ".join(lab.nodes)
    assert f"database password: replaced on {nodes}" in table
    assert f"password of the administrator admin: replaced on {nodes}" in table
    assert former in table.partition("former logins of the database: ")[2].partition(" locked")[0]
    current = lab.database_login()
    assert current != former
    sessions = "SELECT DISTINCT usename FROM pg_stat_activity WHERE client_addr IS NOT NULL"
    assert query(lab, sessions) == {current}
    assert query(lab, f"SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname IN ('ivy', '{former}')") == set()
    assert database not in run.output
    assert administrator not in run.output


def test_certificates_are_replaced(lab: Lab, browser: Browser) -> None:
    def served() -> str:
        return ssl.get_server_certificate((browser.address, 443))

    before = served()
    with Load(browser) as load:
        lab.until(lambda: all(user.nodes for user in load.everybody), 120, "every user has a node")
        run = lab.playbook("playbooks/rotate_certificates.yml", "-e", "certificates_renew_authority=true").succeeded()

    print(load.report("new certificates"))
    assert [failure for user in load.everybody for failure in user.failures] == []
    assert served() != before
    assert ": new, valid for" in run.output
    # A user who trusts the former certificate of the authority.
    assert browser.get("/demo/api/info").status == 200
