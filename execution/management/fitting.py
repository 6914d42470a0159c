"""Tables that fit their terminal: what is drawn shrinks, columns that can be spared are left out,
and no figure is ever cut."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table
from rich.text import Text

GAP = 2
LEAST_DRAWN = 4  # cells; what has less room is not drawn


@dataclass(frozen=True, slots=True)
class Column:
    """`spare`: 0 stays, the highest is left out first. `drawn`: at most so many cells of a
    picture, which is asked for with the cells that it has."""

    name: str
    justify: Literal["left", "right"] = "right"
    spare: int = 0
    drawn: int = 0


Picture = Callable[[int], Text]
Cell = str | Text | Picture


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int) -> Table:
    """A cell of a drawn column is a Picture, every other one a text."""
    widths = [_width(column, [row[place] for row in rows]) for place, column in enumerate(columns)]
    kept = _kept(columns, widths, width)
    room = width - sum(widths[place] + GAP for place in kept if not columns[place].drawn) + GAP
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), collapse_padding=True)
    shown = [place for place in kept if not columns[place].drawn or room - GAP >= LEAST_DRAWN]
    for place in shown:
        column = columns[place]
        table.add_column(
            column.name if not column.drawn else "", justify=column.justify, no_wrap=True
        )
    for row in rows:
        table.add_row(*(_shown(row[place], columns[place], room - GAP) for place in shown))
    return table


def _width(column: Column, cells: Sequence[Cell]) -> int:
    texts = [cell for cell in cells if isinstance(cell, str | Text)]
    return max(len(column.name), *(len(text) for text in texts), 0) if not column.drawn else 0


def _kept(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    kept = [place for place, _ in enumerate(columns)]
    spared = sorted((c.spare, place) for place, c in enumerate(columns) if c.spare)
    while spared and sum(widths[p] + GAP for p in kept if not columns[p].drawn) - GAP > width:
        kept.remove(spared.pop()[1])
    return kept


def _shown(cell: Cell, column: Column, room: int) -> str | Text:
    return cell if isinstance(cell, str | Text) else cell(min(room, column.drawn))
