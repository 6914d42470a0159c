"""Planned against executed shares over an order's window, in one line of a terminal."""

from collections.abc import Sequence

from rich.text import Text

LEVELS = "▁▂▃▄▅▆▇█"
PLAIN_LEVELS = "._-=+*%#"  # for a terminal without these characters
ON_PLAN = 0.98  # of the planned shares
AHEAD, BEHIND, TO_COME = "green", "yellow", "bright_black"


def sparkline(
    planned: Sequence[float],
    executed: Sequence[float],
    *,
    gone: int,
    width: int,
    plain: bool = False,
) -> Text:
    """Both are shares of the order, 0 to 1, at the ends of equal parts of its window, of which
    `gone` are over. What is over shows what was executed, in yellow where that is behind the plan;
    what is to come shows the plan."""
    line = Text()
    levels = PLAIN_LEVELS if plain else LEVELS
    parts = len(planned)
    for cell in range(width):
        part = max((cell + 1) * parts // width - 1, 0)  # the last one that the cell stands for
        over = part < gone
        share = executed[part] if over else planned[part]
        style = TO_COME if not over else AHEAD if share >= ON_PLAN * planned[part] else BEHIND
        line.append(levels[min(int(share * len(levels)), len(levels) - 1)], style)
    return line
