"""Plain SVG of curves over the hours of a day, readable on light and on dark paper."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate

WIDTH, HEIGHT = 760, 330
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 64, 34  # around the curves
# Of middling lightness, so that each has contrast to white and to near black.
INK, GRID = "#7d8590", "#7d859055"
BLUE, ORANGE = "#3b82f6", "#e8833a"

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """`points` from left to right. `stepped`: a value holds until the next point; `dots`: only the
    points themselves."""

    label: str
    colour: str
    points: Sequence[Point]
    dashed: bool = False
    stepped: bool = False
    dots: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high`, with the ticks and what stands at them."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]

    def part(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)


def picture(title: str, subtitle: str, curves: Sequence[Curve], across: Axis, up: Axis) -> str:
    """The text of the file."""
    look = f"font-family='system-ui, sans-serif' font-size='12' fill='{INK}' role='img'"
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' {look}>",
        f"<title>{escape(title)}: {escape(subtitle)}</title>",
        _text(LEFT, 18, title, "font-size='14' font-weight='600'"),
        _text(LEFT, 36, subtitle),
        *_legend(curves),
        *_grid(across, up),
        *(_drawn(curve, across, up) for curve in curves),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.part(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.part(value) * (HEIGHT - TOP - BOTTOM)


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {more}>{escape(words)}</text>".replace(" >", ">")


def _legend(curves: Sequence[Curve]) -> Iterable[str]:
    widths = [44 + 6.4 * len(curve.label) for curve in curves]
    starts = accumulate(widths, initial=float(LEFT))
    for curve, x in zip(curves, starts, strict=False):
        if curve.dots:
            yield f"<circle cx='{x + 11:.1f}' cy='51' r='3.5' fill='{curve.colour}'/>"
        else:
            yield _path(f"M{x:.1f} 51h22", curve)
        yield _text(x + 28, 55, curve.label)


def _grid(across: Axis, up: Axis) -> Iterable[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value, words in up.ticks:
        y = _y(up, value)
        yield f"<path d='M{LEFT} {y:.1f}H{right}' stroke='{GRID}'/>"
        yield _text(LEFT - 8, y + 4, words, "text-anchor='end'")
    for value, words in across.ticks:
        x = _x(across, value)
        yield f"<path d='M{x:.1f} {bottom}v5' stroke='{INK}'/>"
        yield _text(x, bottom + 20, words, "text-anchor='middle'")


def _drawn(curve: Curve, across: Axis, up: Axis) -> str:
    places = [(_x(across, x), _y(up, y)) for x, y in curve.points]
    if curve.dots:
        dots = (f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5'/>" for x, y in places)
        return f"<g fill='{curve.colour}'>{''.join(dots)}</g>"
    (x, y), *rest = places
    if curve.stepped:
        steps = "".join(f"H{x:.1f}V{y:.1f}" for x, y in rest)
        return _path(f"M{x:.1f} {y:.1f}{steps}", curve)
    return _path(f"M{x:.1f} {y:.1f}L" + " ".join(f"{x:.1f} {y:.1f}" for x, y in rest), curve)


def _path(way: str, curve: Curve) -> str:
    dashes = " stroke-dasharray='5 4'" if curve.dashed else ""
    width = 2.5 if curve.wide else 1.6
    return (
        f"<path d='{way}' fill='none' stroke='{curve.colour}' stroke-width='{width}' "
        f"stroke-linejoin='round'{dashes}/>"
    )
