"""A migration has the time that a request does not have, and its session none of it afterwards."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from deepstack.database import LIMITS
from deepstack.database.advisory_locks import MIGRATING, alone
from tests.stack import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]
NAMES = ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout")


class Stopped(Exception):
    pass


def limits() -> list[str]:
    with connection.cursor() as cursor:
        return [str(cursor.execute(f"SHOW {name}").fetchone()[0]) for name in NAMES]


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("fails", [False, True])
def test_a_migration_is_ended_by_no_limit_but_that_on_locks(atomic: bool, fails: bool) -> None:
    usual = [LIMITS[name] for name in NAMES]
    assert limits() == usual
    with suppress(Stopped), connection.schema_editor(atomic=atomic):
        assert limits() == ["0", "0", LIMITS["lock_timeout"]]
        if fails:
            raise Stopped
    assert limits() == usual


def test_the_statements_that_are_shown_before_a_migration_are_the_migrations_own() -> None:
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        editor.execute("SELECT 1")
    assert editor.collected_sql == ["SELECT 1;"]


def test_of_two_migrates_at_once_the_second_waits_for_the_first() -> None:
    said = StringIO()

    def migrate() -> None:
        try:
            call_command("migrate", stdout=said, verbosity=1)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with alone(MIGRATING) as mine:
            assert mine
            other = threads.submit(migrate)
            wait_for(said.getvalue, 10, "a word of why nothing happens")
            assert said.getvalue() == "another migrate is running: waiting for its end\n"
        other.result(30)
    assert "No migrations to apply" in said.getvalue()
