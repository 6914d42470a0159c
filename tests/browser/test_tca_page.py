"""The TCA report in a browser: by keyboard, readable by anybody, on a desk and on a phone."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from execution.domain.exchange_time import exchange_day
from execution.market import clock
from execution.models import Fill, Order, OrderEvent, Slice
from monitoring.models import CostAnalysis, OrderReplay
from tests.browser.conftest import PHONE, Site, barriers_in_light_and_dark, fits
from tests.integration.monitoring.rows import filled
from tests.integration.monitoring.test_algorithms_compared import replays

PATH = "/admin/tca/?period=today&by=strategy"


@pytest.fixture(scope="module", autouse=True)
def orders(site: Site) -> Iterator[list[Order]]:
    """Six that have just ended, bought and sold by two strategies; removed at the end, as other
    tests look at the same service."""
    now = clock.now()
    made = [
        filled(
            f"{150 + number / 50:.2f}",
            strategy=("momentum", "value")[number % 2],
            symbol="REPORTED",
            side=("BUY", "SELL")[number // 3],
            start_at=now - timedelta(minutes=3),
            end_at=now - timedelta(seconds=1),
            created_at=now - timedelta(minutes=3),
            finished_at=now - timedelta(seconds=1),
        )
        for number in range(6)
    ]
    for order in made:
        replays(order, TWAP=5 + order.pk % 3, VWAP=3 + order.pk % 3, LIMIT=order.pk % 7)
    yield made
    for model in (OrderReplay, CostAnalysis, OrderEvent, Fill, Slice):
        model.objects.filter(order__in=made).delete()
    Order.objects.filter(pk__in=[order.pk for order in made]).delete()


def test_another_grouping_is_chosen_with_the_keyboard(page: Page, orders: list[Order]) -> None:
    page.goto(PATH)
    expect(page.locator("table").first).to_contain_text("momentum")
    page.focus("select[name=by]")
    page.keyboard.type("Side")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**by=side**")
    rows = page.locator("table").first.locator("tbody tr")
    expect(rows).to_contain_text(["BUY", "SELL", "All"], use_inner_text=True)
    page.click(f"text={orders[2].pk} BUY 100 REPORTED")
    page.wait_for_url(f"**/order/{orders[2].pk}/change/")


def test_the_charts_are_drawn_and_the_files_can_be_kept(page: Page, orders: list[Order]) -> None:
    today = exchange_day(orders[0].finished_at)
    page.goto(PATH)
    expect(page.locator("svg.tca-chart").first).to_be_visible()
    for link, ending in (("HTML file", "html"), ("CSV", "csv")):
        with page.expect_download() as kept:
            page.click(f"text={link}")
        assert kept.value.suggested_filename == f"tca-{today}-{today}.{ending}"


def test_the_report_keeps_nobody_out_and_fits_a_phone(visitor: Callable[..., Page]) -> None:
    page = visitor("Viewer")
    page.goto(PATH)
    assert barriers_in_light_and_dark(page) == []
    page.set_viewport_size(PHONE)
    expect(page.locator("svg.tca-chart").first).to_be_visible()
    assert fits(page)
