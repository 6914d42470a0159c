"""How many SQL statements an answer takes."""

from collections.abc import Callable

from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from execution.models import CalendarOverride, MarketHalt

# A process reads them anew once a second or a minute, whatever it is asked.
CACHED = [model._meta.db_table for model in (CalendarOverride, MarketHalt)]


def statements(ask: Callable[[], HttpResponse]) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert ask().status_code == 200
    said = [query["sql"] for query in captured.captured_queries]
    return sum(not any(f'"{table}"' in sql for table in CACHED) for sql in said)
