# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of each session of the administrator."""

from __future__ import annotations

# The engine owns the system database and its schema public, and PostgreSQL prefers a function there whose arguments
# match exactly to its own one of the same name. So the engine's user could run what it likes as the administrator.
CATALOG_ONLY = "-c search_path=pg_catalog"
# The engine's role owns the system database, so it may set defaults for each session in it, even the administrator's.
AS_ADMINISTRATOR = f"{CATALOG_ONLY} -c role=none -c default_transaction_read_only=off -c statement_timeout=0"
