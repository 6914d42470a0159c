"""The back office in a browser: it is styled, it runs without errors, and its buttons work."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from execution import context
from execution.entry import acceptance
from execution.models import Order
from tests.browser.chromium import PROGRAM, Tab, tab
from tests.stack import Stack

pytestmark = pytest.mark.skipif(not PROGRAM, reason="there is no chromium")


def sign_in(page: Tab, address: str) -> None:
    User.objects.filter(username="browser").delete()
    User.objects.create_superuser("browser", password="correct horse")
    page.open(f"{address}/admin/login/")
    page.value("document.querySelector('#id_username').value = 'browser'")
    page.value("document.querySelector('#id_password').value = 'correct horse'")
    page.value("document.querySelector('#login-form').submit()")
    page.until("document.querySelector('#user-tools') !== null")


def test_an_order_is_looked_at_and_paused(stack: Stack, tmp_path: Path) -> None:
    order = acceptance.accept(
        {"symbol": "LOOKED", "side": "BUY", "quantity": 500, "algorithm": "TWAP", "slices": 100},
        context.default(),
    )
    web = next((each for each in stack.members if each.url), None) or stack.web()
    with tab(tmp_path) as page:
        sign_in(page, web.url)
        page.open(f"{web.url}/admin/execution/order/")
        assert page.value("document.querySelector('.ds-status').innerText") in (
            "ACCEPTED",
            "WORKING",
        )
        colours = "getComputedStyle(document.querySelector('.ds-status'))"
        assert page.value(f"{colours}.color") == "rgb(255, 255, 255)"
        assert page.value(f"{colours}.backgroundColor") != "rgba(0, 0, 0, 0)"

        page.open(f"{web.url}/admin/execution/order/{order.pk}/change/")
        assert page.value("document.querySelectorAll('#slices-group tbody tr').length") == 50
        page.value("document.querySelector('button.ds-pause').click()")
        page.until(f"document.body.innerText.includes('Order {order.pk} is PAUSED')")
        assert page.value("document.querySelector('button.ds-resume') !== null")
        assert page.errors == []
    assert Order.objects.get(pk=order.pk).status == "PAUSED"
    assert stack.manage("cancel", str(order.pk)).returncode == 0
