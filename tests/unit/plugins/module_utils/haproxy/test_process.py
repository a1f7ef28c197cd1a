# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import process as sut

CONFIGURATION = """
# description "ivy-cluster 1 sso:x-comment"
global
    description "ivy-cluster 3b5f0c0d2c1e4a5b sso:X-Corp-User sso:x-key del:client-ip sso:"
    description
backend of_somebody
    description "not ivy-cluster sso:x-other"
"""


def test_the_headers_of_the_single_sign_on_are_in_the_description() -> None:
    texts = sut.configured_descriptions(CONFIGURATION)
    assert sut.sso_headers([*texts, "ivy-cluster 1 sso:x-loaded sso:x-key"]) == ["x-corp-user", "x-key", "x-loaded"]
    assert sut.sso_headers(sut.configured_descriptions("")) == []
