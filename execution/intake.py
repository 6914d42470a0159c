"""From a signal to a stored order: routed, checked, planned, written, rung for."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from execution import bells, halts, limits, marks, pacing, price_tags, profiles, risk
from execution.desk import Desk
from execution.domain import routing
from execution.domain.algos import ALGOS, Spec
from execution.domain.checks import Denial
from execution.domain.lifecycle import OrderStatus
from execution.domain.plan import PlannedSlice
from execution.domain.pricing import round_away
from execution.domain.routing import Route, Thresholds
from execution.domain.session import Session
from execution.domain.signal import InvalidSignal, Signal, parse
from execution.exposure import Moment
from execution.market import clock
from execution.market.base import Quote
from execution.models import Order, Slice, TradingState
from execution.orders import Draft, ReferenceTaken, existing, store, told
from execution.price_tags import Knowledge
from execution.profiles import Known
from execution.risk import Priced
from execution.windows import Window, ends_of, usual_slices, window_of

PAST_TOLERANCE = timedelta(seconds=2)  # of the wall clock, for signals under way


def accept(
    values: Mapping[str, object], desk: Desk, *, thresholds: Thresholds | None = None
) -> Order:
    """Store one signal as an order, DENIED if the rules refuse it.

    The same client reference again gives the same order. Raises InvalidSignal, and then nothing
    is stored.
    """
    return accept_all([values], desk, thresholds=thresholds)[0]


def draft(
    values: Mapping[str, object],
    desk: Desk,
    *,
    thresholds: Thresholds | None = None,
    replacing: Order | None = None,
) -> Draft:
    """The signal as the order that it would become now; nothing is stored. Raises InvalidSignal.

    The order that it would be `replacing` does not count against it.
    """
    [signal] = _parse_all([values], desk.config.account)
    rules = _Rules.read(desk)
    drafting = _Drafting(
        desk, desk.now(), thresholds or _configured(desk), rules, replacing=replacing
    )
    return drafting.draft(signal)


def accept_all(
    batch: Sequence[Mapping[str, object]], desk: Desk, *, thresholds: Thresholds | None = None
) -> list[Order]:
    """Store a batch in one transaction: all of it, or with InvalidSignal nothing.

    Errors are keyed by `index.field` when the batch has more than one signal.
    """
    signals = _parse_all(batch, desk.config.account)
    for _ in range(3):
        known = existing((signal.account, signal.client_reference) for signal in signals)
        now = desk.now()
        drafting = _Drafting(desk, now, thresholds or _configured(desk), _Rules.read(desk))
        slots = _slots(signals, known, drafting)
        drafts = list({id(slot): slot for slot in slots if isinstance(slot, Draft)}.values())
        for draft in drafts:
            code = draft.order.routing.get("denial", {}).get("code", "")
            risk.stop_runaway(draft.order, code, draft.order.status_reason)
        horizon = desk.config.execution.scheduling.horizon_seconds
        try:
            store(drafts, horizon_end=bells.horizon_end(now, horizon))
        except ReferenceTaken:
            continue  # another process stored it first: it is known at the next look
        return [slot.order if isinstance(slot, Draft) else slot for slot in slots]
    raise RuntimeError("a client reference kept changing hands; send the signal again")


def _parse_all(batch: Sequence[Mapping[str, object]], account: str) -> list[Signal]:
    signals: list[Signal] = []
    errors: dict[str, str] = {}
    for index, values in enumerate(batch):
        try:
            signal = parse(values)
            signals.append(signal if signal.account else replace(signal, account=account))
        except InvalidSignal as error:
            prefix = f"{index}." if len(batch) > 1 else ""
            errors |= {f"{prefix}{name}": text for name, text in error.errors.items()}
    if errors:
        raise InvalidSignal(errors)
    return signals


def _slots(
    signals: Sequence[Signal], known: Mapping[tuple[str, str], Order], drafting: "_Drafting"
) -> list[Draft | Order]:
    """For each signal the order that exists, or a draft; one draft for one reference."""
    slots: list[Draft | Order] = []
    drafted: dict[tuple[str, str], Draft] = {}
    for signal in signals:
        key = (signal.account, signal.client_reference or "")
        slot = known.get(key) or drafted.get(key) if signal.client_reference else None
        if slot is None:
            slot = drafting.draft(signal)
            drafted[key] = slot
        else:
            _same_or_refuse(signal, slot.order if isinstance(slot, Draft) else slot)
        slots.append(slot)
    return slots


def _same_or_refuse(signal: Signal, order: Order) -> None:
    if (signal.symbol, signal.side, signal.quantity) != (order.symbol, order.side, order.quantity):
        raise InvalidSignal(
            {
                "client_reference": f"{signal.client_reference!r} belongs to another order: "
                f"{order.side} {order.quantity:,} {order.symbol}"
            }
        )


def _configured(desk: Desk) -> Thresholds:
    rules = desk.config.execution.routing
    return Thresholds(rules.small_order_threshold, rules.large_order_threshold)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What people have decided about trading, read once for a batch."""

    states: tuple[TradingState, ...]
    book: limits.Book
    marks_for: marks.Asked

    @classmethod
    def read(cls, desk: Desk) -> "_Rules":
        return cls(halts.all_in_force(), limits.all_in_force(), marks.asked(desk))


