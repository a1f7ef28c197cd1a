# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the file share: mounted, the same for all engine nodes, writable for the engine's numbers, with locks."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.preflight.share import probe_path
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_facts import Look, Looks

_AREA = "File share"


def files(looks: Looks, host: str) -> list[dict[str, t.Any]]:
    """The files of the other nodes that a node is to look for."""
    own = looks.get(host)
    if own is None or not own.seen_at_all or own.plan.share is None:
        return []
    return [file for look in looks.values() if look.host != host and _wrote(look) for file in _file(look)]


def _file(look: Look) -> t.Iterator[dict[str, t.Any]]:
    """A node's answer only chooses among what the inventory allows, since others read the file as this account."""
    share, probe = look.plan.share, look.seen["probe"]
    if share is None:
        return
    for key in ("directory", "root"):
        path = probe_path(str(share[key]), look.token, look.host)
        if path == probe["path"]:
            # Only a new share belongs to root.
            uid, gid = (0, 0) if key == "root" and probe.get("uid") == 0 else (share["uid"], share["gid"])
            yield {"name": look.host, "token": look.token, "path": path, "uid": uid, "gid": gid}
            return


def _wrote(look: Look) -> bool:
    return look.seen_at_all and bool((look.seen.get("probe") or {}).get("path"))


def accounts(look: Look) -> t.Iterator[Finding]:
    share, seen = look.plan.share, look.seen.get("accounts")
    if share is None or seen is None:
        return
    for kind, number in (("user", "uid"), ("group", "gid")):
        wanted, there, taken = share[number], seen[number], seen[f"name_of_{number}"]
        if there is not None and there != wanted:
            what = f"the {kind} {share[kind]} has the number {there} there, and ivy_{number} is {wanted}"
            advice = (
                f"Nodes share files by number: set ivy_{number} to the number that all nodes have, or change it there"
            )
            yield Finding("engine-user-number", _AREA, look.host, what, advice)
        elif there is None and taken:
            what = f"the number {wanted} (ivy_{number}) belongs to the {kind} {taken} there"
            yield Finding(
                "engine-number-taken",
                _AREA,
                look.host,
                what,
                f"Choose a number in ivy_{number} that is free on all nodes",
            )


def mounted(look: Look) -> t.Iterator[Finding]:
    share, mount = look.plan.share, look.seen.get("mount")
    if share is None or mount is None or share["mode"] == "mount" or share["accept_local"]:
        return
    if mount["target"] in ("", "/"):
        what = (
            f"{share['root']} is not on a mounted file system, so what the engine writes there would stay on that host"
        )
        advice = "Mount the share first, or let the role do it (file_share_mode: mount)"
        yield Finding("share-not-mounted", _AREA, look.host, what, advice)


def _comes_later(look: Look) -> bool:
    """The role will mount the share, and has not yet: there is nothing to try."""
    share, mount = look.plan.share, look.seen.get("mount") or {}
    return share is not None and share["mode"] == "mount" and mount.get("target") != share["root"]


def written(look: Look) -> t.Iterator[Finding]:
    share, probe = look.plan.share, look.seen.get("probe")
    if share is None or probe is None or not probe["error"]:
        return
    local = share["accept_local"] or _comes_later(look) or (look.seen.get("mount") or {}).get("target") in ("", "/")
    if not probe["made"] and local:
        # The role creates or mounts the directory, or another finding reports the missing mount.
        return
    numbers = f"uid {share['uid']}, gid {share['gid']}"
    what = f"the engine's user ({numbers}) cannot write to {probe['directory']} ({probe['error']})"
    advice = (
        "On the file server the directory has to belong to these numbers, and the export must not map users to "
        "others (all_squash)"
    )
    yield Finding("share-not-writable", _AREA, look.host, what, advice)


