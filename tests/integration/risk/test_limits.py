"""Risk limits are read fresh: at intake, and once more before each child leaves."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal as D

import pytest
from django.utils import timezone

from execution import context as desks
from execution.broker.base import AccountState, BrokerUnavailable
from execution.broker.order_manager import OrderManager
from execution.broker.paper_trader import PaperTrader
from execution.context import Context
from execution.domain.lifecycle import OrderStatus, SliceStatus
from execution.entry import acceptance
from execution.models import (
    Fill,
    Order,
    OrderEvent,
    RiskLimit,
    RiskLimitChange,
    Slice,
    TradingState,
)
from execution.risk import buying_power, kill_switch, limits, marks, pretrade
from execution.risk.exposure import Moment, day_result, heat
from execution.risk.marks import Asked, Marks
from execution.sending import slices, targeting
from execution.sending.slices import Intent
from tests.integration.desk_work import claim, execution, hear, new_order, quote_at, report

pytestmark = pytest.mark.django_db

SYSTEM = ("SYSTEM", "")


def limit(field: str, value: object, scope: tuple[str, str] = SYSTEM) -> None:
    limits.set_limit(scope=scope[0], key=scope[1], field=field, value=value, by="ann")  # type: ignore[arg-type]


def first(order: Order) -> Slice:
    return order.slices.order_by("sequence")[0]


def sent(order: Order, number: int = 0) -> Intent:
    intent = claim(order.slices.get(sequence=number))
    assert intent is not None
    hear(intent, report(intent, SliceStatus.WORKING))
    return intent


def filled(order: Order, number: int = 0) -> None:
    intent = sent(order, number)
    hear(
        intent, report(intent, SliceStatus.FILLED, [execution(intent, "1", intent.ticket.quantity)])
    )


def code_of(order: Order) -> str:
    order.refresh_from_db()
    return order.status_reason.split(":")[0] if order.status == OrderStatus.DENIED else "ACCEPTED"


def tried(part: Slice, seen: targeting.Look | None = None, desk: Context | None = None) -> str:
    """What becomes of a child at its moment: its status, and the code where it did not leave."""
    desk = desk or desks.default()
    now = part.due_at
    seen = seen or targeting.look(part, desk, now=now)
    intent = slices.claim(part, quote_at(now), desk, now=now, seen=seen)
    part.refresh_from_db()
    assert (intent is None) == (part.status in (SliceStatus.PLANNED, SliceStatus.SKIPPED))
    return f"{part.status} {part.reason.split(':')[0]}".strip()


def with_limits(**values: object) -> Context:
    desk = desks.default()
    changed = desk.config.limits.model_copy(update=values)
    return replace(desk, config=desk.config.model_copy(update={"limits": changed}))


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
    book, outermost = limits.in_force(order), desks.default().bounds
    assert book.bounds(order, outermost).max_quantity == 300
    assert book.bounds(order, replace(outermost, max_quantity=200)).max_quantity == 200


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


@pytest.mark.parametrize(
    ("most", "outcome"), [(400, "SENDING"), (399, "PLANNED POSITION_EXCEEDS_MAX")]
)
def test_what_works_already_counts_into_the_position(most: int, outcome: str) -> None:
    order = new_order(1_000, 5)
    sent(order)
    limit("max_position", most)
    assert tried(order.slices.get(sequence=1)) == outcome


def test_orders_of_one_batch_count_for_each_other() -> None:
    limit("max_position", 250)
    signal = {"symbol": "AAPL", "side": "BUY", "quantity": 100, "algorithm": "TWAP", "slices": 1}
    batch = acceptance.accept_all([signal] * 3, desks.default())
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
    assert slices.final_check(intent, desks.default()) is None


def test_reducing_set_after_the_claim_holds_the_child_back() -> None:
    intent = claim(first(new_order()))
    assert intent is not None
    reduce_only()
    held = slices.final_check(intent, desks.default())
    assert held is not None
    assert held.reason.startswith("REDUCING_ONLY")


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
        held = slices.final_check(intent, desks.default())
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
    desk = with_limits(duplicate_seconds=30.0)
    assert code_of(acceptance.accept(signal, desk)) == "ACCEPTED"
    assert code_of(acceptance.accept(signal | change, desk)) == code
    Order.objects.update(created_wall=timezone.now() - timedelta(seconds=31))
    assert code_of(acceptance.accept(signal, desk)) == "ACCEPTED"


def test_of_two_same_orders_stored_at_once_only_the_first_trades() -> None:
    one, other = new_order(100, 1), new_order(100, 1)
    desk = with_limits(duplicate_seconds=30.0)
    assert tried(first(other), desk=desk) == "SKIPPED DUPLICATE_ORDER"
    assert tried(first(one), desk=desk) == "SENDING"


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
        recorded_wall=timezone.now() - timedelta(seconds=61)
    )
    assert tried(order.slices.get(sequence=2)) == "SENDING"


def moment(order: Order, quantity: int, known: Marks) -> Moment:
    return Moment(order, quantity, known, desks.default().now())


@pytest.mark.parametrize(
    ("mid", "result"),
    [
        (D(150), D("-0.01")),  # the commission
        (D(149), D("-200.01")),
        (D(151), D("199.99")),
        (None, None),  # held and not priced
    ],
)
def test_the_result_of_the_day_marks_what_is_held(mid: D | None, result: D | None) -> None:
    order = new_order()
    filled(order)
    known = Marks({} if mid is None else {"AAPL": mid})
    assert day_result(moment(order, 200, known), desks.default()) == result


@pytest.mark.usefixtures("at_noon")  # its second slice is due two hours later
def test_a_loss_beyond_the_limit_stops_children_and_orders() -> None:
    order = new_order()
    filled(order)
    limit("max_daily_loss", 200)
    part = order.slices.get(sequence=1)
    fallen = targeting.Look(marks=Marks({"AAPL": D(149)}))
    assert tried(part, targeting.Look()) == "PLANNED DAILY_LOSS_UNKNOWN"
    assert tried(part, fallen) == "SKIPPED DAILY_LOSS"
    limit("max_daily_loss", D("200.01"))
    assert tried(order.slices.get(sequence=2), fallen) == "SENDING"


def test_a_loss_refuses_orders_of_the_account() -> None:
    filled(new_order(100, 1, symbol="MSFT", side="SELL"))  # at 150; the trial market is near 330
    limit("max_daily_loss", 5_000)
    assert code_of(new_order()) == "DAILY_LOSS"
    assert code_of(new_order(account="other")) == "ACCEPTED"
    yesterday = timezone.now() - timedelta(days=1)
    Order.objects.update(created_at=yesterday)
    assert code_of(new_order()) == "DAILY_LOSS"  # older orders, but fills of today
    Order.objects.update(created_at=yesterday, finished_at=yesterday)
    Fill.objects.update(executed_at=yesterday)
    assert code_of(new_order()) == "ACCEPTED"  # another day


class Poor(PaperTrader):
    """A paper broker whose account has 3,000 dollars of buying power, or does not say."""

    says = True

    def account_state(self, account: str, *, now: datetime) -> AccountState:
        if not self.says:
            raise BrokerUnavailable("maintenance")
        return AccountState(account, now, D(3_000), D(3_000), {})


def test_buys_stay_within_the_buying_power_that_the_broker_tells() -> None:
    poor = with_limits(within_buying_power=True)
    broker = Poor(poor.config)
    desk = replace(poor, broker=OrderManager(poor.config, broker))
    buying_power.forget()
    children = [new_order(10, 1).slices.get() for _ in range(3)]  # some 1,500 dollars each
    assert tried(children[0], desk=desk) == "SENDING"
    assert tried(children[1], desk=desk) == "PLANNED BUYING_POWER"  # its limit is above the mid
    assert tried(new_order(9, 1).slices.get(), desk=desk) == "SENDING"
    assert tried(new_order(1_000, 1, side="SELL", symbol="MSFT").slices.get(), desk=desk) != (
        "PLANNED BUYING_POWER"
    )
    buying_power.forget()
    broker.says = False
    assert tried(children[2], desk=desk) == "PLANNED BUYING_POWER_UNKNOWN"
    buying_power.forget()


def test_heat_is_positions_times_volatility_over_equity() -> None:
    order = new_order()
    filled(order)
    known = Marks({"AAPL": D(150), "MSFT": D(330)}, {"AAPL": 0.02, "MSFT": 0.01})
    now = heat(moment(order, 200, known), D(100_000), 100, desks.default())
    assert now is not None
    # 200 x 150 x 0.02 = 600; with 100 pending and 200 asked for, 500 x 150 x 0.02 = 1,500.
    assert (now.before, now.after) == (D("0.006"), D("0.015"))
    for told, equity in (
        (known, None),
        (Marks({"AAPL": D(150)}), D(1)),
        (Marks({}, {"AAPL": 0.02}), D(1)),
    ):
        assert heat(moment(order, 200, told), equity, 0, desks.default()) is None


@pytest.mark.parametrize(
    ("bound", "outcome"), [("0.01", "SENDING"), ("0.0001", "PLANNED HEAT_EXCEEDS_MAX")]
)
def test_a_hot_portfolio_stops_children(bound: str, outcome: str) -> None:
    order = new_order(200, 1)
    limit("max_portfolio_heat", D(bound))
    # The trial market moves by about 2 % a day: 200 x 150 x 0.02 is some 600 of a million.
    assert tried(first(order), desk=with_limits(account_equity=D(1_000_000))) == outcome


def test_the_market_is_asked_only_for_what_a_limit_needs() -> None:
    filled(new_order(symbol="AAPL"))
    now, desk = desks.default().now(), desks.default()
    assert marks.asked(desk) == Asked(loss=False, heat=False)
    assert marks.read("default", "MSFT", desk, wanted=Asked(False, False), now=now) == Marks()
    loss = marks.read("default", "MSFT", desk, wanted=Asked(True, False), now=now)
    assert (set(loss.prices), set(loss.volatility)) == ({"AAPL"}, set())
    hot = marks.read("default", "MSFT", desk, wanted=Asked(False, True), now=now)
    assert set(hot.prices) == set(hot.volatility) == {"AAPL", "MSFT"}
    assert all(0.005 < value < 0.06 for value in hot.volatility.values())


def test_an_intent_that_is_sent_once_more_meets_the_limits_of_now() -> None:
    intent = claim(first(new_order()))
    assert intent is not None
    assert slices.final_check(replace(intent, again=True), desks.default()) is None
    restrict()
    held = slices.final_check(replace(intent, again=True), desks.default())
    assert held is not None
    assert held.reason.startswith("SYMBOL_RESTRICTED")


def test_every_change_of_a_limit_leaves_who_and_from_what_to_what() -> None:
    limit("max_position", 500)
    limit("max_position", 300)
    limit("max_position", 300)
    limit("max_position", None)
    restrict()
    limits.lift(symbol="AAPL", by="bob")
    limits.lift(symbol="AAPL", by="bob")
    told = RiskLimitChange.objects.order_by("id")
    assert [
        (row.scope, row.key, row.field, row.before, row.after, row.changed_by) for row in told
    ] == [
        ("SYSTEM", "", "max_position", "", "500", "ann"),
        ("SYSTEM", "", "max_position", "500", "300", "ann"),
        ("SYSTEM", "", "max_position", "300", "", "ann"),
        ("SYMBOL", "AAPL", "restricted", "", "merger talks", "ann"),
        ("SYMBOL", "AAPL", "restricted", "merger talks", "", "bob"),
    ]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"scope": "WORLD"}, "scope must be one of SYSTEM, ACCOUNT, STRATEGY, SYMBOL"),
        ({"key": "x"}, "SYSTEM takes no key"),
        ({"scope": "SYMBOL", "key": "aapl"}, "ticker in capitals"),
        ({"field": "max_fun"}, "field must be one of max_order_quantity"),
        ({"value": -1}, "max_position: .*-1"),
        ({"value": "many"}, "max_position: .*many"),
        ({"value": 1.5}, "max_position: must be a whole number"),
        ({"value": True}, "max_position: must be a whole number"),
        ({"field": "max_daily_loss", "value": D("NaN")}, "max_daily_loss: must be a number"),
        ({"field": "max_adv_share", "value": D(25)}, "max_adv_share: must be a share up to 1"),
        ({"by": " "}, "name of the person"),
    ],
)
def test_a_wrong_limit_is_refused_and_nothing_is_stored(
    change: dict[str, object], named: str
) -> None:
    right = {"scope": "SYSTEM", "key": "", "field": "max_position", "value": 1, "by": "ann"}
    with pytest.raises(ValueError, match=named):
        limits.set_limit(**right | change)  # type: ignore[arg-type]
    assert not RiskLimit.objects.exists()
    assert not RiskLimitChange.objects.exists()
