"""Charts of a report as SVG: plain text, no script, so that a file or a sheet of paper shows them.

Colours come from the style sheet of the page (`tca-` classes). Lengths are in units of the view
box, WIDTH wide; bps run from the left or the bottom, + = cost.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from math import ceil, floor, log10

from django.utils.safestring import SafeString, mark_safe

from execution.domain.figures import counted
from monitoring.cost_report import figures, spread
from monitoring.cost_report.groups import Group
from monitoring.cost_report.measures import MAIN, MEASURES, PARTS

WIDTH, HEIGHT = 460, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 38
MOST_LINES = 12
LINE = 22  # between two groups
LONGEST_NAME = 14


def distribution(group: Group) -> SafeString:
    """Orders by their cost against arrival."""
    bars = spread.bars(group.spread)
    highest = max((bar.orders for bar in bars), default=0)
    ticks = _ticks(0, max(highest, 1), whole=True)
    scale = _Scale(0, ticks[-1], HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT) / len(bars)
    drawn = [_level(scale, tick, f"{tick:,.0f}") for tick in ticks]
    for place, bar in enumerate(bars):
        kind = "cost" if bar.low is not None and bar.low >= 0 else "gain"
        x, title = LEFT + place * step, f"{_range(bar)}: {counted(bar.orders, 'order')}"
        drawn.append(_bar(x + 1, scale.at(bar.orders), step - 2, scale.at(0), kind, title))
        if bar.low is not None and bar.low % 10 == 0 and bar.high is not None:
            drawn.append(_text(x, HEIGHT - BOTTOM + 14, _level_of(bar.low), "middle"))
    drawn.append(_text(WIDTH - RIGHT, HEIGHT - 4, "bps against arrival", "end"))
    return _svg(f"{sum(bar.orders for bar in bars):,} orders by cost in basis points", drawn)


def by_day(days: Mapping[date, Group]) -> SafeString:
    """The cost against arrival of each day with its 95 % interval."""
    known = [(day, *_interval(group)) for day, group in days.items() if _mean(group) is not None]
    ticks = _ticks(*_bounds([edge for _, *edges in known for edge in edges]))
    scale = _Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT) / max(len(known), 1)
    drawn = [_level(scale, tick, _level_of(tick)) for tick in ticks]
    every = ceil(len(known) / 7)
    for place, (day, low, mean, high) in enumerate(known):
        middle, width = LEFT + (place + 0.5) * step, min(step * 0.7, 28)
        title = f"{day}: {mean:+.1f} bps"
        top, bottom = sorted((scale.at(mean), scale.at(0)))
        drawn.append(_bar(middle - width / 2, top, width, bottom, _kind(mean), title))
        drawn.append(_line(middle, scale.at(low), middle, scale.at(high), "tca-whisker"))
        if place % every == 0:
            drawn.append(_text(middle, HEIGHT - BOTTOM + 14, f"{day:%m-%d}", "middle"))
    drawn.append(_text(WIDTH - RIGHT, HEIGHT - 4, "ended on", "end"))
    return _svg("Cost against arrival by day, in basis points", drawn)


def by_group(groups: Sequence[tuple[str, Group]]) -> SafeString:
    """Each group's cost against arrival with its 95 % interval, and what was estimated."""
    known = [(name, group) for name, group in groups if _mean(group) is not None][:MOST_LINES]
    estimates = [figures.mean("estimated", group) for _, group in known]
    edges = [edge for _, group in known for edge in _interval(group)]
    ticks = _ticks(*_bounds([*edges, *(each for each in estimates if each is not None)]))
    left = 104
    scale = _Scale(ticks[0], ticks[-1], left, WIDTH - RIGHT)
    bottom = TOP + LINE * max(len(known), 1)
    drawn = [_upright(scale, tick, bottom) for tick in ticks]
    for place, ((name, group), estimate) in enumerate(zip(known, estimates, strict=True)):
        y = TOP + (place + 0.5) * LINE
        low, mean, high = _interval(group)
        title = f"{name}: {mean:+.1f} bps, estimated {figures.signed(estimate)}"
        drawn.append(_text(left - 8, y + 4, _short(name or "none"), "end"))
        drawn.append(_line(scale.at(low), y, scale.at(high), y, "tca-whisker"))
        if estimate is not None:
            drawn.append(_circle(scale.at(estimate), y, 4, "tca-estimate", title))
        drawn.append(_circle(scale.at(mean), y, 4.5, f"tca-{_kind(mean)}", title))
    drawn.append(_text(WIDTH - RIGHT, bottom + 30, "bps; ring: estimated", "end"))
    return _svg("Cost against arrival of each group, in basis points", drawn, bottom + BOTTOM)


