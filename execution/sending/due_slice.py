"""A slice whose task has come, read with what the market has to be asked about."""

from collections.abc import Sequence

from django.db.models import DateTimeField, Func

from deepstack.database.prepared_query import Param, Prepared, looking_ahead
from execution.models import Slice
from execution.risk import marks

_DUE = Prepared[Slice](
    lambda: (
        Slice.objects.select_related("order")
        .defer("explanation")
        .annotate(
            **marks.SET_BY_HAND,
            read_at_real=Func(function="clock_timestamp", output_field=DateTimeField()),
        )
        .filter(pk=Param("slice", 0))
    ),
    many=True,
)


def read(slice_ids: Sequence[int]) -> list[Slice]:
    """As they were at one moment, `read_at_real` by the database's clock; their orders' locks come
    later. Unknown ids are left out."""
    wanted = [{"slice": each} for each in slice_ids]
    with looking_ahead():
        if len(wanted) > 1:
            _DUE.read_ahead(wanted)
        return [part for each in wanted for part in _DUE.all(**each)]
