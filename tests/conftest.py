"""Where the tests' PostgreSQL and Redis come from.

DATABASE_URL and REDIS_URL, when set, are used; else private servers start when the first test
needs one, in a folder of this run alone. Tests that need neither start nothing.
"""

import os
import secrets
import shutil
import signal
import sys
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, connections
from django.test.utils import teardown_databases
from pytest_django import DjangoDbBlocker
from xdist.scheduler import LoadFileScheduling

from deepstack import database
from deepstack.local import child_cleanup, embedded_servers
from execution.management.roles import ensure_roles
from tests import static_files
from tests.database import empty_after_each_test, forgo_fsync
from tests.database import set_up as set_up_database
from tests.stack import (
    empty_redis,
    empty_stack,
    ended_with_the_module,
    logs_of_running_stacks,
    session_stacks,
    stack,
)

__all__ = ["empty_stack", "ended_with_the_module", "session_stacks", "stack"]

LONGEST = (
    "test_back_office.py",
    "test_chaos_short.py",
    "test_drills.py",
    "test_demo_live.py",
    "test_ibkr_gateway.py",
    "test_running_stack.py",
    "test_gate.py",
    "test_up.py",
    "test_demo.py",
    "test_alpaca_service.py",
    "test_health.py",
    "test_standby.py",
    "test_ibkr_native_service.py",
    "test_ibkr_traps.py",
    "test_ibkr_orders.py",
    "test_sessions.py",
    "test_fuzz_api.py",
    "test_end_to_end.py",
    "test_execution.py",
    "test_alpaca_stream.py",
    "test_restore.py",
    "test_live_broker.py",
    "test_lifecycle_properties.py",
    "test_killed_run.py",
    "test_reconcile_command.py",
    "test_paper_faults.py",
    "test_lanes.py",
)
BROWSER = "tests/browser/"
RUNS = embedded_servers.VAR / "test"
KEPT = embedded_servers.VAR / "test-database"
RUN = RUNS / f"{os.getpid()}-{secrets.token_hex(3)}"
EMBED_DATABASE = not settings.CONFIG.database_url
EMBED_REDIS = not settings.CONFIG.redis_url


# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


def pytest_configure() -> None:
    # Hundreds of processes start, and none should compile what another has compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    child_cleanup.be_patient(0)  # what a killed run has started has nothing to finish
    # A shell starts what runs in its background deaf to Ctrl-C, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if settings.CONFIG.trading_mode != "paper":
        pytest.exit("tests run with TRADING_MODE=paper only", returncode=2)
    # pytest-django has read the settings by now, but nothing has connected yet.
    if EMBED_DATABASE:
        settings.DATABASES["default"].update(
            database.entry(embedded_servers.addresses(RUN).database_url)
        )
        del connections["default"]
    if EMBED_REDIS:
        settings.REDIS_URL = embedded_servers.addresses(RUN).redis_url
    settings.PLAIN_HTTP_NAMES = [*settings.PLAIN_HTTP_NAMES, "testserver"]  # of Django's client
    settings.PASSWORD_HASHERS = ["tests.database.QuickPasswords"]
    empty_after_each_test()
    static_files.look_once()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: with several of them at a time, none is left for the end."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


class TogetherWhatSharesAStack(LoadFileScheduling):  # type: ignore[misc]
    """One process at a time runs a file; one process runs all that look at one site."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return BROWSER if file.startswith(BROWSER) else str(file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getvalue("dist") == "loadfile":
        return TogetherWhatSharesAStack(config, log)
    return None


@pytest.fixture(scope="session")
def servers() -> Iterator[None]:
    embedded_servers.remove_abandoned(RUNS)
    with embedded_servers.started(RUN, database=EMBED_DATABASE, broker=EMBED_REDIS):
        empty_redis()
        yield
    shutil.rmtree(RUN, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(
    servers: None,
    django_test_environment: None,
    django_db_use_migrations: bool,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """The test database, also for tests whose rows other processes must see."""
    if not django_db_use_migrations:
        settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    with django_db_blocker.unblock():
        if EMBED_DATABASE:
            forgo_fsync()
        keeps = EMBED_DATABASE and django_db_use_migrations
        made = set_up_database(KEPT if keeps else None)
        ensure_roles()
    yield
    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        teardown_databases(made, verbosity=0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed and "session_stacks" in getattr(item, "fixturenames", ()):
        report.sections += logs_of_running_stacks()
    return report
