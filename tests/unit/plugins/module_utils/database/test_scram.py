# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.database.scram import has_password

# The example of RFC 7677 with the password "pencil".
VERIFIER = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
    "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


def test_a_verifier_belongs_to_one_password() -> None:
    assert has_password(VERIFIER, "pencil")
    assert not has_password(VERIFIER, "pencil2")


@pytest.mark.parametrize(
    "verifier", ["", "md5abc", "SCRAM-SHA-256$x", VERIFIER.replace("W22Z", "W=2Z"), VERIFIER + "x"]
)
def test_another_verifier_belongs_to_none(verifier: str) -> None:
    assert not has_password(verifier, "pencil")
