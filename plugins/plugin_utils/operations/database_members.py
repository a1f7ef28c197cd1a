# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which member of the database becomes the primary, and whether the files of one may be removed."""

from __future__ import annotations

import typing as t

Member = t.Mapping[str, t.Any]
NO_ANSWER = "No member of the database answers. On the database servers: systemctl status patroni."
NO_PRIMARY = "The database has no primary now. Wait until status reports one, or follow the journal of Patroni."


def _primary(members: t.Iterable[Member]) -> str:
    return next((str(member["name"]) for member in members if member["leads"]), "")


def _described(member: Member) -> str:
    if member["leads"]:
        return f"{member['name']} is the primary"
    return f"{member['name']} is a {member['kind']}, {member['state']}"


def _standbys(members: t.Iterable[Member], synchronous: int) -> list[Member]:
    """The standbys that have every acknowledged change, those that are least behind first."""
    usable = [
        member
        for member in members
        if not member["leads"] and member["runs"] and (member["synchronous"] or synchronous < 1)
    ]
    return sorted(usable, key=lambda member: member["lag"] if member["lag"] is not None else 1 << 62)


def switchover(
    members: t.Sequence[Member], candidate: str, reached: t.Collection[str], synchronous: int
) -> dict[str, t.Any]:
    """The primary, the member that becomes it, and the problems. Both are the same if there is nothing to do."""
    primary = _primary(members)
    if not members or not primary:
        return {"primary": "", "candidate": "", "problems": [NO_PRIMARY if members else NO_ANSWER]}
    if candidate == primary:
        return {"primary": primary, "candidate": primary, "problems": []}
    problems = []
    if primary not in reached:
        problems.append(
            f"{primary} is the primary, and this run does not reach its host. Bring SSH to it back, or name it in "
            "--limit."
        )
    usable = [str(member["name"]) for member in _standbys(members, synchronous)]
    wanted = "synchronous standby" if synchronous > 0 else "replica"
    if not usable:
        problems.append(
            f"No {wanted} runs, so an acknowledged change could be lost: "
            f"{'; '.join(_described(member) for member in members)}. Repair a replica first."
        )
    elif candidate and candidate not in usable:
        found = [_described(member) for member in members if member["name"] == candidate]
        problems.append(
            f"{candidate} cannot become the primary: {found[0] if found else 'it is not a member of the database'}. "
            f"Choose one of: {', '.join(usable)}."
        )
    return {"primary": primary, "candidate": candidate or (usable[0] if usable else ""), "problems": problems}


def reinitialization(members: t.Sequence[Member], name: str, answers: bool, strict: bool) -> dict[str, t.Any]:
    """The primary, the problems, and what there is to know before the files of the member are removed."""
    primary = _primary(members)
    if not members:
        return {"primary": "", "problems": [NO_ANSWER], "warnings": []}
    problems, warnings = [], []
    own = [member for member in members if member["name"] == name]
    # Patroni makes another one synchronous.
    others = [member for member in members if member["name"] != name and not member["leads"] and member["runs"]]
    if primary == name:
        problems.append(
            f"{name} is the primary. Its files are never removed; let another member become the primary first."
        )
    elif not primary:
        problems.append(f"{NO_PRIMARY} There is nothing to copy from.")
    if not answers:
        problems.append(
            f"Patroni on {name} does not answer, and it has to copy the files. On {name}: systemctl start patroni."
        )
    if own and own[0]["synchronous"] and not others:
        text = f"{name} is the only standby that runs"
        if strict:
            problems.append(f"{text}, so the database would accept no changes meanwhile (postgres_synchronous_strict).")
        else:
            warnings.append(f"{text}. While it copies, a change is only on the primary.")
    elif own and own[0]["runs"]:
        warnings.append(f"{name} runs as it should. Its files are removed all the same.")
    return {"primary": primary, "problems": problems, "warnings": [] if problems else warnings}
