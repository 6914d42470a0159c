"""Many new rows that differ in a few columns."""

from collections.abc import Iterable, Mapping
from copy import copy
from typing import TypeVar

from django.db.models import Model
from django.db.models.base import ModelState

M = TypeVar("M", bound=Model)


def rows_alike(pattern: M, differences: Iterable[Mapping[str, object]]) -> list[M]:
    """For each of `differences` a new row as `pattern` is, but for these columns.

    Without Model.__init__, which sends two signals and asks each field: most of what a new slice
    costs in Python. Dicts and lists are copied, one level deep; related rows are shared.
    """
    model = type(pattern)
    common = {name: value for name, value in vars(pattern).items() if name != "_state"}
    containers = [name for name, value in common.items() if isinstance(value, dict | list)]

    def row(different: Mapping[str, object]) -> M:
        made = model.__new__(model)
        made._state = ModelState()
        made._state.fields_cache = dict(pattern._state.fields_cache)
        values = vars(made)
        values.update(common)
        for name in containers:
            values[name] = copy(values[name])
        values.update(different)
        return made

    return [row(different) for different in differences]
