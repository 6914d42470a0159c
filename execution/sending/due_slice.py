"""A slice whose task has come, read with what the market has to be asked about."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import QuerySet

from deepstack.database.prepared_query import Param, Prepared, looking_ahead
from execution.context import Context
from execution.domain.exchange_time import exchange_midnight
from execution.models import Slice
from execution.risk import marks


def _due(extra: Mapping[str, Any]) -> "QuerySet[Slice, Any]":
    read = Slice.objects.select_related("order").defer("explanation")
    return read.annotate(**marks.SET_BY_HAND, **extra).filter(pk=Param("slice", 0))


_DUE = Prepared[Slice](partial(_due, {}), many=True)
_DUE_WITH_TRADED = Prepared[Slice](partial(_due, marks.TRADED), many=True)


def read(slice_ids: Sequence[int], context: Context, *, now: datetime) -> list[Slice]:
    """As they were at one moment; their orders' locks come later. Unknown ids are left out."""
    query = _DUE if context.config.limits.max_daily_loss is None else _DUE_WITH_TRADED
    wanted = [{"slice": each, "midnight": exchange_midnight(now)} for each in slice_ids]
    with looking_ahead():
        if len(wanted) > 1:
            query.read_ahead(wanted)
        return [part for each in wanted for part in query.all(**each)]
