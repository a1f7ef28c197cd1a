# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugins of modules whose result contains lines of a log.

A node masks what it knows. The values of templates are known to the controller only, so it masks the lines again, and
keeps Ansible from printing the answer as it came from the node (-vvv).
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import session

# The parts of a result that contain what a program wrote. Others are names and numbers with which roles go on.
_TEXTS = ("log", "log_tail", "msg", "problems", "exception", "module_stdout", "module_stderr")


@contextlib.contextmanager
def not_printed(action: ActionBase) -> t.Iterator[None]:
    """Whatever the connection receives meanwhile is not printed."""
    # Ansible may give the connection a copy.
    contexts = [action._play_context, getattr(action._connection, "_play_context", None)]
    before = [(context, context.no_log) for context in contexts if context is not None]
    for context, _no_log in before:
        context.no_log = True
    try:
        yield
    finally:
        for context, no_log in before:
            context.no_log = no_log


def masked(result: t.Any, secrets: t.Sequence[str], is_text: bool = False) -> t.Any:
    """The result with its logs and messages masked."""
    if isinstance(result, dict):
        return {name: masked(value, secrets, is_text or name in _TEXTS) for name, value in result.items()}
    if isinstance(result, (list, tuple)):
        if is_text and all(isinstance(item, str) for item in result):
            return masking.masked_lines(result, secrets)
        return [masked(item, secrets, is_text) for item in result]
    return masking.masked(result, secrets) if is_text and isinstance(result, str) else result


def call(
    action: ActionBase, task_vars: dict[str, t.Any], function: t.Callable[[], dict[str, t.Any]]
) -> dict[str, t.Any]:
    """The result of a call, not printed before it is masked."""
    with not_printed(action):
        result = function()
    return t.cast("dict[str, t.Any]", masked(result, session.known_secrets(action, task_vars)))
