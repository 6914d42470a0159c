"""One running service and one browser for all tests of the pages.

A test fails when its page wrote an error to the console, threw one, or failed to load a file.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client, override_settings
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django import DjangoDbBlocker

from execution.management.roles import ensure_roles
from tests.stack import SessionStacks, Stack

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SERIOUS = {"serious", "critical"}


@dataclass(frozen=True, slots=True)
class Site:
    """The web process that the browser talks to, and the stack that it belongs to."""

    stack: Stack
    url: str


def expect_focus(page: Page, selector: str) -> None:
    """That keys typed on this page go to this control. Of several windows the browser draws, and
    so focuses as the page asks, the one in front; `to_be_focused` asks for the system's focus too.
    """
    page.bring_to_front()
    page.wait_for_function("selector => document.activeElement?.matches(selector)", arg=selector)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if not PROGRAM:
        pytest.skip("there is no chromium")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread, which Django takes for a coroutine.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        options = ["--no-sandbox", "--disable-background-networking"]
        started = playwright.chromium.launch(executable_path=PROGRAM, args=options)
        yield started
        started.close()


@pytest.fixture(scope="package")
def site(
    browser: Browser, session_stacks: SessionStacks, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    """Rows are committed and stay until the last of these tests: look only at your own."""
    with django_db_blocker.unblock():
        stack = session_stacks.shared()
        yield Site(stack, stack.web().url)
        session_stacks.end()
        User.objects.filter(username__startswith="browser-").delete()


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Opens an empty page for somebody of a role, or for a superuser, who has signed in."""
    errors: list[str] = []
    opened: list[Page] = []

    def visit(role: str = "superuser", *, watched: bool = True, **options: Any) -> Page:
        how = {"viewport": DESK, "reduced_motion": "reduce"} | options
        context = browser.new_context(base_url=site.url, **how)
        context.add_cookies([signed_in(person(role), site)])
        page = context.new_page()
        page.set_default_timeout(20_000)
        if watched:
            watch(page, errors)
        opened.append(page)
        return page

    yield visit
    for page in opened:
        page.context.close()
    assert errors == []


@pytest.fixture
def page(visitor: Callable[..., Page]) -> Page:
    return visitor()


def person(role: str) -> str:
    ensure_roles()
    name = f"browser-{role.lower()}"
    user, _ = User.objects.get_or_create(
        username=name, defaults={"is_staff": True, "is_superuser": role == "superuser"}
    )
    user.groups.set(Group.objects.filter(name=role))
    return name


def signed_in(username: str, site: Site) -> dict[str, str]:
    """The cookie of a session, as the form gives it; the web process has a key of its own."""
    client = Client()
    with override_settings(SECRET_KEY=site.stack.env()["SECRET_KEY"]):
        client.force_login(User.objects.get(username=username))
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": site.url}


def watch(page: Page, errors: list[str]) -> None:
    """Note what the page complains of."""
    page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
    page.on(
        "console",
        lambda said: errors.append(f"{page.url}: {said.text}") if said.type == "error" else None,
    )


def barriers(page: Page) -> list[str]:
    """What axe finds on the page that keeps somebody from using it: serious or critical."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['html'][:200]}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


def barriers_in_light_and_dark(page: Page) -> list[str]:
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {each}" for each in barriers(page)]
    return found


def fits(page: Page) -> bool:
    """On a phone nothing is to be scrolled sideways, once the charts have found their size."""
    wide = f"document.documentElement.scrollWidth <= {PHONE['width']}"
    return bool(page.wait_for_function(wide, timeout=5_000))
