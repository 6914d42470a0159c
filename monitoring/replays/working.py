"""An order worked again on a recorded tape, as the service would have worked it: pure.

The plan, the size of each child, its limit and the participation cap come from the rules that live
orders go by. Every decision sees the tape up to its own moment; only fills see more. The same terms
on the same tape end alike, always: nothing is random but the plan, which has the order's seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from execution.domain.algorithms import registry
from execution.domain.algorithms.base import PlannedSlice, Spec
from execution.domain.algorithms.registry import ALGOS
from execution.domain.child_sizing import Target, next_child, retarget
from execution.domain.limit_prices import is_good, marketable_limit, round_away, stricter
from execution.domain.participation import Pace
from execution.domain.volume_forecast import USUAL, Constants, dynamic_target, volume_ahead
from execution.domain.volume_grid import aimed_at, believed
from execution.market.base import Quote, minute_volumes, volume_since
from monitoring.replays.exchange import Exchange, Market
from monitoring.replays.tape import Tape

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Expected:
    """Shares that the session was expected to trade: usually, and on that day; see
    `volume_forecast.dynamic_target`."""

    daily_volume: float | None
    today: float | None
    constants: Constants = USUAL


@dataclass(frozen=True, slots=True)
class Terms:
    """One way to work an order. `spec` has its size, window, profile and seed; `limit` and
    `would_price` are the order's own. `pace`: what of the market's volume it may be; None: no cap.
    `expected`: what today's volume is told from; None where the plan stands as it was made.
    `tolerance_bps` beyond the far touch and `collar` around the mid bound a child's price."""

    algorithm: str
    side: str
    spec: Spec
    tolerance_bps: Decimal
    collar: Decimal
    limit: Decimal | None = None
    would_price: Decimal | None = None
    pace: Pace | None = None
    expected: Expected | None = None

    @property
    def side_sign(self) -> int:
        return 1 if self.side == "BUY" else -1


def work(terms: Terms, tape: Tape, market: Market) -> Exchange:
    """The order's executions. Raises ValueError for bounds of slices that no plan fits."""
    run = _Run(terms, tape, Exchange(terms.side, tape, market))
    plan = ALGOS[terms.algorithm].plan(terms.spec)
    for part, following in zip(plan, [*plan[1:], None], strict=True):
        run.slice(part, following, len(plan) - part.sequence)
    return run.exchange


@dataclass
class _Run:
    terms: Terms
    tape: Tape
    exchange: Exchange
    aimed: int = 0  # what the slices before should have done

    def slice(self, part: PlannedSlice, following: PlannedSlice | None, left: int) -> None:
        target = self._target(part, following)
        self.aimed = target.cumulative
        at: datetime | None = part.due_at
        while at is not None:
            at = self._try(part, target, at, left, last=following is None)

    def _try(
        self, part: PlannedSlice, target: Target, at: datetime, left: int, *, last: bool
    ) -> datetime | None:
        """Send the slice's child; when to try again, where the cap keeps most of it back."""
        quote = self.exchange.quote(at)
        if quote is None or quote.halt is not None:
            return self._next_minute(at, part)
        wanted = self._size(target, left, good=self._is_good(quote))
        allowed = self._allowed(wanted, at, last=last)
        again = self._next_minute(at, part)
        waits = allowed * 2 < wanted and not registry.of(self.terms.algorithm).follows_tape
        if again is not None and wanted and (waits or not allowed):
            return again
        if allowed:
            self.exchange.send(allowed, self._limit(quote), at=at, until=part.end_at)
        return None

    @staticmethod
    def _next_minute(at: datetime, part: PlannedSlice) -> datetime | None:
        following = at.replace(second=0, microsecond=0) + MINUTE
        return following if following < part.end_at else None

    def _target(self, part: PlannedSlice, following: PlannedSlice | None) -> Target:
        spec = self.terms.spec
        if registry.of(self.terms.algorithm).follows_tape:
            return Target(spec.quantity, spec.quantity)
        if self.terms.expected is None:
            return Target(part.quantity, part.cumulative_quantity)
        until = aimed_at(part.due_at, following.due_at) if following else spec.end
        share = dynamic_target(
            spec.profile,
            spec.session,
            start=spec.start,
            end=spec.end,
            until=until,
            **self._seen(part.due_at),
        )
        return retarget(quantity=spec.quantity, share=share, before=self.aimed, lot=spec.lot)

    def _seen(self, now: datetime) -> Mapping[str, Any]:
        """What is known of the session's volume, as `volume_forecast` takes it."""
        session, expected = self.terms.spec.session, self.terms.expected or Expected(None, None)
        return {
            "minutes": believed(minute_volumes(self.tape.ended(now), session, now=now)),
            "minutes_from": session.open,
            "daily_volume": expected.daily_volume,
            "today": expected.today,
            "constants": expected.constants,
        }

    def _size(self, target: Target, left: int, *, good: bool) -> int:
        spec = self.terms.spec
        return next_child(
            quantity=spec.quantity,
            filled=self.exchange.filled,
            working=0,
            planned=target.planned,
            cumulative=target.cumulative,
            slices_left=left,
            lot=spec.lot,
            min_slice=spec.min_slice,
            max_slice=spec.max_slice,
            good_price=good,
        ).quantity

    def _is_good(self, quote: Quote) -> bool:
        price, sign = self.terms.would_price, self.terms.side_sign
        far = quote.ask if sign > 0 else quote.bid
        return price is not None and is_good(side_sign=sign, far_touch=far, would_price=price)

    def _allowed(self, wanted: int, at: datetime, *, last: bool) -> int:
        """What the cap leaves of a child, in whole lots and not below the smallest slice."""
        pace, spec = self.terms.pace, self.terms.spec
        if pace is None:
            return wanted
        traded = volume_since(self.tape.ended(at), spec.start)
        most = pace.shares(traded, self._ahead(at) if last else 0.0) + spec.lot
        allowed = min(max(most - self.exchange.filled, 0), wanted)
        if allowed == wanted:
            return wanted
        whole = allowed // spec.lot * spec.lot
        return whole if whole >= spec.min_slice else 0

    def _ahead(self, at: datetime) -> float:
        """What the last child of an order that follows the tape to the close counts on."""
        spec = self.terms.spec
        follows = registry.of(self.terms.algorithm).follows_tape
        if not follows or self.terms.expected is None or spec.end < spec.session.close:
            return 0.0
        return volume_ahead(
            spec.profile, spec.session, since=spec.start, until=spec.session.close, **self._seen(at)
        )

    def _limit(self, quote: Quote) -> Decimal:
        terms, sign = self.terms, self.terms.side_sign
        if registry.of(terms.algorithm).rests:
            near = quote.bid if sign > 0 else quote.ask
            return round_away(terms.limit or near, sign)
        far, would = quote.ask if sign > 0 else quote.bid, terms.would_price
        return marketable_limit(
            side_sign=sign,
            far_touch=far,
            tolerance_bps=terms.tolerance_bps,
            reference=quote.mid,
            collar=terms.collar,
            parent_limit=stricter(sign, terms.limit, would if self._is_good(quote) else None),
        )
