"""A web process with single sign-on alone, and an identity provider, in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import identity_provider
from tests.browser.conftest import (
    PHONE,
    Site,
    barriers_in_light_and_dark,
    fits,
    person,
    watch,
)
from tests.identity_provider import CLIENT, SECRET, Provider


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with identity_provider.running() as provider:
        yield provider


@pytest.fixture(scope="module")
def url(site: Site, provider: Provider) -> Iterator[str]:
    given = {"OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET}
    web = site.stack.web(**given, OIDC_ONLY="true")
    yield web.url
    web.kill()


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """Of somebody who has not logged in."""
    context = browser.new_context(base_url=url, viewport=PHONE, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


BUTTON, PASSWORD = "text=Sign in with single sign-on", "text=Superuser: sign in with a password"


def test_a_person_is_led_to_the_provider_and_back_to_the_page(
    page: Page, provider: Provider
) -> None:
    errors: list[str] = []
    watch(page, errors)
    provider.say({"preferred_username": person("Trader")})
    page.goto("/admin/execution/slice/?q=AAPL")
    page.click(BUTTON)
    page.wait_for_url("**/admin/execution/slice/?q=AAPL")
    expect(page.locator("body")).to_contain_text("No slices match")
    assert errors == []


def test_who_is_refused_is_told_so(page: Page, provider: Provider) -> None:
    provider.say({"preferred_username": "browser-nobody"})
    page.goto("/admin/")
    page.click(BUTTON)
    expect(page.locator("main")).to_contain_text("there is no user 'browser-nobody' here")
    page.click("text=Login page")
    expect(page.locator(BUTTON)).to_be_visible()


def test_the_login_page_keeps_nobody_from_using_it(page: Page) -> None:
    page.goto("/admin/login/")
    assert fits(page)
    expect(page.locator("#id_password")).to_be_hidden()
    page.click(PASSWORD)
    expect(page.locator("#id_password")).to_be_visible()
    assert barriers_in_light_and_dark(page) == []
