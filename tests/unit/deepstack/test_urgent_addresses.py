"""What stops trading never waits behind other requests: the lanes know the addresses there are."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from django.urls import reverse

from deepstack import processes
from deepstack.web.request_lanes import _URGENT, Lanes

PATIENCE = 10.0  # seconds


@pytest.mark.parametrize(
    ("name", "arguments", "urgent"),
    [
        ("admin:execution_order_cancel", [], True),
        ("admin:execution_order_pause", [], True),
        ("admin:execution_order_resume", [], False),
        ("admin:execution_order_amend", [1], False),
        ("admin:execution_tradingstate_halt_all", [], True),
        ("admin:execution_tradingstate_set", [], True),
        ("admin:login", [], False),
        ("halt", [], True),
        ("order-cancel", [1], True),
        ("order-pause", [1], True),
        ("order-detail", [1], False),
    ],
)
def test_which_addresses_wait_for_nobody(name: str, arguments: list[int], urgent: bool) -> None:
    assert bool(_URGENT.fullmatch(reverse(name, args=arguments))) == urgent


def test_a_halt_is_answered_while_every_lane_is_taken() -> None:
    slow = [("POST", "/api/v1/token/"), ("GET", reverse("order-list"))]
    slow += [("GET", "/admin/single-sign-on/"), ("GET", "/admin/single-sign-on/callback/")]
    slow += [("POST", reverse("order-list"))] * 2
    taken, over = Barrier(len(slow) + 1), Event()

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        if environ["PATH_INFO"] != reverse("halt"):
            taken.wait(PATIENCE)
            assert over.wait(PATIENCE)
        start("200 OK", [])
        return []

    lanes, statuses = Lanes(app), list[str]()

    def ask(method: str, path: str) -> str:
        own = list[str]()
        asked = {"PATH_INFO": path, "REQUEST_METHOD": method, "REMOTE_ADDR": "192.0.2.44"}
        lanes(asked, lambda line, headers: own.append(line))
        return own[0]

    with ThreadPoolExecutor(len(slow)) as pool:
        others = [pool.submit(ask, *each) for each in slow]
        taken.wait(PATIENCE)
        statuses.append(ask("POST", reverse("halt")))
        assert not any(each.done() for each in others)
        over.set()
        statuses += [each.result() for each in others]
    assert set(statuses) == {"200 OK"}


def test_the_lanes_leave_threads_over() -> None:
    lanes = Lanes(lambda environ, start: [])
    bounded = (lanes._login, lanes._single_sign_on, lanes._reads, lanes._writes)
    assert sum(lane.places + lane.queue for lane in bounded) + 2 <= processes.THREADS
