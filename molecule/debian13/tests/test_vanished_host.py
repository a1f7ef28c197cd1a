# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that answers nothing any more: requests that were not sent yet reach another one, the others end soon."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from conftest import Browser, Lab

# Ten a second. Within 9 s the balancer has the node down, and 5.5 s later its sessions end.
REQUESTS = 250
CHAIN = "add table inet vanished; add chain inet vanished {hook} {{ type filter hook {hook} priority -300; }}"


class Answer(NamedTuple):
    """How a request ended. The status is 0 if the connection was closed without a response."""

    method: str
    status: int
    node: str


def ask(browser: Browser, method: str, path: str, cookies: dict[str, str]) -> Answer:
    try:
        response = browser.request(method, path, cookies)
        status, node = response.status, response.data["node"] if response.status == 200 else ""
    except (OSError, http.client.HTTPException):
        status, node = 0, ""
    return Answer(method, status, node)


@contextmanager
def silent(lab: Lab, node: str) -> Iterator[None]:
    """The engine's port neither answers nor refuses. SSH still works."""
    host = lab.host(node)
    for hook, port in (("input", "dport"), ("output", "sport")):
        host.check_output(
            f"nft '{CHAIN.format(hook=hook)}; add rule inet vanished {hook} tcp {port} {{ 8080, 8443 }} drop'"
        )
    try:
        yield
    finally:
        host.check_output("nft delete table inet vanished")


def test_requests_that_are_still_connecting_reach_another_node(lab: Lab, browser: Browser) -> None:
    victim = lab.nodes[0]
    cookies: dict[str, str] = {}
    while browser.node(cookies) != victim or not cookies:
        response = browser.get("/demo/api/info")
        cookies = response.cookies if response.data["node"] == victim else {}
    with ThreadPoolExecutor(REQUESTS) as pool:
        # A request with effects has a connection of its own, so it is connecting until it is sent.
        sent = pool.submit(ask, browser, "POST", "/demo/api/slow?ms=30000", cookies)
        time.sleep(2)
        with silent(lab, victim):
            answers = []
            for number in range(REQUESTS):
                method = ("POST", "GET")[number % 2]
                of_user = cookies if number % 3 else {}
                answers.append(pool.submit(ask, browser, method, "/demo/api/slow?ms=0", of_user))
                time.sleep(0.1)
            found = [answer.result() for answer in answers]
            lost = sent.result()

    # What a node may have worked on is not repeated, but ends.
    assert lost.status in (0, 502), lost
    assert [answer for answer in found if answer.status != 200] == []
    assert {answer.node for answer in found} == set(lab.nodes) - {victim}
    lab.until(lambda: victim in {browser.node() for _time in range(6)}, 120, f"{victim} is back in the balancer")
