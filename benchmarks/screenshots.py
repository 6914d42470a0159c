"""Pictures of the back office, taken of a service of its own on the simulated market.

Without --every: those that the README shows. With it: every page on a desk and on a phone, light
and dark, to look at before a change of the pages is handed in. Needs Debian's chromium.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from deepstack.config import ROOT
from deepstack.local.stack import Stack, StackError, say

PICTURES = ROOT / "docs" / "pictures"
SIZES: Mapping[str, tuple[int, int]] = {"desk": (1440, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
SECONDS = 75.0  # between the orders and the pictures
ORDERS: Sequence[str] = (
    "BUY 33 AAPL --urgency IMMEDIATE",
    "BUY 200 AMZN --urgency IMMEDIATE --strategy momentum",
    "BUY 4000 GOOGL --adv 20000000 --window-minutes 4 --strategy momentum",
    "SELL 1500 MSFT --algorithm TWAP --slices 30 --window-minutes 4 --basket rebalance",
    "BUY 900 NVDA --algorithm TWAP --slices 20 --window-minutes 6 --basket rebalance",
    "SELL 2500 KO --algorithm VWAP --window-minutes 30 --basket rebalance",
    "BUY 9000000 TSLA --strategy momentum",  # denied: too large
)
SHOWN_ORDER = 4


@dataclass(frozen=True, slots=True)
class Shot:
    name: str
    path: str  # below /admin/


README: Sequence[Shot] = (
    Shot("operations", ""),
    Shot("orders", "execution/order/"),
    Shot("order", f"execution/order/{SHOWN_ORDER}/change/"),
)
OTHERS: Sequence[Shot] = (
    Shot("baskets", "baskets/"),
    Shot("basket", "baskets/basket/?name=rebalance"),
    Shot("ticket", "execution/order/new/"),
    Shot("from-a-file", "execution/order/upload/"),
    Shot("error", "nothing/"),
    Shot("alerts", "monitoring/alert/"),
    Shot("slices", "execution/slice/"),
    Shot("fills", "execution/fill/"),
    Shot("audit-trail", "execution/orderevent/"),
    Shot("tca", "tca/?period=today&by=strategy"),
    Shot("costs", "monitoring/costanalysis/"),
    Shot("positions", "execution/position/"),
    Shot("limits", "execution/risklimit/"),
    Shot("limit", "execution/risklimit/add/"),
    Shot("trading-states", "execution/tradingstate/"),
    Shot("set-trading-state", "execution/tradingstate/set/"),
    Shot("halt-all", "execution/tradingstate/halt-all/"),
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--folder", type=Path, default=PICTURES, help="where they are written")
    arguments.add_argument("--every", action="store_true", help="every page, size and scheme")
    wanted = arguments.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    with service() as (stack, password), chromium() as browser:
        for order in ORDERS:
            _hand_over(stack, order)
        page = signed_in(browser, stack.web, password)
        page.wait_for_timeout(SECONDS * 1000)
        if wanted.every:
            _every_page(browser, page, wanted.folder)
        else:
            for shot in README:
                _take(page, shot.path, wanted.folder / f"{shot.name}.png")


@contextmanager
def service() -> Iterator[tuple[Stack, str]]:
    """A running service and the password of its administrator."""
    with tempfile.TemporaryDirectory(prefix="deepstack-pictures-") as folder:
        environment = {
            "TRADING_MODE": "paper",
            "MARKET__SOURCE": "simulated",
            "LOG_FILE": f"{folder}/deepstack.log",
            "ALERT_WEBHOOK_URL": "",
        }
        stack = Stack(Path(folder), environment, private=True)
        with stack.stores():
            password = stack.manage("first_admin")
            with stack.processes():
                yield stack, password


@contextmanager
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        raise SystemExit("there is no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


def _hand_over(stack: Stack, order: str) -> None:
    with suppress(StackError):  # one that is denied is part of the picture
        stack.manage("order", *order.split(), "--no-wait")


def signed_in(browser: Browser, web: str, password: str) -> Page:
    width, height = SIZES["desk"]
    context = browser.new_context(base_url=web, viewport={"width": width, "height": height})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto("/admin/login/?next=/admin/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", password)
    page.press("#id_password", "Enter")
    page.wait_for_url("**/admin/")
    return page


def _every_page(browser: Browser, page: Page, folder: Path) -> None:
    for scheme in SCHEMES:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            for shot in (*README, *OTHERS):
                _take(page, shot.path, folder / f"{shot.name}-{size}-{scheme}.png")


def _take(page: Page, path: str, file: Path) -> None:
    page.goto(f"/admin/{path}")
    page.wait_for_load_state("load")
    page.wait_for_timeout(500)  # fonts and charts
    page.screenshot(path=file)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    say(f"{file.name}: {file.stat().st_size:,} bytes" + (f", {wide} px too wide" * (wide > 0)))


if __name__ == "__main__":
    main()
