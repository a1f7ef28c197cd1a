# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host of the benchmark: a call of shared_config without changes, with the duration of each part."""

from __future__ import annotations

import time

START = time.perf_counter()

import json
import os
import sys

sys.path.insert(0, "/var/tmp")
import shared_config_call as call  # type: ignore[import-not-found]


def main() -> None:
    parameters = json.loads(sys.argv[1])
    clock = {"standard library": time.perf_counter() - START}

    def timed(name: str, function: object) -> object:
        def inner(*args: object, **more: object) -> object:
            begin = time.perf_counter()
            try:
                return function(*args, **more)  # type: ignore[operator]
            finally:
                clock[name] = clock.get(name, 0.0) + time.perf_counter() - begin

        return inner

    call.gc.disable()
    begin = time.perf_counter()
    digest = os.listdir(f"{parameters['store']}/code")[0].split("-")[0]
    modules = call.kept(parameters["store"], digest)
    sys.meta_path.insert(0, call.Loader(modules))
    from ivy_cluster.cached import calls  # type: ignore[import-not-found]
    from ivy_cluster.node.config import converge, view  # type: ignore[import-not-found]
    from ivy_cluster.node.store import store  # type: ignore[import-not-found]

    clock["code"] = time.perf_counter() - begin
    converge.show = timed("systemctl", converge.show)
    store.Store.manifest = timed("manifest", store.Store.manifest)
    view.View.survey = timed("files", view.View.survey)
    begin = time.perf_counter()
    result = calls.call("shared_config", parameters, True, False)
    total = time.perf_counter() - begin
    if result.get("failed") or result["changed"]:
        sys.exit(f"The call failed or changed something: {result}")
    clock["rest"] = total - sum(clock[name] for name in ("systemctl", "manifest", "files"))
    print(json.dumps(clock))


if __name__ == "__main__":
    main()
