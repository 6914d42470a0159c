"""Orders, slices, fills and costs as pandas frames, for a notebook or a script.

Works inside a coroutine as well, so in a notebook, whose event loop runs.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepstack import django_setup

django_setup.ensure()

import pandas as pd  # noqa: E402
from django.db import models  # noqa: E402
from django.db.models import F, QuerySet  # noqa: E402
from django.db.models.functions import Coalesce  # noqa: E402

from deepstack.sync_bridge import off_loop  # noqa: E402
from execution.domain.exchange_time import day_begins, exchange_day  # noqa: E402
from execution.models import Fill, Order, Slice  # noqa: E402
from monitoring.clocks import Moment  # noqa: E402
from monitoring.models import CostAnalysis, OrderReplay  # noqa: E402
from monitoring.trading_days import readable  # noqa: E402

__all__ = ["to_frame"]

ORDER_TERMS = {"account", "strategy", "symbol", "side", "algorithm"}


@dataclass(frozen=True, slots=True)
class Source:
    """`order` is the way from the model to the order; its terms come with each row. `left_out` are
    fields that no analysis wants."""

    model: type[models.Model]
    order: str
    left_out: frozenset[str] = frozenset()


SOURCES: Mapping[str, Source] = {
    "orders": Source(Order, "", frozenset({"asked", "own_settings", "routing", "parameters"})),
    "slices": Source(Slice, "order", frozenset({"claim_token", "explanation"})),
    "fills": Source(Fill, "order"),
    "costs": Source(CostAnalysis, "order", frozenset({"event_id", "attempts"})),
    "replays": Source(OrderReplay, "order", frozenset({"assumes"})),
}


@off_loop
def to_frame(
    what: str,
    *,
    first: dt.date | str | None = None,
    last: dt.date | str | None = None,
    account: str = "",
) -> pd.DataFrame:
    """The rows of orders that ended from `first` to `last`, or are live and were made then.

    Exchange dates, as `YYYY-MM-DD` or dates, both included; by default today. `what` is orders,
    slices, fills, costs or replays; each row but an order's has the order's id and terms. Prices,
    money and basis points are floats (+ = cost), missing ones NaN; shares are whole numbers; times
    are in UTC, with their zone. ValueError names what was asked wrongly.
    """
    source = SOURCES.get(what)
    if source is None:
        raise ValueError(f"what: one of {', '.join(SOURCES)} is needed, got {what!r}")
    rows = _rows(source, *_days(first, last), account)
    fields = _fields(source)
    names = [name for name, _ in fields]
    found = pd.DataFrame(list(rows.values_list(*names)), columns=names)
    typed = {name: _typed(found[name], field) for name, field in fields}
    frame = pd.DataFrame(typed, columns=names).rename(columns=_plain)
    return frame.set_index("order_id" if "id" not in frame.columns else "id")


def _rows(source: Source, first: dt.date, last: dt.date, account: str) -> QuerySet[Any]:
    order = f"{source.order}__" if source.order else ""
    ended = Coalesce(F(f"{order}finished_at"), F(f"{order}created_at"))
    rows = source.model._default_manager.annotate(ended=ended).filter(
        ended__gte=day_begins(first), ended__lt=day_begins(last + dt.timedelta(days=1))
    )
    if account:
        rows = rows.filter(**{f"{order}account": account})
    return rows.order_by("pk")


def _fields(source: Source) -> Sequence[tuple[str, "models.Field[Any, Any]"]]:
    own = [
        (field.attname, field)
        for field in source.model._meta.concrete_fields
        if field.name not in source.left_out
    ]
    if not source.order:
        return own
    known = {name for name, _ in own}
    terms = [field for field in Order._meta.concrete_fields if field.name in ORDER_TERMS]
    return [*own, *((f"order__{each.name}", each) for each in terms if each.name not in known)]


def _typed(column: "pd.Series[Any]", field: "models.Field[Any, Any]") -> "pd.Series[Any]":
    if isinstance(field, models.DecimalField | models.FloatField):
        return column.astype("float64")
    if isinstance(field, models.DateTimeField):
        return pd.to_datetime(column, utc=True)
    if isinstance(field, models.IntegerField | models.ForeignKey):
        return column.astype("Int64" if field.null else "int64")
    return column


def _plain(name: str) -> str:
    return name.removeprefix("order__")


def _days(first: dt.date | str | None, last: dt.date | str | None) -> tuple[dt.date, dt.date]:
    today = exchange_day(Moment.read().now)
    begin = _day("first", first if first is not None else last or today)
    end = _day("last", last if last is not None else max(begin, today))
    if end < begin:
        raise ValueError(f"last: must not be before {begin}, got {end}")
    return begin, end


def _day(name: str, value: dt.date | str) -> dt.date:
    try:
        return readable(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
