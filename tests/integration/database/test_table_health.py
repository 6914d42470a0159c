"""What the check of tables and indexes finds in a table that was mistreated."""

import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection

from deepstack.database import table_health
from deepstack.database.table_health import DEFAULT, Limits

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]

ROWS = 40_000
SMALL = replace(DEFAULT, dead_rows=1_000, changed_rows=1_000, wasted_bytes=100_000)


def sql(*statements: str) -> None:
    with connection.cursor() as cursor:
        for each in statements:
            cursor.execute(each)
            # Else PostgreSQL counts changes once a second.
            cursor.execute("SELECT pg_stat_force_next_flush()")


def rows_up_to(last: int, first: int = 1) -> str:
    return f"INSERT INTO mistreated SELECT n, 'BUY' FROM generate_series({first}, {last}) n"  # noqa: S608


@pytest.fixture
def mistreated() -> Iterator[None]:
    """A table of 40,000 rows that nobody vacuums by himself."""
    sql(
        "CREATE TABLE mistreated (id bigint PRIMARY KEY, side text NOT NULL)"
        " WITH (autovacuum_enabled = false)",
        rows_up_to(ROWS),
        "VACUUM (ANALYZE) mistreated",
    )
    yield
    sql("DROP TABLE mistreated")


def found(limits: Limits = SMALL) -> list[tuple[str, str]]:
    about = table_health.findings(limits)
    return [(each.words, each.remedy) for each in about if "mistreated" in str(each)]


@pytest.mark.usefixtures("mistreated")
def test_a_table_as_it_was_filled_is_in_order() -> None:
    assert found() == []
    table = next(each for each in table_health.tables() if each.name == "mistreated")
    assert (table.rows, table.dead) == (ROWS, 0)
    assert table.wasted is not None
    assert table.wasted < table.bytes * 0.01
    index = next(each for each in table_health.indexes() if each.name == "mistreated_pkey")
    assert index.valid
    assert index.wasted is not None
    assert index.wasted < index.bytes * 0.1


@pytest.mark.usefixtures("mistreated")
def test_dead_rows_are_to_be_vacuumed() -> None:
    sql("UPDATE mistreated SET side = 'SELL' WHERE id % 2 = 0")
    assert found() == [
        ("mistreated: 20,000 of 60,000 rows are dead", "VACUUM (ANALYZE) mistreated")
    ]
    assert found(replace(SMALL, dead_rows=20_000, changed_rows=20_000)) == []
    sql("VACUUM (ANALYZE) mistreated")
    assert found() == []


@pytest.mark.usefixtures("mistreated")
def test_what_the_planner_does_not_know_is_to_be_analysed() -> None:
    sql(rows_up_to(2 * ROWS, first=ROWS + 1))
    words = "mistreated: 40,000 changes since the planner last looked"
    assert found() == [(words, "ANALYZE mistreated")]


@pytest.mark.usefixtures("mistreated")
def test_empty_pages_of_table_and_index_are_to_be_given_back() -> None:
    sql("DELETE FROM mistreated WHERE id % 10 <> 0", "VACUUM (ANALYZE) mistreated")
    (table, repack), (index, reindex) = found()
    assert table.startswith("mistreated: about 2 MB of its pages are empty")
    assert repack.startswith("pg_repack --table mistreated, or VACUUM FULL mistreated")
    assert index == "mistreated_pkey: about 1 MB are empty"
    assert found(DEFAULT) == []  # not worth a person's time
    sql(reindex, "VACUUM FULL ANALYZE mistreated")
    assert found() == []


@pytest.mark.usefixtures("mistreated")
def test_an_index_that_was_never_finished_is_named_with_what_mends_it() -> None:
    name = "mistreated_side"
    with pytest.raises(IntegrityError):
        sql(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON mistreated (side)")
    remedy = f"REINDEX INDEX CONCURRENTLY {name}"
    assert found(DEFAULT) == [
        (f"{name} of mistreated was never finished and serves nobody", remedy)
    ]
    out = StringIO()
    with pytest.raises(CommandError, match="1 to be put right"):
        call_command("check_tables", stdout=out)
    assert remedy in out.getvalue()


def test_an_old_transaction_counter_is_told_of() -> None:
    words = {str(each) for each in table_health.findings(replace(DEFAULT, age=0))}
    assert any("execution_order:" in each and "VACUUM (FREEZE)" in each for each in words)


def test_every_table_and_index_that_was_just_vacuumed_is_in_order() -> None:
    sql("VACUUM (ANALYZE)")  # other tests have written here
    out = StringIO()
    call_command("check_tables", stdout=out)
    assert out.getvalue().splitlines()[1].split()[0] == table_health.tables()[0].name
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert out.getvalue().endswith("tables and indexes are in order\n")
    out = StringIO()
    call_command("check_tables", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert told["findings"] == []
    assert {"execution_fill", "execution_slice"} <= {each["name"] for each in told["tables"]}
    assert {each["table"] for each in told["indexes"]} >= {"execution_fill", "execution_slice"}
