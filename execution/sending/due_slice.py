"""A slice whose task has come, read with what the market has to be asked about."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import QuerySet

from deepstack.database.prepared_query import Param, Prepared, looking_ahead
from execution.context import Context
from execution.domain.exchange_time import exchange_midnight
from execution.models import Slice
from execution.risk import marks
from execution.sending.group_commit import GroupCommit


def _due(extra: Mapping[str, Any]) -> "QuerySet[Slice, Any]":
    read = Slice.objects.select_related("order").defer("explanation")
    return read.annotate(**marks.SET_BY_HAND, **extra).filter(pk=Param("slice", 0))


_DUE = Prepared[Slice](partial(_due, {}), many=True)
_DUE_WITH_TRADED = Prepared[Slice](partial(_due, marks.TRADED), many=True)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """`with_traded`: and what its account has traded since `midnight`."""

    slice_id: int
    midnight: datetime
    with_traded: bool

    @property
    def keys(self) -> Mapping[Hashable, object]:
        """Each thread gets an instance of its own."""
        return {self.slice_id: object(), "with_traded": self.with_traded}

    @property
    def query(self) -> Prepared[Slice]:
        return _DUE_WITH_TRADED if self.with_traded else _DUE

    @property
    def values(self) -> dict[str, object]:
        return {"slice": self.slice_id, "midnight": self.midnight}


def read(slice_id: int, context: Context, *, now: datetime) -> Slice | None:
    """As it was at one moment, perhaps read together with others; its order's lock comes later."""
    with_traded = context.config.limits.max_daily_loss is not None
    wanted = _Wanted(slice_id, exchange_midnight(now), with_traded)
    return _reads.do(wanted, most=context.config.execution.scheduling.set_size)


def _read_by_itself(wanted: _Wanted) -> Slice | None:
    return wanted.query.first(**wanted.values)


def _read_together(all_wanted: Sequence[_Wanted]) -> list[Slice | None]:
    with looking_ahead():
        all_wanted[0].query.read_ahead(each.values for each in all_wanted)
        return [_read_by_itself(each) for each in all_wanted]


_reads = GroupCommit[_Wanted, "Slice | None"](_read_together, _read_by_itself)
