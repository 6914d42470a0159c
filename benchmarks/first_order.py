"""How long a newcomer waits for the first fill, by the order ticket alone.

`python -m benchmarks.first_order` starts the service as `make up` does, in an empty folder, logs in
with the password that it prints, types an order into the ticket and waits until its page shows
executed shares. Prints seconds from the start of the command, one JSON document. Needs Debian's
chromium; what people take to type is not counted.
"""

import json
import os
import sys
import time

from playwright.sync_api import expect

from benchmarks.load import stolen_since
from benchmarks.screenshots import chromium, service, signed_in

ORDER = {"symbol": "AAPL", "quantity": "100"}
LONGEST_MS = 120_000.0


def main() -> None:
    began, stolen = time.monotonic(), stolen_since()
    seconds: dict[str, float] = {}

    def passed(what: str) -> None:
        seconds[what] = round(time.monotonic() - began, 1)

    with service() as (stack, password), chromium() as browser:
        passed("service ready")
        page = signed_in(browser, stack.web, password)
        passed("logged in")
        page.goto("/admin/execution/order/new/")
        for field, typed in ORDER.items():
            page.fill(f"#id_{field}", typed)
        page.select_option("#id_side", "BUY")
        expect(page.locator("#priced")).to_contain_text("Expected cost", timeout=LONGEST_MS)
        passed("priced")
        page.click("text=Send order")
        page.wait_for_url("**/change/**")
        passed("accepted")
        filled = page.locator("#order-status .ds-numbers b")
        expect(filled).not_to_have_text("0", timeout=LONGEST_MS)
        passed("first fill")
    host = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
    json.dump({**host, "stolen_percent": stolen(), "seconds": seconds}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
