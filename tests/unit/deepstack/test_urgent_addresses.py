"""What stops trading never waits behind other requests: the lanes know the addresses there are."""

import pytest
from django.urls import reverse

from deepstack.web.request_lanes import _URGENT


@pytest.mark.parametrize(
    ("name", "arguments", "urgent"),
    [
        ("admin:execution_order_cancel", [], True),
        ("admin:execution_order_pause", [], True),
        ("admin:execution_order_resume", [], False),
        ("admin:execution_order_amend", [1], False),
        ("admin:execution_tradingstate_halt_all", [], True),
        ("admin:execution_tradingstate_set", [], True),
        ("order-cancel", [1], True),
        ("order-pause", [1], True),
        ("order-detail", [1], False),
    ],
)
def test_which_addresses_wait_for_nobody(name: str, arguments: list[int], urgent: bool) -> None:
    assert bool(_URGENT.fullmatch(reverse(name, args=arguments))) == urgent
