"""A list of signals as comma-separated values: a head with the names of fields, an order a line."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

from execution.domain.field_aliases import ALIASES
from execution.domain.reading import shown
from execution.domain.signal import FIELDS, InvalidSignal

MOST_BYTES = 1_000_000
MOST_ORDERS = 1_000
_NEEDED = ("symbol", "side", "quantity")


@dataclass(frozen=True, slots=True)
class Line:
    """Where an order stands in the file, 1 is the head, and what its cells say; an empty one says
    nothing."""

    number: int
    values: Mapping[str, str]


def read(content: bytes) -> list[Line]:
    """Raises InvalidSignal that names the lines and what is wrong with them; the values themselves
    are read by the signal's own rules."""
    if len(content) > MOST_BYTES:
        raise _refused(f"must not exceed {MOST_BYTES:,} bytes, has {len(content):,}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(f"must be text in UTF-8, which byte {error.start:,} is not") from None
    rows = _rows(text)
    _, head = next(rows, (0, ()))
    names = _names(head)
    lines, errors = [], {}
    for number, cells in rows:
        if len(cells) != len(names):
            errors[f"line {number}"] = f"has {len(cells)} cells, the head has {len(names)}"
        given = zip(names, cells, strict=False)
        lines.append(Line(number, {name: cell for name, cell in given if cell}))
    if errors:
        raise InvalidSignal(errors)
    if not lines:
        raise _refused("has no orders below its head")
    if len(lines) > MOST_ORDERS:
        raise _refused(f"must not hold more than {MOST_ORDERS:,} orders, holds {len(lines):,}")
    return lines


def by_line(error: InvalidSignal, lines: Sequence[Line]) -> InvalidSignal:
    """A batch's errors, keyed by `index.field` or by `field` alone, with the lines' numbers."""
    named = {}
    for key, text in error.errors.items():
        index, _, field = key.partition(".") if len(lines) > 1 else ("0", "", key)
        named[f"line {lines[int(index)].number}, {field}"] = text
    refusal = InvalidSignal(named)
    refusal.left_out = error.left_out
    return refusal


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The number of a row's first line, and its cells without blanks around them; without rows
    that are empty."""
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    number = 1
    while True:
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidSignal({f"line {number}": f"cannot be read: {error}"}) from None
        if any(cells):
            yield number, cells
        number = reader.line_num + 1


def _names(head: Sequence[str]) -> Sequence[str]:
    names = [name.lower() for name in head]
    if not names:
        raise _refused("is empty")
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise _refused("must separate its columns by commas")
    known = {*FIELDS, *ALIASES}
    errors = {
        _column(place, name): "is no field of an order; the head names "
        f"{', '.join(_NEEDED)} and any of {', '.join(sorted(known - set(_NEEDED)))}"
        for place, name in enumerate(names, 1)
        if name not in known
    }
    errors |= {
        _column(place, name): "is there twice"
        for place, name in enumerate(names, 1)
        if name in names[: place - 1]
    }
    fields = {ALIASES.get(name, name) for name in names}
    errors |= {f"column {name}": "is missing" for name in _NEEDED if name not in fields}
    if errors:
        raise InvalidSignal(errors)
    return names


def _column(place: int, name: str) -> str:
    return f"column {place}, {shown(name)}"


def _refused(why: str) -> InvalidSignal:
    return InvalidSignal({"file": why})