@dataclass(frozen=True, slots=True)
class _Drafting:
    """Turns signals into drafts at one moment, with what that moment knows."""

    desk: Desk
    now: datetime
    thresholds: Thresholds
    rules: _Rules
    accepted: list[Order] = field(default_factory=list)
    known: dict[tuple[str, date], Known] = field(default_factory=dict)
    replacing: Order | None = None

    def draft(self, signal: Signal) -> Draft:
        start = signal.start_at or self.now
        if start < self.now - PAST_TOLERANCE * clock.speed():
            raise InvalidSignal(
                {"start_at": f"{start.isoformat()} is past; it is {self.now.isoformat()}"}
            )
        quote = self.desk.market.quote(signal.symbol, self.now)
        price = signal.decision_price or (quote.mid if quote else None)
        session = self.desk.market.session(start)
        order = self._order(signal, quote, start)
        if price is None:
            return self._denied(order, Denial("QUOTE_MISSING", {"symbol": signal.symbol}))
        if session is None:
            return self._denied(order, self._closed(start))
        route = routing.choose(
            asked=signal.algorithm,
            urgency=signal.urgency,
            notional=price * signal.quantity,
            regular_hours=session.is_regular(start),
            thresholds=self.thresholds,
        )
        order.algorithm = route.algorithm
        return self._routed(signal, order, route, session, quote, price)

    def _routed(
        self,
        signal: Signal,
        order: Order,
        route: Route,
        session: Session,
        quote: Quote | None,
        price: Decimal,
    ) -> Draft:
        if route.algorithm != "LIMIT" and not session.is_regular(order.start_at):
            numbers = {
                "algorithm": route.algorithm,
                "open": session.open.isoformat(),
                "close": session.close.isoformat(),
            }
            return self._denied(order, Denial("AFTER_HOURS_LIMIT_ONLY", numbers))
        config = self.desk.config.execution
        window = window_of(signal, route.algorithm, session, order.start_at, config)
        order.end_at = window.end
        if route.algorithm == "LIMIT" and order.limit_price is None:
            order.limit_price = _near_touch(order, quote, price)
        denial = self._refusal(order, quote, price)
        if denial is not None:
            return self._denied(order, denial)
        about = self._about(order, session, quote)
        most = self.desk.config.limits.max_slices
        if (signal.slices or 0) > most:
            raise InvalidSignal({"slices": f"must not exceed {most:,}, got {signal.slices:,}"})
        plan = self._plan(signal, route, window, order, about, price)
        estimate = price_tags.estimate(order, window.end, session, about, config)
        order.estimated_slippage_bps = estimate.bps
        order.slice_count = len(plan)
        ends = ends_of(signal, session, order.start_at, config)
        order.routing = {
            "algorithm": route.algorithm,
            "reason": route.reason,
            "notional": f"{price * signal.quantity:.2f}",
            "window": window.note,
            "estimate": {
                "bps": round(estimate.bps, 4),
                "spread_bps": round(estimate.spread_bps, 4),
                "impact_bps": round(estimate.impact_bps, 4),
                "basis": str(estimate.basis),
            },
            "alternatives": price_tags.price_tags(order, ends, session, about, quote, config),
        }
        if route.algorithm in ("VWAP", "POV"):
            order.routing["profile"] = about.known.told()
        self.accepted.append(order)
        return _accepted(order, plan)

    def _order(self, signal: Signal, quote: Quote | None, start: datetime) -> Order:
        return Order(
            pk=self.replacing.pk if self.replacing else None,
            account=signal.account,
            strategy=signal.strategy,
            client_reference=signal.client_reference,
            symbol=signal.symbol,
            side=signal.side,
            quantity=signal.quantity,
            urgency=signal.urgency,
            algorithm=signal.algorithm or "",
            parameters=_wishes(signal),
            limit_price=signal.limit_price,
            average_daily_volume=signal.average_daily_volume,
            start_at=start,
            end_at=start,
            seed=secrets.randbits(62),
            status=OrderStatus.ACCEPTED,
            decision_price=signal.decision_price,
            arrival_bid=quote.bid if quote else None,
            arrival_ask=quote.ask if quote else None,
            created_at=self.now,
        )

    def _denied(self, order: Order, denial: Denial) -> Draft:
        order.status = OrderStatus.DENIED
        order.status_reason = str(denial)[:300]
        order.finished_at = self.now
        order.routing = {"denial": {"code": denial.code, "numbers": dict(denial.numbers)}}
        return Draft(order, events=[told(order, "ORDER_DENIED", order.routing["denial"])])

    def _closed(self, start: datetime) -> Denial:
        opens = self.desk.market.next_session(start).open
        return Denial("MARKET_CLOSED", {"at": start.isoformat(), "next_open": opens.isoformat()})

    def _refusal(self, order: Order, quote: Quote | None, price: Decimal) -> Denial | None:
        wanted = self.rules.marks_for
        known = marks.read(order.account, order.symbol, self.desk, wanted=wanted, now=self.now)
        return risk.parent_denial(
            Moment(order, order.quantity, known, self.now, alongside=self.accepted),
            Priced(price, order.limit_price, quote),
            self.desk,
            book=self.rules.book,
            states=self.rules.states,
        )

    def _about(self, order: Order, session: Session, quote: Quote | None) -> Knowledge:
        """A market that never closes has no exchange whose sessions could have been learned."""
        key = order.symbol, session.day
        if key not in self.known:
            self.known[key] = (
                profiles.DEFAULT
                if session.always
                else profiles.profile_for(order.symbol, before=session.day)
            )
        return price_tags.knowledge(
            order, self.known[key], session, quote, self.desk.config.execution
        )

    def _plan(
        self,
        signal: Signal,
        route: Route,
        window: Window,
        order: Order,
        about: Knowledge,
        price: Decimal,
    ) -> tuple[PlannedSlice, ...]:
        execution = self.desk.config.execution
        spec = Spec(
            quantity=order.quantity,
            start=window.start,
            end=window.end,
            slices=signal.slices or usual_slices(route.algorithm, window, execution),
            session=window.session,
            profile=about.known.profile,
            seed=order.seed,
            jitter=timedelta(seconds=execution.twap.timing_randomization),
            participation=pacing.participation(order, execution),
            session_volume=about.session_volume,
            average_daily_volume=about.usual_volume,
            daily_volatility=about.known.daily_volatility,
            price=float(price),
            spread_bps=about.spread_bps,
            risk_aversion=execution.implementation_shortfall.risk_aversion,
        )
        try:
            return ALGOS[route.algorithm](spec)
        except ValueError as error:
            raise InvalidSignal({"slices": str(error)}) from None


