"""The page of one order in a browser."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESK, PHONE, Site, barriers, expect_focus, fits
from tests.browser.test_operations import new_order

SESSION, PRICE = settings.SESSION_COOKIE_NAME, "**/order/new/?preview"


def test_the_charts_are_drawn_and_the_facts_open_by_keyboard(page: Page, site: Site) -> None:
    order = new_order("CHARTED")
    page.goto(f"/admin/execution/order/{order.pk}/change/")
    for name in ("quantity-chart", "price-chart"):
        canvas = page.locator(f"#{name}")
        page.wait_for_function(
            "canvas => Chart.getChart(canvas)?.data.datasets.length > 1",
            arg=canvas.element_handle(),
        )
    expect(page.locator("#order-costs")).to_contain_text("So far, preliminary")
    assert barriers(page) == []
    accepted = page.locator("details.ds-facts").first
    expect(accepted.locator("dl")).to_be_hidden()
    accepted.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(accepted.locator("dl")).to_be_visible()
    site.stack.manage("cancel", str(order.pk))


def test_the_charts_of_an_order_of_one_slice_span_its_window_and_not_days(
    page: Page, site: Site
) -> None:
    order = new_order("RESTING", algorithm="LIMIT", limit_price=1, window_minutes=30)
    page.goto(f"/admin/execution/order/{order.pk}/change/")
    for name, least in (("quantity-chart", 30), ("price-chart", 1)):
        page.wait_for_function(
            "([id, least]) => { const x = Chart.getChart(id)?.scales.x;"
            " const long = (x?.max - x?.min) / 60000; return least <= long && long < 60; }",
            arg=[name, least],
        )
    site.stack.manage("cancel", str(order.pk))


def test_a_long_reference_does_not_widen_the_page(page: Page, site: Site) -> None:
    long = {"client_reference": "x" * 128, "strategy": "s" * 64, "average_daily_volume": 2_000_000}
    order = new_order("LONG", algorithm="TWAP", slices=100, **long)
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        page.goto(f"/admin/execution/order/{order.pk}/change/")
        expect(page.locator("fieldset").first).to_contain_text("2,000,000 shares")
        page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
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


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (lambda page: page.context.clear_cookies(name=SESSION), "Your login has ended"),
        (lambda page: page.route(PRICE, lambda route: route.fulfill(status=403)), "Your role"),
        (lambda page: page.route(PRICE, lambda route: route.abort()), "does not answer"),
    ],
)
def test_a_ticket_that_cannot_be_priced_shows_no_old_price(
    visitor: Callable[..., Page], trouble: Callable[[Page], None], said: str
) -> None:
    page = visitor("Trader", watched=False)
    page.goto("/admin/execution/order/new/")
    page.fill("#id_symbol", "TICKET")
    page.select_option("#id_side", "BUY")
    page.locator("#id_quantity").press_sequentially("500")
    expect(page.locator("#priced")).to_contain_text("BUY 500 TICKET")
    trouble(page)
    page.locator("#id_quantity").press_sequentially("0")
    expect(page.locator("#priced")).to_contain_text(said)
    expect(page.locator("#priced")).not_to_contain_text("TICKET")
    expect(page.locator("#id_quantity")).to_have_value("5000")


def test_an_order_is_amended_and_cancelled_with_the_keyboard_on_a_phone(
    visitor: Callable[..., Page],
) -> None:
    order, page = new_order("AMENDED"), visitor("Trader", viewport=PHONE)
    page.goto(f"/admin/execution/order/{order.pk}/change/")
    page.focus("a.ds-control:has-text('Amend')")
    page.keyboard.press("Enter")
    page.focus("#id_quantity")
    page.keyboard.press("Control+A")
    page.keyboard.type("700")
    page.focus("#id_reason")
    page.keyboard.type("more news")
    page.keyboard.press("Enter")
    expect(page.locator("tr.ds-chosen").first).to_contain_text("700")
    amended = page.locator("tr.ds-chosen td").nth(1).bounding_box()
    assert amended is not None
    assert amended["x"] + amended["width"] <= PHONE["width"], "what would be is in view"
    assert barriers(page) == []
    assert fits(page)
    page.focus("text=Amend now")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_contain_text(f"Order {order.pk} is amended: 700 shares")

    page.focus("a.ds-control:has-text('Cancel')")
    page.keyboard.press("Enter")
    expect_focus(page, "#id_reason")
    assert barriers(page) == []
    assert fits(page)
    page.keyboard.type("wrong side")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_contain_text(f"Order {order.pk} is CANCEL")
    expect(page.locator("body")).to_contain_text("wrong side")


def test_chosen_orders_are_paused_from_the_list(page: Page, site: Site) -> None:
    orders = [new_order("CHOSEN", quantity) for quantity in (400, 600)]
    page.goto("/admin/execution/order/?q=CHOSEN")
    for order in orders:
        page.check(f"input.action-select[value='{order.pk}']")
    page.select_option("select[name=action]", "pause_orders")
    page.click("button[name=index]")
    expect(page.locator("body")).to_contain_text("open shares, ")
    page.fill("#id_reason", "news")
    page.click("text=Pause 2 orders now")
    page.wait_for_url("**/order/?q=CHOSEN")
    expect(page.locator("body")).to_contain_text(
        f"Orders {orders[0].pk}, {orders[1].pk} are PAUSED"
    )
    for order in orders:
        site.stack.manage("cancel", str(order.pk))


def test_the_list_of_orders_moves_and_keeps_what_was_chosen(
    visitor: Callable[..., Page], site: Site
) -> None:
    order, page = new_order("MOVING"), visitor("Trader")
    page.goto("/admin/execution/order/?q=MOVING")
    page.check("input.action-select")
    row = page.locator("#result_list tr.data-row")
    expect(row.locator(".field-state")).not_to_contain_text("PAUSED")
    assert site.stack.manage("pause", str(order.pk)).returncode == 0
    expect(row.locator(".field-state")).to_contain_text("PAUSED")
    expect(page.locator("input.action-select")).to_be_checked()
    newer = page.locator(".ds-newer")
    expect(newer).to_be_hidden()
    another = new_order("MOVING", 700)
    newer.locator("a").click()
    expect(page.locator("#result_list")).to_contain_text(f"{another.pk} BUY 700 MOVING")
    for each in (order, another):
        site.stack.manage("cancel", str(each.pk))


def test_a_status_is_called_so_on_the_phone_of_who_may_choose_no_order(
    visitor: Callable[..., Page], site: Site
) -> None:
    order, page = new_order("NAMED"), visitor("Viewer", viewport=PHONE)
    for address in ("order/?q=NAMED", f"slice/?order__id__exact={order.pk}"):
        page.goto(f"/admin/execution/{address}")
        cell = page.locator("td.field-state").first
        label = cell.evaluate("cell => getComputedStyle(cell, '::before').content")
        assert label == '"Status"'
    site.stack.manage("cancel", str(order.pk))


def test_a_file_of_orders_goes_in_and_the_list_comes_out(
    visitor: Callable[..., Page], tmp_path: Path
) -> None:
    page, file = visitor("Trader"), tmp_path / "orders.csv"
    head = "symbol,side,quantity,algorithm,slices,window_minutes,strategy"
    file.write_text(f"{head}\nFILED,BUY,400,TWAP,4,60,from-file\nFILED,BUY,5O0,TWAP,5,60,\n")
    page.goto("/admin/execution/order/")
    page.click("text=From a file")
    page.set_input_files("#id_file", file)
    page.click("text=Show the orders")
    expect(page.locator(".errorlist")).to_contain_text("line 3, quantity")
    file.write_text(f"{head}\nFILED,BUY,400,TWAP,4,60,from-file\n")
    page.set_input_files("#id_file", file)
    page.click("text=Show the orders")
    expect(page.locator("table.ds-table")).to_contain_text("BUY 400 FILED")
    assert barriers(page) == []
    page.click("text=Send 1 order")
    page.wait_for_url("**/baskets/basket/?name=list-**")
    expect(page.locator("body")).to_contain_text("1 of 1 orders accepted")
    expect(page.locator("#basket-orders")).to_contain_text("BUY FILED")
    assert barriers(page) == []
    page.set_viewport_size(PHONE)
    assert fits(page)
    page.set_viewport_size(DESK)
    page.click("text=List of the orders")
    with page.expect_download() as taken:
        page.click("a.ds-export")
    rows = list(csv.DictReader(taken.value.path().read_text().splitlines()))
    assert [(row["symbol"], row["quantity"], row["strategy"]) for row in rows] == [
        ("FILED", "400", "from-file")
    ]
