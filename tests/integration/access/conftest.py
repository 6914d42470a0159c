"""The identity provider, and a web process that knows it."""

from collections.abc import Iterator

import pytest

from deepstack import config
from deepstack.web import login_throttle
from tests import identity_provider
from tests.identity_provider import Provider
from tests.integration.access.sign_on import Configure, of, start_anew


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """While it runs, the addresses are those of a web process that was started with it."""
    with identity_provider.running() as provider, pytest.MonkeyPatch.context() as patch:
        for name, value in of(provider).items():
            patch.setenv(name, value)
        start_anew()
        yield provider
        patch.undo()
        start_anew()


@pytest.fixture
def on(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Single sign-on is on, and more may be set."""

    def configure(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        config.current.cache_clear()

    login_throttle.throttle.forget()
    provider.say()
    yield configure
    monkeypatch.undo()
    config.current.cache_clear()
    login_throttle.throttle.forget()