def shared(looks: Looks) -> t.Iterator[Finding]:
    """Whether each node sees the files of the others, with their numbers."""
    nodes = [look for look in looks.values() if look.seen_at_all and look.plan.share is not None]
    if len(nodes) < 2:
        return
    writers = [look for look in nodes if _wrote(look) and not _comes_later(look)]
    blind: dict[str, list[str]] = {}
    unlocked: dict[str, list[str]] = {}
    for look in nodes:
        if look.files is None or _comes_later(look):
            continue
        for writer in writers:
            seen = look.files.get(writer.host)
            if writer.host == look.host or seen is None:
                continue
            if not seen["found"]:
                blind.setdefault(look.host, []).append(writer.host)
            else:
                yield from _numbers(look, writer, seen)
                if not (seen.get("locked", True) or seen.get("lock_error") or _lock_error(writer)):
                    unlocked.setdefault(look.host, []).append(writer.host)
    yield from _without_locks(writers)
    for host, others in unlocked.items():
        what = f"it could lock files on the share that {', '.join(others)} had locked, so two runs could write at once"
        advice = "The server must keep the locks: mount it without nolock and local_lock, with one version everywhere"
        yield Finding("share-locks-local", _AREA, host, what, advice)
    advice = "All engine nodes need the same share: compare `findmnt` on them, and mount the same source everywhere"
    for host, what in _blind(blind):
        root = (looks[host.partition(",")[0]].plan.share or {}).get("root")
        yield Finding("share-not-shared", _AREA, host, f"{what} in {root}", advice)


def _lock_error(look: Look) -> str:
    return str((look.seen.get("probe") or {}).get("lock_error") or "")


def _without_locks(writers: t.Iterable[Look]) -> t.Iterator[Finding]:
    for look in writers:
        if _lock_error(look):
            what = f"it cannot lock its own file on the share ({_lock_error(look)})"
            advice = "Use a file system with locks; for NFS 3 the server needs its lock service (rpc.statd)"
            yield Finding("share-without-locks", _AREA, look.host, what, advice)


def _blind(blind: t.Mapping[str, t.Sequence[str]]) -> t.Iterator[tuple[str, str]]:
    """Nodes that do not see each other's files. A node with another share than all others is one finding."""
    pairs = [{host, other} for host, others in blind.items() for other in others]
    common = set.intersection(*pairs) if pairs else set()
    if len(common) == 1 and len(blind) > 1:
        (odd,) = common
        rest = ", ".join(host for host in blind if host != odd)
        own = f"it does not see what {', '.join(blind[odd])} wrote, and " if odd in blind else ""
        yield odd, f"{own}what it wrote is not seen by {rest}"
    elif len(common) == 2 and len(blind) == 2:
        yield ", ".join(blind), "neither sees what the other wrote"
    else:
        for host, others in blind.items():
            yield host, f"it does not see what {', '.join(others)} wrote"


def _numbers(look: Look, writer: Look, seen: t.Mapping[str, t.Any]) -> t.Iterator[Finding]:
    probe = writer.seen["probe"]
    if (seen["uid"], seen["gid"]) == (probe["uid"], probe["gid"]):
        return
    wrote, sees = f"uid {probe['uid']}, gid {probe['gid']}", f"uid {seen['uid']}, gid {seen['gid']}"
    what = f"a file that {writer.host} wrote to the share as {wrote} is seen there with {sees}"
    advice = (
        "The share maps users: mount it with the same options everywhere, without all_squash, and NFSv4 with "
        "one id-mapping domain"
    )
    yield Finding("share-other-numbers", _AREA, look.host, what, advice)


def later(looks: Looks) -> t.Iterator[Finding]:
    """Reports what could not be checked, so that a missing finding is not taken for success."""
    waiting = [look.host for look in looks.values() if look.seen_at_all and _comes_later(look)]
    if waiting:
        what = (
            "the share is not mounted yet, so whether it is shared and writable shows only when the role has mounted it"
        )
        advice = "Nothing to do; ivy.cluster.site stops before it touches an engine when the share cannot be used"
        yield Finding("share-not-tried", _AREA, ", ".join(waiting), what, advice, WARNING)
