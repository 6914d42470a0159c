"""Line charts as SVG, readable on light and on dark paper; the same input gives the same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH, HEIGHT = 7.6, 3.5  # inches
# Of middling lightness, so that each has contrast to white and to near black.
INK, BLUE, ORANGE = "#7d8590", "#3b82f6", "#e8833a"
STYLE = {
    "axes.edgecolor": INK,
    "axes.titlesize": 10,
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "deepstack",  # ids in the file, random otherwise
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}

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


def svg(title: str, subtitle: str, curves: Sequence[Curve], across: Axis, up: Axis) -> str:
    """The text of the file."""
    with rc_context(STYLE):
        figure = Figure((WIDTH, HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        axes.set_title(subtitle, loc="left", color=INK, pad=24)
        axes.set(xlim=(across.low, across.high), ylim=(up.low, up.high))
        axes.set_xticks([at for at, _ in across.ticks], [text for _, text in across.ticks])
        axes.set_yticks([at for at, _ in up.ticks], [text for _, text in up.ticks])
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color=INK, alpha=0.3, linewidth=0.8)
        axes.spines[["top", "left", "right"]].set_visible(False)
        for curve in curves:
            _draw(axes, curve)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=len(curves), frameon=False)
        text = StringIO()
        about = {"Title": f"{title}: {subtitle}", "Date": None, "Creator": None}
        figure.savefig(text, format="svg", transparent=True, metadata=about)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def _draw(axes: Axes, curve: Curve) -> None:
    axes.plot(
        [across for across, _ in curve.points],
        [up for _, up in curve.points],
        label=curve.label,
        color=curve.colour,
        linestyle="none" if curve.dots else "dashed" if curve.dashed else "solid",
        linewidth=2.2 if curve.wide else 1.4,
        marker="o" if curve.dots else None,
        markersize=5,
        drawstyle="steps-post" if curve.stepped else "default",
        clip_on=not curve.dots,
        zorder=2 + curve.wide,
    )
