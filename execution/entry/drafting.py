"""From a signal to a draft: routed, checked, planned; nothing is stored."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from execution.access import desks
from execution.context import Context
from execution.domain import routing
from execution.domain.algorithm_comparison import Question, alternatives, rounded
from execution.domain.algorithms import registry
from execution.domain.algorithms.base import PlannedSlice
from execution.domain.event_kinds import EventKind
from execution.domain.field_aliases import written_in
from execution.domain.lifecycle import OrderStatus
from execution.domain.order_terms import terms_of
from execution.domain.risk_checks import Denial
from execution.domain.routing import Route, Thresholds
from execution.domain.session import Session
from execution.domain.signal import MOST_ERRORS, InvalidSignal, Signal, as_written, parse
from execution.market.base import Quote
from execution.models import Order, TradingState
from execution.orders import caller
from execution.orders.draft import Draft
from execution.orders.journal import first_event
from execution.planning import (
    broker_algos,
    cost_estimates,
    order_parameters,
    order_plan,
    price_rounding,
    residual,
    slice_rows,
)
from execution.planning.trading_window import Window, closed, ends_of, start_of, window_of
from execution.risk import (
    accounts,
    exposure,
    kill_switch,
    limits,
    marks,
    position_breaks,
    pretrade,
    value_check,
)
from execution.risk.checked_order import Book, CheckedOrder
from execution.risk.marks import NO_MARKS, Marks
from execution.risk.pretrade import Priced, Verdict


@dataclass(frozen=True, slots=True)
class Amended:
    """An order whose rest is planned anew: what of it is done already, in shares, and when it
    began. `asks_no_more`: neither more shares nor a worse price than it was accepted with."""

    order_id: int
    filled: int
    working: int
    began: datetime
    asks_no_more: bool = False


def draft(
    values: Mapping[str, object],
    context: Context,
    *,
    thresholds: Thresholds | None = None,
    amending: Amended | None = None,
) -> Draft:
    """The signal as the order that it would become now; nothing is stored. Raises InvalidSignal.

    With `amending` it is the rest of that order, which does not count against itself.
    """
    [signal] = _parse_all([values], context.config.account)
    rules = _Rules.read(context)
    drafting = _Drafting(
        context, context.now(), thresholds or _configured(context), rules, amending=amending
    )
    with as_written(written_in(values)):
        return drafting.draft(signal)


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
            if len(errors) > MOST_ERRORS:
                break
    if errors:
        raise InvalidSignal(errors)
    desks.require(signal.account for signal in signals)
    return signals


def _configured(context: Context) -> Thresholds:
    rules = context.config.execution.routing
    return Thresholds(rules.small_order_threshold, rules.large_order_threshold)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What people have decided about trading, read once for a batch."""

    states: tuple[TradingState, ...]
    limit_set: limits.LimitSet
    breaks: Mapping[tuple[str, str], tuple[str, str]]
    marks_for: marks.Needed
    accounts: Sequence[str]  # that the broker's login has

    @classmethod
    def read(cls, context: Context) -> "_Rules":
        limit_set = limits.all_in_force()
        return cls(
            kill_switch.all_in_force(),
            limit_set,
            position_breaks.all_open(context),
            marks.needed_by(limit_set.limits, context),
            accounts.of_login(context),
        )