def _wishes(signal: Signal) -> dict[str, object]:
    wishes = {
        "slices": signal.slices,
        "vwap_deviation_threshold": signal.vwap_deviation_threshold,
        "max_participation": signal.max_participation,
    }
    return {name: value for name, value in wishes.items() if value is not None}


def _near_touch(order: Order, quote: Quote | None, price: Decimal) -> Decimal:
    """A patient order joins its own side of the book."""
    if quote is None:
        return round_away(price, order.side_sign)
    return quote.bid if order.side_sign > 0 else quote.ask


def _accepted(order: Order, plan: Sequence[PlannedSlice]) -> Draft:
    # Unique for ever at the broker, across databases too; the seed only has to be reproducible.
    stem = secrets.token_hex(8)
    slices = [
        Slice(
            order=order,
            sequence=planned.sequence,
            due_at=planned.due_at,
            end_at=planned.end_at,
            planned_quantity=planned.quantity,
            cumulative_quantity=planned.cumulative_quantity,
            client_order_id=f"{stem}-{planned.sequence}",
        )
        for planned in plan
    ]
    facts = {
        "side": order.side,
        "quantity": order.quantity,
        "symbol": order.symbol,
        "start_at": order.start_at.isoformat(),
        "end_at": order.end_at.isoformat(),
        "limit_price": order.limit_price,
        "slices": len(plan),
        "seed": order.seed,
        **{name: told for name, told in order.routing.items() if name != "alternatives"},
    }
    return Draft(order, slices, [told(order, "ORDER_ACCEPTED", facts)])
