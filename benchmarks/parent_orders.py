"""Parent orders of real sessions, worked again by the rules of the service on their tape."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from benchmarks.bars import MINUTE
from benchmarks.schedules import GRID
from benchmarks.stock_days import Case
from deepstack.config import Config
from execution.domain.algorithms import registry
from execution.domain.algorithms.base import Spec
from execution.domain.exchange_time import exchange_day
from execution.domain.own_impact import Liquidity
from execution.domain.participation import Pace
from execution.market.bar_files import BarRow, as_text, read_bars
from execution.market.base import TapeBar
from execution.planning.trading_window import Window, usual_slices
from monitoring.replays import outcome
from monitoring.replays.exchange import Market
from monitoring.replays.outcome import Outcome
from monitoring.replays.tape import Tape, quotes_of
from monitoring.replays.working import Expected, Terms, work

UNKNOWN_VOLATILITY = 0.02  # a day

Bars = Mapping[tuple[str, date], Sequence[TapeBar]]


def bars_of(path: Path) -> Bars:
    """Of every symbol and day; extended hours included."""
    found: dict[tuple[str, date], list[TapeBar]] = defaultdict(list)
    with path.open("rb") as raw, as_text(raw) as text:
        for row in read_bars(text, symbols=frozenset(), zone=None):
            found[row.symbol, exchange_day(row.start)].append(_bar(row))
    return found


def _bar(row: BarRow) -> TapeBar:
    return TapeBar(
        symbol=row.symbol,
        start=row.start,
        length=MINUTE,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        vwap=row.vwap or row.close,
    )


@dataclass(frozen=True)
class Parent:
    """One stock-day's order: `quantity` shares in [start, end), with the daily volatility known on
    the evening before."""

    case: Case
    tape: Tape
    volatility: float | None
    start: datetime
    end: datetime
    quantity: int
    config: Config

    def worked(self, algorithm: str, side: str) -> Outcome | None:
        """None where the market had no price yet when the order arrived. What is left undone is
        valued at the window's end."""
        arrival, final = self.tape.mid(self.start), self.tape.mid(self.end)
        if arrival is None or final is None:
            return None
        terms = self._terms(algorithm, side, float(arrival))
        done = work(terms, self.tape, self._market())
        return outcome.of(terms, done, self.tape, arrival=arrival, final=final)

    def _terms(self, algorithm: str, side: str, price: float) -> Terms:
        execution, kind = self.config.execution, registry.of(algorithm)
        routing, share = execution.routing, float(execution.pov.participation)
        follows = kind.dynamic or kind.follows_tape
        return Terms(
            algorithm=algorithm,
            side=side,
            spec=self._spec(algorithm, price),
            tolerance_bps=(
                routing.urgent_tolerance_bps if kind.urgent else routing.child_tolerance_bps
            ),
            collar=self.config.limits.price_collar,
            pace=(
                Pace(share, share * (1 + execution.pov.close_allowance))
                if kind.follows_tape
                else None
            ),
            expected=Expected(self.case.mean_volume, self.case.expected) if follows else None,
        )

    def _spec(self, algorithm: str, price: float) -> Spec:
        execution, kind = self.config.execution, registry.of(algorithm)
        end = self.end
        if kind.urgent:
            end = self.start + timedelta(seconds=execution.routing.market_window_seconds)
        window = Window(self.start, end, self.case.session)
        return Spec(
            quantity=self.quantity,
            start=self.start,
            end=end,
            slices=usual_slices(algorithm, window, execution),
            session=self.case.session,
            profile=self.case.drawn,
            seed=self.start.toordinal(),
            jitter=timedelta(seconds=execution.twap.timing_randomization),
            participation=float(execution.pov.participation),
            session_volume=self.case.expected,
            average_daily_volume=self.case.mean_volume,
            daily_volatility=self.volatility,
            price=price,
            spread_bps=execution.slippage.base_spread_bps,
            risk_aversion=execution.implementation_shortfall.risk_aversion,
            grid=(replace(GRID, most=self.config.limits.max_slices) if kind.by_profile else None),
        )

    def _market(self) -> Market:
        paper = self.config.paper
        return Market(
            participation=paper.participation,
            displayed=paper.displayed_shares,
            coefficient=paper.impact.coefficient,
            half_life=timedelta(minutes=paper.impact.half_life_minutes),
            liquidity=Liquidity(self.case.mean_volume, self.volatility or UNKNOWN_VOLATILITY),
            commission_per_share=paper.commission_per_share,
            minimum_commission=paper.minimum_commission,
        )


def tape_of(case: Case, bars: Bars, config: Config) -> Tape:
    """Of the regular session, with quotes around the last bar's close."""
    day = [
        bar
        for bar in bars[case.symbol, case.session.day]
        if case.session.open <= bar.start < case.session.close
    ]
    spread = config.execution.slippage.base_spread_bps
    displayed = config.paper.displayed_shares
    return Tape(day, quotes_of(day, spread_bps=spread, displayed=displayed))