@dataclass(frozen=True, slots=True)
class _Drafting:
    """Turns signals into drafts at one moment, with what that moment knows."""

    context: Context
    now: datetime
    thresholds: Thresholds
    rules: _Rules
    accepted: list[Order] = field(default_factory=list)
    knowing: order_plan.Knowing = field(default_factory=order_plan.Knowing)
    amending: Amended | None = None
    books: dict[str, Book] = field(default_factory=dict)  # by account

    def draft(self, signal: Signal) -> Draft:
        start = start_of(signal, self.now)
        quote = self.context.market.quote(signal.symbol, self.now)
        session = self.context.market.session(start)
        order = self._order(signal, quote, start)
        if foreign := accounts.refusal(order.account, self.rules.accounts):
            return self._denied(order, foreign)
        value = self._value(order, quote)
        if session is None:
            return self._denied(order, closed(self.context.market, at=start))
        route = (
            routing.settled(
                asked=signal.algorithm or ("LIMIT" if signal.native else None),
                urgency=signal.urgency,
                regular_hours=session.is_regular(start),
            )
            or self._by_cost(signal, order, session, quote)
            or routing.by_size(value, self.thresholds)
        )
        order.algorithm = route.algorithm
        return self._routed(signal, order, route, session, quote)

    def _by_cost(
        self, signal: Signal, order: Order, session: Session, quote: Quote | None
    ) -> Route | None:
        """The cheapest way, where the configuration wants that and enough is known."""
        config = self.context.config.execution
        if config.routing.mode != "cost":
            return None
        about = self.knowing.about(order, session, quote, self.context.config)
        question = cost_estimates.question(order, session, about, quote, config)
        ways = alternatives(question, ends_of(signal, session, order.start_at, config))
        return routing.by_cost(ways, config.routing.risk_weight)

    def _routed(
        self,
        signal: Signal,
        order: Order,
        route: Route,
        session: Session,
        quote: Quote | None,
    ) -> Draft:
        rests = registry.of(route.algorithm).rests and not signal.native
        if not rests and not session.is_regular(order.start_at):
            return self._denied(order, _after_hours(signal.native or route.algorithm, session))
        asked_start = order.start_at
        window = window_of(
            signal,
            route.algorithm,
            session,
            asked_start,
            self.context.config.execution,
            began=self.amending.began if self.amending else None,
        )
        order.start_at, order.end_at = window.start, window.end
        left_out = order_parameters.sift(order)
        if order_parameters.joins_the_book(order):
            order.limit_price = price_rounding.near_touch(order, quote)
        verdict = self._verdict(order, quote)
        denial = broker_algos.refusal(order, self.context) or self._denial(verdict)
        if denial is not None:
            return self._denied(order, denial)
        order.routing = _route_facts(route, self._value(order, quote), window)
        value_check.enter(order, verdict, at=self.now)
        plan = self._planned(signal, order, session, quote, window, asked_start)
        order.routing |= _remarks(left_out, verdict, quote)
        self.accepted.append(order)
        return _accepted(order, plan)

    def _denial(self, verdict: Verdict) -> Denial | None:
        """What has come to stop an order, such as a halt, holds its children back; it does not keep
        anybody from asking for less."""
        eased = self.amending is not None and self.amending.asks_no_more
        return None if eased else verdict.denial

    def _planned(
        self,
        signal: Signal,
        order: Order,
        session: Session,
        quote: Quote | None,
        window: Window,
        asked_start: datetime,
    ) -> Sequence[PlannedSlice]:
        """The order's slices; what they rest on is written into the order."""
        config = self.context.config.execution
        about = self.knowing.about(order, session, quote, self.context.config)
        terms = residual.terms_of(order, window, config)
        worked = replace(window, end=terms.schedule_end(window.start, window.end))
        spec = order_plan.spec(signal, order, worked, about, quote, self.context.config)
        plan = order_plan.plan(spec, order)
        order.slice_count = len(plan)
        ends = ends_of(signal, session, asked_start, config)
        question = cost_estimates.question(order, session, about, quote, config)
        order.routing |= _estimated(order, question, ends)
        expected = cost_estimates.vwap_deviation_bps(order, plan, session, about)
        order.routing["typical_vwap_deviation_bps"] = expected
        if registry.of(order.algorithm).by_profile:
            order.routing["profile"] = about.known.as_json()
        written = {
            "limit_price": signal.limit_price,
            "would_price": order.would_price,
        }
        price_rounding.enter(order, written)
        broker_algos.enter(order, self.context)
        residual.enter(order, terms, spec)
        return plan

    def _order(self, signal: Signal, quote: Quote | None, start: datetime) -> Order:
        return Order(
            pk=self.amending.order_id if self.amending else None,
            account=signal.account,
            strategy=signal.strategy,
            basket=signal.basket,
            client_reference=signal.client_reference,
            symbol=signal.symbol,
            side=signal.side,
            quantity=signal.quantity,
            urgency=signal.urgency,
            algorithm=signal.algorithm or "",
            parameters=order_parameters.of(signal),
            asked=terms_of(signal),
            own_settings=self.context.own_settings,
            limit_price=signal.limit_price,
            average_daily_volume=signal.average_daily_volume,
            start_at=start,
            end_at=start,
            seed=secrets.randbits(62),
            submitted_by=caller.current().name,
            submitted_via=caller.current().via,
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
        value_check.denied(order, denial)
        facts = {**order.routing["denial"], **caller.current().facts()}
        return Draft(order, events=[first_event(order, EventKind.ORDER_DENIED, facts)])

    def _value(self, order: Order, quote: Quote | None) -> Decimal | None:
        """Of the whole signal, before what a broker that works it may pay at most."""
        priced = Priced(order.limit_price, quote, order.decision_price)
        price = pretrade.worth(self._checked(order, NO_MARKS), priced, self.context.bounds)
        return None if price is None else price * order.quantity

    def _verdict(self, order: Order, quote: Quote | None) -> Verdict:
        needed = self.rules.marks_for
        known = marks.read(order.account, order.symbol, self.context, needed=needed, now=self.now)
        checked = replace(self._checked(order, known), book=self._book(order.account))
        reference = quote.mid if quote else order.decision_price
        protective = broker_algos.worst_price(order, reference, self.context)
        return pretrade.verdict(
            checked,
            Priced(order.limit_price, quote, order.decision_price, protective),
            self.context,
            limit_set=self.rules.limit_set,
            states=self.rules.states,
            breaks=self.rules.breaks,
        )

    def _book(self, account: str) -> Book:
        """Read once for a list: the children are checked by what is so when they leave."""
        if account not in self.books:
            needed, now = self.rules.marks_for, self.now
            self.books[account] = exposure.book(account, self.context, needed=needed, now=now)
        return self.books[account]

    def _checked(self, order: Order, known: Marks) -> CheckedOrder:
        done = self.amending
        return CheckedOrder(
            order,
            order.quantity,
            known,
            self.now,
            working=done.working if done else 0,
            alongside=self.accepted,
            whole=done.filled + done.working + order.quantity if done else None,
        )


def _after_hours(algorithm: str, session: Session) -> Denial:
    numbers = {
        "algorithm": algorithm,
        "open": session.open.isoformat(),
        "close": session.close.isoformat(),
    }
    return Denial("AFTER_HOURS_LIMIT_ONLY", numbers)


def _accepted(order: Order, plan: Sequence[PlannedSlice]) -> Draft:
    facts = {
        "side": order.side,
        "quantity": order.quantity,
        "symbol": order.symbol,
        "start_at": order.start_at.isoformat(),
        "end_at": order.end_at.isoformat(),
        "limit_price": order.limit_price,
        "slices": len(plan),
        "seed": order.seed,
        **caller.current().facts(),
        **{name: value for name, value in order.routing.items() if name != "alternatives"},
    }
    return Draft(
        order, slice_rows.rows(order, plan), [first_event(order, EventKind.ORDER_ACCEPTED, facts)]
    )


def _route_facts(route: Route, value: Decimal | None, window: Window) -> dict[str, object]:
    return {
        "algorithm": route.algorithm,
        "reason": route.reason,
        "notional": None if value is None else f"{value:.2f}",
        "window": window.note,
    }


def _estimated(order: Order, question: Question, ends: Mapping[str, datetime]) -> dict[str, object]:
    estimate = cost_estimates.estimate(order, question)
    order.estimated_slippage_bps = estimate.bps
    return {
        "estimate": {
            "bps": round(estimate.bps, 4),
            "standard_error_bps": rounded(estimate.standard_error_bps),
            "spread_bps": round(estimate.spread_bps, 4),
            "impact_bps": round(estimate.impact_bps, 4),
            "basis": str(estimate.basis),
        },
        "alternatives": cost_estimates.alternatives_of(question, ends),
    }


def _remarks(left_out: object, verdict: Verdict, quote: Quote | None) -> dict[str, object]:
    """What a reader of the order should know; nothing where there is nothing to say."""
    remarks: dict[str, object] = {}
    if left_out:
        remarks["left_out"] = left_out
    if verdict.waits:
        remarks["waits_for"] = [str(each) for each in verdict.waits]
    if quote and quote.halt:
        since = quote.halt.since.isoformat()
        remarks["halted"] = {"since": since, "reason": quote.halt.reason}
    return remarks
