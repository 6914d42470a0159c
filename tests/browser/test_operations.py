"""The operations page in a browser: it moves, it halts, and it can be read and used by anybody."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from execution import context
from execution.entry import acceptance
from execution.models import Order
from tests.browser.conftest import (
    PHONE,
    Site,
    barriers_in_light_and_dark,
    expect_focus,
    fits,
)

PAGES = (
    "",
    "execution/order/",
    "execution/order/upload/",
    "monitoring/alert/",
    "monitoring/costanalysis/",
    "execution/tradingstate/halt-all/",
)


def new_order(symbol: str, quantity: int = 500, **terms: object) -> Order:
    signal = {"symbol": symbol, "side": "BUY", "quantity": quantity}
    terms = terms or {"algorithm": "TWAP", "slices": 100}
    return acceptance.accept(signal | terms, context.default())


def test_the_page_shows_a_new_order_without_being_asked(page: Page, site: Site) -> None:
    order = new_order("APPEARS")
    page.goto("/admin/")
    expect(page.locator("#live-orders")).to_contain_text(f"{order.pk} BUY APPEARS")
    canvas = page.locator("#slippage-chart")
    page.wait_for_function("canvas => Chart.getChart(canvas)", arg=canvas.element_handle())
    site.stack.manage("cancel", str(order.pk))
    expect(page.locator("#live-orders")).not_to_contain_text("APPEARS")


def test_a_dark_page_is_printed_dark_on_white(page: Page) -> None:
    colour = "getComputedStyle(document.querySelector('.ds-figure b')).color"
    page.emulate_media(color_scheme="light")
    page.goto("/admin/")
    on_white = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.reload()
    page.wait_for_function(f"{colour} !== '{on_white}'")
    page.emulate_media(color_scheme="dark", media="print")
    page.wait_for_function(f"{colour} === '{on_white}'")


def test_selected_text_stays_selected_while_the_page_moves(page: Page) -> None:
    page.goto("/admin/")
    before = page.inner_text("#updated time")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#health'))")
    page.wait_for_function("t => document.querySelector('#updated time').innerText > t", arg=before)
    assert "Dispatcher" in page.evaluate("getSelection().toString()")


def test_the_page_says_when_it_could_not_refresh(page: Page) -> None:
    def fail(route: Route) -> None:
        route.fulfill(status=200, body="<p>Sign in</p>", content_type="text/html")

    page.goto("/admin/")
    page.route("**/operations/live/", fail)
    stale = page.locator(".ds-stale")
    expect(stale).to_contain_text("Not updated since")
    expect(stale).to_contain_text(" ET")
    page.unroute("**/operations/live/")
    expect(stale).to_be_hidden()


def test_risk_halts_and_resumes_with_the_keyboard(visitor: Callable[..., Page]) -> None:
    page, other = visitor("Risk"), visitor("Viewer")
    page.goto("/admin/")
    other.goto("/admin/")
    page.bring_to_front()  # before the next page opens, which focuses nothing while it is behind
    page.focus("text=HALT ALL")
    page.keyboard.press("Enter")
    page.wait_for_url("**/halt-all/")
    expect_focus(page, "#id_reason")
    page.keyboard.type("runaway strategy")
    page.keyboard.press("Tab")
    expect_focus(page, "button.ds-danger")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_contain_text("sends drained")
    expect(page.locator("#figures")).to_contain_text("Children not confirmed as ended")
    expect(other.locator(".ds-banner.ds-halted")).to_contain_text("SYSTEM: runaway strategy")
    assert other.locator("text=Resume trading").count() == 0
    page.click("text=Resume trading")
    page.fill("#id_reason", "mended")
    page.click("text=Resume trading now")
    expect(page.locator(".ds-banner")).to_have_count(0)
    expect(other.locator(".ds-banner")).to_have_count(0)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_keeps_nobody_out_and_fits_a_phone(page: Page, path: str) -> None:
    page.goto(f"/admin/{path}")
    assert barriers_in_light_and_dark(page) == []
    page.set_viewport_size(PHONE)
    assert fits(page)
