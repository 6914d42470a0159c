"""Risk limits are read fresh: at intake, and once more before each child leaves."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

import pytest
from django.utils import timezone

from execution import context as contexts
from execution.context import Context
from execution.domain.lifecycle import OrderStatus, SliceStatus
from execution.entry import acceptance
from execution.market import trading_halts
from execution.models import MarketHalt, Order, OrderEvent, Slice, TradingState
from execution.risk import kill_switch, limits, pretrade
from execution.sending import delivery, slices, targeting
from execution.sending.slices import Intent
from tests.integration.order_steps import claim, execution, new_order, quote_at, receive, report

pytestmark = pytest.mark.django_db

SYSTEM = ("SYSTEM", "")


def limit(field: str, value: object, scope: tuple[str, str] = SYSTEM) -> None:
    limits.set_limit(scope=scope[0], key=scope[1], field=field, value=value, by="ann")  # type: ignore[arg-type]


def first(order: Order) -> Slice:
    return order.slices.order_by("sequence")[0]


def sent(order: Order, number: int = 0) -> Intent:
    intent = claim(order.slices.get(sequence=number))
    assert intent is not None
    receive(intent, report(intent, SliceStatus.WORKING))
    return intent


def filled(order: Order, number: int = 0) -> None:
    intent = sent(order, number)
    receive(
        intent, report(intent, SliceStatus.FILLED, [execution(intent, "1", intent.ticket.quantity)])
    )


def code_of(order: Order) -> str:
    order.refresh_from_db()
    return order.status_reason.split(":")[0] if order.status == OrderStatus.DENIED else "ACCEPTED"


def tried(part: Slice, tape: targeting.Tape | None = None, context: Context | None = None) -> str:
    """What becomes of a child at its moment: its status, and the code where it did not leave."""
    context = context or contexts.default()
    now = part.due_at
    tape = tape or targeting.read_tape(part, context, now=now)
    intent = slices.claim(part, quote_at(now), context, now=now, tape=tape)
    part.refresh_from_db()
    assert (intent is None) == (part.status in (SliceStatus.PLANNED, SliceStatus.SKIPPED))
    return f"{part.status} {part.reason.split(':')[0]}".strip()


def with_limits(**values: object) -> Context:
    context = contexts.default()
    changed = context.config.limits.model_copy(update=values)
    return replace(context, config=context.config.model_copy(update={"limits": changed}))


def restrict() -> None:
    limits.restrict(symbol="AAPL", reason="merger talks", by="ann")


def reduce_only() -> None:
    kill_switch.set_state(
        scope="SYMBOL", key="AAPL", state="REDUCING", by="ann", reason="calm down"
    )


def work_on_the_other_side() -> None:
    sent(new_order(100, 1, side="SELL"))


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (lambda: None, "SENDING"),
        (restrict, "SKIPPED SYMBOL_RESTRICTED"),
        (reduce_only, "PLANNED REDUCING_ONLY"),
        (work_on_the_other_side, "PLANNED OPPOSITE_ORDER_WORKING"),
        (lambda: limit("max_order_quantity", 199), "SKIPPED QUANTITY_EXCEEDS_MAX"),
        (lambda: limit("max_order_quantity", 200), "SENDING"),
        (lambda: limit("max_order_notional", 100), "SKIPPED NOTIONAL_EXCEEDS_MAX"),
        (lambda: limit("max_adv_share", D("0.0001")), "SKIPPED ADV_SHARE_EXCEEDS_MAX"),
        (lambda: limit("max_position", 199), "PLANNED POSITION_EXCEEDS_MAX"),
        (lambda: limit("max_position", 200), "SENDING"),
        (lambda: limit("max_open_orders", 0), "PLANNED OPEN_ORDERS_EXCEED_MAX"),
        (lambda: limit("max_orders_per_minute", 0), "PLANNED REPEATED_EXECUTION"),
        (lambda: limit("max_messages_per_minute", 0), "PLANNED MESSAGE_RATE_EXCEEDED"),
        (lambda: limit("max_daily_loss", 1_000), "SENDING"),
        (lambda: limit("max_portfolio_heat", 1), "PLANNED HEAT_UNKNOWN"),  # without equity
    ],
)
def test_what_changed_since_the_plan_stops_the_child(
    change: Callable[[], None], outcome: str
) -> None:
    order = new_order(average_daily_volume=1_000_000)
    change()
    assert tried(first(order)) == outcome


@pytest.mark.parametrize(("account", "applies"), [("", True), ("default", True), ("other", False)])
@pytest.mark.parametrize("seen", [True, False], ids=["plan and child", "last check"])
def test_a_restriction_binds_whose_account_it_names(
    account: str, applies: bool, seen: bool
) -> None:
    planned = new_order()
    intent = None if seen else claim(first(planned))
    limits.restrict(symbol="AAPL", account=account, reason="merger talks", by="ann")
    if intent is None:
        assert tried(first(planned)).startswith("SKIPPED" if applies else "SENDING")
    else:
        denied = delivery.final_check(replace(intent, again=True), contexts.default())
        assert (denied is not None) == applies
    assert code_of(new_order()) == ("SYMBOL_RESTRICTED" if applies else "ACCEPTED")


@pytest.mark.parametrize(
    ("scope", "applies"),
    [
        (SYSTEM, True),
        (("ACCOUNT", "default"), True),
        (("STRATEGY", "trend"), True),
        (("SYMBOL", "AAPL"), True),
        (("ACCOUNT", "other"), False),
        (("STRATEGY", "other"), False),
        (("SYMBOL", "MSFT"), False),
    ],
)
def test_a_limit_binds_whom_its_scope_names_at_both_doors(
    scope: tuple[str, str], applies: bool
) -> None:
    planned = new_order(strategy="trend")
    limit("max_order_quantity", 10, scope)
    assert tried(first(planned)).startswith("SKIPPED" if applies else "SENDING")
    later = new_order(strategy="trend")
    assert code_of(later) == ("QUANTITY_EXCEEDS_MAX" if applies else "ACCEPTED")


def test_the_tightest_limit_counts_and_the_configuration_is_the_outermost() -> None:
    limit("max_order_quantity", 500)
    limit("max_order_quantity", 300, ("SYMBOL", "AAPL"))
    limit("max_order_quantity", 400, ("ACCOUNT", "default"))
    order = new_order(100, 1)
    book, outermost = limits.in_force(order), contexts.default().bounds
    assert book.bounds(order, outermost).max_quantity == 300
    assert book.bounds(order, replace(outermost, max_quantity=200)).max_quantity == 200


def test_without_its_volume_an_order_is_denied_where_a_share_of_it_is_bounded() -> None:
    assert code_of(new_order()) == "ACCEPTED"
    limit("max_adv_share", D("0.1"), ("SYMBOL", "AAPL"))
    assert code_of(new_order()) == "ADV_UNKNOWN"
    assert code_of(new_order(symbol="MSFT")) == "ACCEPTED"
    assert code_of(new_order(average_daily_volume=10_000)) == "ACCEPTED"
    assert code_of(new_order(average_daily_volume=9_999)) == "ADV_SHARE_EXCEEDS_MAX"


def test_the_position_counts_fills_and_what_other_parents_may_still_buy() -> None:
    one, other = new_order(1_000, 5), new_order(600, 3)
    filled(one)
    new_order(5_000, 5, side="SELL")  # the worst case is that it never fills
    limit("max_position", 1_000)
    # 200 are held, 600 pend at the other parent, 200 are asked for now.
    assert tried(one.slices.get(sequence=1)) == "SENDING"
    limit("max_position", 1_199)
    # 200 + 800 of the first + 200
    assert tried(other.slices.get(sequence=0)) == "PLANNED POSITION_EXCEEDS_MAX"
    assert code_of(new_order(1, 1)) == "POSITION_EXCEEDS_MAX"
    assert code_of(new_order(1, 1, account="other")) == "ACCEPTED"
    assert code_of(new_order(1, 1, symbol="MSFT")) == "ACCEPTED"


@pytest.mark.parametrize("leave", [sent, lambda order: claim(first(order))], ids=["taken", "sent"])
@pytest.mark.parametrize(
    ("most", "outcome"), [(400, "SENDING"), (399, "PLANNED POSITION_EXCEEDS_MAX")]
)
def test_what_was_sent_counts_into_the_position_before_the_broker_has_answered(
    most: int, outcome: str, leave: Callable[[Order], Intent | None]
) -> None:
    order = new_order(1_000, 5)
    assert leave(order) is not None
    limit("max_position", most)
    assert tried(order.slices.get(sequence=1)) == outcome


def test_orders_of_one_batch_count_for_each_other() -> None:
    limit("max_position", 250)
    signal = {"symbol": "AAPL", "side": "BUY", "quantity": 100, "algorithm": "TWAP", "slices": 1}
    batch = acceptance.accept_all([signal] * 3, contexts.default())
    assert [code_of(order) for order in batch] == ["ACCEPTED", "ACCEPTED", "POSITION_EXCEEDS_MAX"]


def test_reducing_lets_a_position_be_sold_and_no_more() -> None:
    bought = new_order(400, 2)
    filled(bought, 0)
    filled(bought, 1)
    reduce_only()
    assert code_of(new_order(1, 1)) == "REDUCING_ONLY"
    sale = new_order(300, 1, side="SELL")
    assert code_of(sale) == "ACCEPTED"
    assert code_of(new_order(101, 1, side="SELL")) == "REDUCING_ONLY"
    intent = claim(first(sale))
    assert intent is not None
    assert delivery.final_check(intent, contexts.default()) is None


def test_reducing_set_after_the_claim_holds_the_child_back() -> None:
    intent = claim(first(new_order()))
    assert intent is not None
    reduce_only()
    held = delivery.final_check(intent, contexts.default())
    assert held is not None
    assert held.reason.startswith("REDUCING_ONLY")


def test_a_halt_of_the_exchange_after_the_claim_holds_the_child_back() -> None:
    intent = claim(first(new_order()))
    assert intent is not None
    here = contexts.default()
    MarketHalt.objects.create(symbol="AAPL", start_at=here.now(), reason="news")
    trading_halts.stored.cache_clear()  # as if a second had passed
    held = delivery.final_check(intent, here)
    trading_halts.stored.cache_clear()
    assert held is not None
    assert held.reason.startswith("SYMBOL_HALTED")
    assert held.retry


def test_an_own_order_on_the_other_side_that_ours_would_not_trade_with_is_fine() -> None:
    sent(new_order(100, 1, side="SELL", algorithm="LIMIT", limit_price="150.50", slices=None))
    assert tried(first(new_order())) == "SENDING"
    assert code_of(new_order(10, 1, algorithm="LIMIT", limit_price="150.49", slices=None)) == (
        "ACCEPTED"
    )
    assert code_of(new_order(10, 1, algorithm="LIMIT", limit_price="150.50", slices=None)) == (
        "OPPOSITE_ORDER_WORKING"
    )


def test_two_opposite_claims_at_once_see_each_other_at_the_last_look() -> None:
    buy, sale = new_order(100, 1), new_order(100, 1, side="SELL")
    one = claim(first(buy))
    # The other worker had looked before the first one committed.
    Slice.objects.filter(order=buy).update(status=SliceStatus.PLANNED)
    other = claim(first(sale))
    Slice.objects.filter(order=buy).update(status=SliceStatus.SENDING)
    for intent in (one, other):
        assert intent is not None
        held = delivery.final_check(intent, contexts.default())
        assert held is not None
        assert held.reason.startswith("OPPOSITE_ORDER_WORKING")
        assert held.retry


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "DUPLICATE_ORDER"),
        ({"client_reference": "meant"}, "ACCEPTED"),
        ({"side": "SELL"}, "ACCEPTED"),
        ({"quantity": 101}, "ACCEPTED"),
        ({"symbol": "MSFT"}, "ACCEPTED"),
        ({"account": "other"}, "ACCEPTED"),
    ],
)
def test_the_same_order_within_seconds_is_a_mistake(change: dict[str, object], code: str) -> None:
    signal = {"symbol": "AAPL", "side": "BUY", "quantity": 100, "algorithm": "TWAP", "slices": 1}
    context = with_limits(duplicate_seconds=30.0)
    assert code_of(acceptance.accept(signal, context)) == "ACCEPTED"
    assert code_of(acceptance.accept(signal | change, context)) == code
    Order.objects.update(created_at_real=timezone.now() - timedelta(seconds=31))
    assert code_of(acceptance.accept(signal, context)) == "ACCEPTED"


def test_of_two_same_orders_stored_at_once_only_the_first_trades() -> None:
    one, other = new_order(100, 1), new_order(100, 1)
    context = with_limits(duplicate_seconds=30.0)
    assert tried(first(other), context=context) == "SKIPPED DUPLICATE_ORDER"
    assert tried(first(one), context=context) == "SENDING"


def test_the_first_come_go_on_when_fewer_orders_may_be_open() -> None:
    one, other = new_order(100, 1), new_order(100, 1)
    limit("max_open_orders", 1)
    assert tried(first(other)) == "PLANNED OPEN_ORDERS_EXCEED_MAX"
    assert tried(first(one)) == "SENDING"
    assert code_of(new_order(100, 1)) == "OPEN_ORDERS_EXCEED_MAX"


def test_a_strategy_that_runs_away_is_halted_until_a_named_person_resumes_it() -> None:
    limit("max_orders_per_minute", 2)
    kept, _ = (new_order(100, 1, strategy="trend") for _ in range(2))
    assert code_of(new_order(100, 1, strategy="trend")) == "REPEATED_EXECUTION"
    state = TradingState.objects.get(scope="STRATEGY", key="trend")
    assert (state.state, state.changed_by) == ("HALTED", pretrade.THROTTLE)
    assert "max=2, orders=3" in state.reason
    assert tried(first(kept)) == "PLANNED TRADING_HALTED"
    assert code_of(new_order(100, 1, strategy="trend")) == "TRADING_HALTED"
    assert code_of(new_order(100, 1, strategy="calm")) == "ACCEPTED"
    kill_switch.set_state(
        scope="STRATEGY", key="trend", state="ACTIVE", by="ann", reason="understood"
    )
    assert code_of(new_order(100, 1, strategy="trend")) == "ACCEPTED"  # counted anew
    assert tried(first(kept)) == "SENDING"


@pytest.mark.parametrize(("by", "reason"), [(" ", "understood"), ("ann", " ")])
def test_nobody_lifts_a_halt_without_a_name_and_a_reason(by: str, reason: str) -> None:
    strategy = {"scope": "STRATEGY", "key": "trend"}
    kill_switch.set_state(**strategy, state="HALTED", by=pretrade.THROTTLE, reason="runs away")
    with pytest.raises(ValueError, match="a reason and the name of the person are required"):
        kill_switch.set_state(**strategy, state="ACTIVE", by=by, reason=reason)
    assert TradingState.objects.get().state == "HALTED"


def test_orders_without_a_strategy_halt_their_account() -> None:
    limit("max_orders_per_minute", 1)
    new_order(100, 1)
    assert code_of(new_order(100, 1)) == "REPEATED_EXECUTION"
    assert TradingState.objects.get().scope == "ACCOUNT"
    assert TradingState.objects.get().key == "default"


def test_the_throttle_trips_before_a_child_too() -> None:
    order = new_order(strategy="trend")
    limit("max_orders_per_minute", 0, ("STRATEGY", "trend"))
    tried(first(order))
    assert TradingState.objects.get(scope="STRATEGY", key="trend").state == "HALTED"


def test_messages_of_the_last_minute_are_counted_per_account() -> None:
    order = new_order()
    limit("max_messages_per_minute", 2)
    sent(order, 0)
    sent(order, 1)
    assert tried(order.slices.get(sequence=2)) == "PLANNED MESSAGE_RATE_EXCEEDED"
    assert tried(first(new_order(account="other"))) == "SENDING"
    OrderEvent.objects.filter(kind="SLICE_SENDING").update(
        recorded_at_real=timezone.now() - timedelta(seconds=61)
    )
    assert tried(order.slices.get(sequence=2)) == "SENDING"


def test_an_intent_that_is_sent_once_more_meets_the_limits_of_now() -> None:
    intent = claim(first(new_order()))
    assert intent is not None
    assert delivery.final_check(replace(intent, again=True), contexts.default()) is None
    restrict()
    held = delivery.final_check(replace(intent, again=True), contexts.default())
    assert held is not None
    assert held.reason.startswith("SYMBOL_RESTRICTED")


def test_a_name_that_an_older_release_has_accepted_can_be_halted() -> None:
    halt = {"scope": "STRATEGY", "key": "-old", "state": "HALTED", "by": "ann", "reason": "drill"}
    with pytest.raises(ValueError, match="and after the first also blanks and -, got '-old'"):
        kill_switch.set_state(**halt)
    Order.objects.filter(pk=new_order().pk).update(strategy="-old")
    assert kill_switch.set_state(**halt).state == "HALTED"
