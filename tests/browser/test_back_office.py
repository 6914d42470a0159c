"""The back office in a browser: it is styled, it runs without errors, and its buttons work."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from execution import context
from execution.entry import acceptance
from execution.models import Order
from monitoring.models import Alert
from tests.browser.conftest import PHONE, Site, fits


@pytest.fixture
def order(site: Site) -> Order:
    """Of which nothing is due while it is looked at."""
    here = context.default()
    signal = {"symbol": "LOOKED", "side": "BUY", "quantity": 500, "algorithm": "TWAP"}
    later = {"start_at": here.now() + timedelta(hours=1), "slices": 100}
    return acceptance.accept(signal | later, here)


def test_who_signs_in_comes_to_the_operations_page(page: Page) -> None:
    user = User.objects.create_superuser("browser-new", password="correct horse")
    page.context.clear_cookies()
    page.goto("/admin/")
    page.fill("#id_username", user.username)
    page.fill("#id_password", "correct horse")
    page.press("#id_password", "Enter")
    page.wait_for_url("**/admin/")
    expect(page.locator("#updated time")).to_contain_text("ET")


def test_an_order_is_looked_at_and_paused(page: Page, site: Site, order: Order) -> None:
    page.goto("/admin/execution/order/")
    status = page.locator(".ds-status").first
    expect(status).to_have_text("ACCEPTED")
    expect(status).to_have_css("color", "rgb(255, 255, 255)")

    page.goto(f"/admin/execution/order/{order.pk}/change/")
    expect(page.locator("#slices tbody tr")).to_have_count(50)
    page.click("a.ds-control:has-text('Pause')")
    expect(page.locator("body")).to_contain_text("open shares, ")
    page.fill("#id_reason", "news")
    page.click("text=Pause 1 order now")
    expect(page.locator("body")).to_contain_text(f"Order {order.pk} is PAUSED")
    expect(page.locator("a.ds-control:has-text('Resume')")).to_be_visible()
    assert Order.objects.get(pk=order.pk).status == "PAUSED"
    assert site.stack.manage("cancel", str(order.pk)).returncode == 0


def test_on_a_phone_an_alert_is_read_whole_in_the_list(visitor: Callable[..., Page]) -> None:
    words = "order 7 BUY 100 AAPL TWAP: paused, as a person asked for it with many words; " * 3
    now = timezone.now()
    alert = Alert.objects.create(
        kind="PAUSED", severity="WARNING", message=words, raised_at=now, raised_at_real=now
    )
    page = visitor("Viewer", viewport=PHONE)
    page.goto(f"/admin/monitoring/alert/?id__exact={alert.pk}")
    expect(page.locator("#result_list .field-message")).to_contain_text(words.strip())
    cut = page.eval_on_selector_all(
        "#result_list :is(td, th)",
        "cells => cells.filter(each => each.scrollHeight > each.clientHeight"
        " || each.scrollWidth > each.clientWidth).map(each => each.className.split(' ')[0])",
    )
    alert.delete()
    assert cut == []
    assert fits(page)


def test_pages_and_the_api_s_documentation_obey_their_content_policy(page: Page) -> None:
    """A page that loads or runs what its policy forbids complains on its console."""
    answer = page.goto("/api/v1/docs/")
    assert answer is not None
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    expect(page.locator("#swagger-ui .opblock").first).to_be_visible(timeout=30_000)
    listed = page.request.get("/api/v1/orders/")
    assert listed.headers["content-security-policy"].startswith("default-src 'none'; frame-")
