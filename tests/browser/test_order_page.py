"""The page of one order in a browser."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, barriers
from tests.browser.test_operations import new_order


def test_the_charts_are_drawn_and_the_facts_open_by_keyboard(page: Page, site: Site) -> None:
    order = new_order("CHARTED")
    page.goto(f"/admin/execution/order/{order.pk}/change/")
    for name in ("quantity-chart", "price-chart"):
        canvas = page.locator(f"#{name}")
        page.wait_for_function(
            "canvas => Chart.getChart(canvas)?.data.datasets.length > 1",
            arg=canvas.element_handle(),
        )
    accepted = page.locator("details.ds-facts").first
    expect(accepted.locator("dl")).to_be_hidden()
    accepted.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(accepted.locator("dl")).to_be_visible()
    site.stack.manage("cancel", str(order.pk))


def test_an_order_is_priced_and_sent_with_the_keyboard_alone(visitor: Callable[..., Page]) -> None:
    page = visitor("Trader")
    page.goto("/admin/execution/order/")
    page.focus("text=New order")
    page.keyboard.press("Enter")
    page.wait_for_url("**/order/new/")
    page.focus("#id_symbol")
    for typed in ("TICKET", "B"):
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
    page.keyboard.type("500")
    expect(page.locator("#priced")).to_contain_text("VWAP")
    assert barriers(page) == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/change/**")
    expect(page.locator("body")).to_contain_text("BUY 500 TICKET")
