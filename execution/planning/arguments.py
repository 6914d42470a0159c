"""The arguments of the Python classes, as fields of a signal; errors name the arguments."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from execution.domain.reading import Reader
from execution.domain.signal import InvalidSignal, as_written

# Fields of a signal that are written otherwise.
ROUTER = {
    "side": "action",
    "decision_price": "current_price",
    "average_daily_volume": "avg_daily_volume",
    "window_minutes": "time_window_minutes",
    "slices": "num_slices",
}
EXECUTOR = ROUTER | {"quantity": "total_quantity"}


@contextmanager
def read_as_signal(
    arguments: Mapping[str, object], controls: Mapping[str, object], names: Mapping[str, str]
) -> Iterator[dict[str, object]]:
    """The fields of a signal; within, InvalidSignal names what the caller wrote.

    `controls` are further fields, by their own names. What they say again, or by the name that a
    signal has for an argument, would take the argument's place: InvalidSignal.
    """
    fields = {argument: field for field, argument in names.items()}
    said = {fields.get(name, name): value for name, value in arguments.items()}
    again = [name for name in controls if name in said]
    if again:
        raise InvalidSignal(
            {
                name: f"is not taken here; {names[name]} says it"
                if name in names
                else f"is not taken here: it is {said[name]}"
                for name in again
            }
        )
    with as_written(names):
        yield {**said, **controls}


def checked(name: str, value: object, read: Reader) -> Any:
    """The value as it is read; ValueError names the argument. None is "not given"."""
    try:
        return None if value is None else read(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
