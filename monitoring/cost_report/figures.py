"""Figures of a report as people read them; what is not known is n/a. + is a cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from execution.domain import figures
from monitoring.cost_report.groups import Group
from monitoring.cost_report.measures import MEASURES, PARTS, Unit

NOT_KNOWN = "n/a"
HALF_DIGIT = 0.05  # less is shown as zero
SCALE = {Unit.BPS: 10_000, Unit.PERCENT: 100}


@dataclass(frozen=True, slots=True)
class Cell:
    """`text` with its margin of error in `more`; `sign` is + for a cost, - for a gain."""

    text: str
    more: str = ""
    sign: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """`narrow`: a terminal of 80 columns has it, too."""

    title: str
    meaning: str
    cell: Callable[[Group], Cell]
    narrow: bool = False


def mean(measure: str, group: Group) -> float | None:
    """In basis points or per cent, as the measure says."""
    rate = group.of(measure).rate
    return None if rate is None else float(rate) * SCALE[MEASURES[measure].unit]


def margin(measure: str, group: Group) -> float | None:
    """Half of the mean's 95 % interval, in the same unit."""
    half = group.of(measure).half_width
    return None if half is None else half * SCALE[MEASURES[measure].unit]


def measured(measure: str, group: Group) -> Cell:
    unit, found, half = MEASURES[measure].unit, mean(measure, group), margin(measure, group)
    if found is None:
        return Cell(NOT_KNOWN)
    if unit is Unit.PERCENT:
        return Cell(f"{found:.1f} %")
    more = f"± {half:.1f}" if half is not None else ""
    sign = "" if abs(found) < HALF_DIGIT else "+" if found > 0 else "-"
    return Cell(signed(found), more, sign)


def signed(bps: float | Decimal | None) -> str:
    return NOT_KNOWN if bps is None else figures.signed(bps)


def money(value: Decimal) -> str:
    """Dollars, rounded; thousands of millions are cut to millions."""
    return f"${value:,.0f}" if abs(value) < 10**9 else f"${value / 10**6:,.0f}m"


def _measure(name: str, *, narrow: bool = False) -> Column:
    measure = MEASURES[name]
    unit = "bps, " if measure.unit is Unit.BPS else ""
    meaning = unit + measure.meaning

    def cell(group: Group) -> Cell:
        return measured(name, group)

    return Column(measure.title, meaning, cell, narrow)


def _orders(group: Group) -> Cell:
    return Cell(f"{group.executed:,}")


def _value(group: Group) -> Cell:
    return Cell(money(group.value))


def _median(group: Group) -> Cell:
    return Cell(signed(group.median_bps))


def _filled(group: Group) -> Cell:
    rate = group.fill_rate
    return Cell(NOT_KNOWN if rate is None else f"{rate:.0%}")


def _shortfall(group: Group) -> Cell:
    shortfall = group.of("shortfall")
    return Cell(money(shortfall.cost) if shortfall.orders else NOT_KNOWN)


# What a table shows of each group. To show one more measure, add its line.
COLUMNS: Sequence[Column] = (
    Column("Orders", "with an execution", _orders, narrow=True),
    Column("Value", "executed", _value, narrow=True),
    Column("Filled", "shares executed over shares ordered", _filled),
    _measure("arrival", narrow=True),
    Column("Median", "bps against arrival, every order counting the same", _median),
    _measure("estimated", narrow=True),
    _measure("beyond_estimate"),
    _measure("vwap", narrow=True),
    _measure("twap"),
    _measure("close"),
    _measure("shortfall", narrow=True),
    _measure("spread_capture"),
    _measure("participation"),
)
# Of the implementation shortfall of each group, by cause.
SHORTFALL: Sequence[Column] = (
    _measure("shortfall"),
    *(_measure(part) for part in PARTS),
    Column("Money", "implementation shortfall, dollars", _shortfall),
)
