# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Attributes that all modules of this collection have in common."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Runs in check mode, changes nothing, and predicts what it would change.
    support: full
  diff_mode:
    description: Shows the changes in diff mode, with masked secrets.
    support: full
  idempotent:
    description: A second run with the same input on an unchanged host changes nothing.
    support: full
"""