def parts(group: Group) -> SafeString:
    """Implementation shortfall by cause, each part beginning where the one before ends."""
    means = [(MEASURES[name].title, figures.mean(name, group) or 0.0) for name in PARTS]
    steps, reached = [], 0.0
    for title, mean in means:
        steps.append((title, reached, reached + mean, mean))
        reached += mean
    steps.append(("Shortfall", 0.0, reached, reached))
    ticks = _ticks(*_bounds([edge for _, begin, end, _ in steps for edge in (begin, end)]))
    scale = _Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    width = (WIDTH - LEFT - RIGHT) / len(steps)
    drawn = [_level(scale, tick, _level_of(tick)) for tick in ticks]
    for place, (name, begin, end, mean) in enumerate(steps):
        x = LEFT + place * width
        top, bottom = sorted((scale.at(begin), scale.at(end)))
        title = f"{name}: {mean:+.1f} bps"
        drawn.append(_bar(x + 10, top, width - 20, bottom, _kind(mean), title))
        drawn.append(_text(x + width / 2, max(top - 4, TOP + 8), figures.signed(mean), "middle"))
        drawn.append(_text(x + width / 2, HEIGHT - BOTTOM + 14, name, "middle"))
    drawn.append(_text(WIDTH - RIGHT, HEIGHT - 4, "bps of the value at the decision price", "end"))
    return _svg("Implementation shortfall by cause, in basis points", drawn)


class _Scale:
    """From values to lengths, straight."""

    def __init__(self, low: float, high: float, begin: float, end: float) -> None:
        self.low, self.begin, self.end = low, begin, end
        self._step = (end - begin) / (high - low)

    def at(self, value: float) -> float:
        return self.begin + (value - self.low) * self._step


def _ticks(low: float, high: float, *, whole: bool = False) -> Sequence[float]:
    """Round numbers, four to eight, that begin at or below `low` and end at or above `high`."""
    raw = (high - low) / 4
    power = 10.0 ** floor(log10(raw))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= raw)
    step = max(step, 1.0) if whole else step
    first, last = floor(low / step), ceil(high / step)
    return [round(step * number, 10) for number in range(first, last + 1)]


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """Zero is always within, and there is something to either side of it to look at."""
    low, high = min([0.0, *values]), max([0.0, *values])
    return (low, high) if high - low > 0 else (-1.0, 1.0)


def _mean(group: Group) -> float | None:
    return figures.mean(MAIN, group)


def _interval(group: Group) -> tuple[float, float, float]:
    """Low, mean and high; all the same where there is no interval."""
    mean, half = _mean(group) or 0.0, figures.margin(MAIN, group) or 0.0
    return mean - half, mean, mean + half


def _level_of(tick: float) -> str:
    return f"{tick:+g}" if tick else "0"


def _kind(bps: float) -> str:
    return "cost" if bps > 0 else "gain"


def _range(bar: spread.Bar) -> str:
    if bar.low is None:
        return f"below {bar.high:+g} bps"
    return f"{bar.low:+g} bps or more" if bar.high is None else f"{bar.low:+g} to {bar.high:+g} bps"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def _svg(title: str, drawn: Sequence[str], height: float = HEIGHT) -> SafeString:
    box = f'viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}"'
    return mark_safe(f'<svg class="tca-chart" {box}>{"".join(drawn)}</svg>')  # noqa: S308  escaped


def _level(scale: _Scale, value: float, text: str) -> str:
    y = scale.at(value)
    kind = "tca-zero" if value == 0 else "tca-grid"
    return _line(LEFT, y, WIDTH - RIGHT, y, kind) + _text(LEFT - 6, y + 4, text, "end")


def _upright(scale: _Scale, value: float, bottom: float) -> str:
    x = scale.at(value)
    kind = "tca-zero" if value == 0 else "tca-grid"
    return _line(x, TOP, x, bottom, kind) + _text(x, bottom + 14, _level_of(value), "middle")


def _bar(x: float, top: float, width: float, bottom: float, kind: str, title: str) -> str:
    size = f'x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{bottom - top:.1f}"'
    return f'<rect class="tca-{kind}" {size}><title>{escape(title)}</title></rect>'


def _circle(x: float, y: float, radius: float, kind: str, title: str) -> str:
    place = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"'
    return f'<circle class="{kind}" {place}><title>{escape(title)}</title></circle>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
