"""Other names that the fields of a signal are known by. Every door takes them on input."""

from collections.abc import Mapping

from execution.domain.reading import Reader, shown

# The field of the signal by its other name.
ALIASES: Mapping[str, str] = {
    "action": "side",
    "current_price": "decision_price",
    "avg_daily_volume": "average_daily_volume",
    "time_window_minutes": "window_minutes",
    "num_slices": "slices",
    "execution_type": "algorithm",
}


def resolve(
    values: Mapping[str, object], readers: Mapping[str, Reader]
) -> tuple[dict[str, object], dict[str, str], dict[str, str]]:
    """The values by the signal's own names; the aliases that were written, by field; and what is
    wrong, by alias: a field that two names give two values. None is "not given"."""
    fields = {name: value for name, value in values.items() if name not in ALIASES}
    written: dict[str, str] = {}
    errors: dict[str, str] = {}
    for alias, field in ALIASES.items():
        value = values.get(alias)
        if value is None:
            continue
        own = fields.get(field)
        if own is None:
            fields[field] = value
            written[field] = alias
        elif _read(own, readers[field]) != _read(value, readers[field]):
            errors[alias] = (
                f"means {field}, which is given as {shown(own)}; give one of the two,"
                f" got {shown(value)}"
            )
    return fields, written, errors


def written_in(values: Mapping[str, object]) -> dict[str, str]:
    """The aliases that stand for their fields in these values, by field."""
    return {
        field: alias
        for alias, field in ALIASES.items()
        if values.get(alias) is not None and values.get(field) is None
    }


def _read(value: object, reader: Reader) -> object:
    """What the value means; what cannot be read is only the same as itself."""
    try:
        return reader(value)
    except ValueError:
        return "unreadable", shown(value)
