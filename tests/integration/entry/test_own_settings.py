"""A Config that a caller passes holds for the caller's orders, or an error says what cannot."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from deepstack.config import Config, ConfigError
from execution import context as contexts
from execution import heartbeat
from execution.broker.order_manager import OrderManager
from execution.broker.paper_trader import PaperTrader
from execution.context import Context
from execution.entry import acceptance, amend
from execution.entry.order_controls import NotAllowed
from execution.entry.references import ReferenceConflict
from execution.models import Heartbeat, Order
from execution.orders import order_settings
from execution.router import ExecutionRouter
from execution.sending import slices
from execution.twap import TWAPExecutor
from monitoring.monitor import ExecutionMonitor
from tests.integration.order_steps import quote_at

SERVICE = Config()
SIGNAL: dict[str, object] = {
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": 1_000,
    "algorithm": "TWAP",
    "slices": 5,
    "window_minutes": 600,
    "limit_price": "151",
}


def changed(config: Config, values: Mapping[str, object]) -> Config:
    """A copy, as a script would make it: pydantic checks nothing of it."""

    def copy(part: Any, path: list[str], value: object) -> Any:
        inner = copy(getattr(part, path[0]), path[1:], value) if len(path) > 1 else value
        return part.model_copy(update={path[0]: inner})

    for key, value in values.items():
        config = copy(config, key.split("."), value)
    return config


def context_with(**values: object) -> Context:
    config = changed(
        contexts.default().config, {k.replace("__", "."): v for k, v in values.items()}
    )
    return contexts.on(OrderManager(config=config, paper_trader=PaperTrader(config=config)))


@pytest.mark.parametrize(
    "values",
    [
        {"limits.max_order_notional": Decimal(2_000)},
        {"limits.max_position": 100},
        {"limits.within_buying_power": True},
        {"limits.duplicate_seconds": 5.0},
        {"limits.price_collar": Decimal("0.01"), "limits.max_spread_bps": Decimal(5)},
        {"execution.max_participation": Decimal("0.05")},
        {"execution.routing.small_order_threshold": Decimal(50_000)},
        {"execution.routing.child_tolerance_bps": Decimal(0)},
        {"execution.twap.default_num_slices": 7, "execution.vwap.dynamic": False},
        {"execution.slippage.base_spread_bps": 1.0},
        {"execution.pov.participation": Decimal("0.02")},
        {"execution.residual.force_share": Decimal("0.2")},
        {"execution.implementation_shortfall.risk_aversion": 0.5},
    ],
)
def test_what_concerns_an_order_goes_with_it(values: dict[str, object]) -> None:
    config = changed(SERVICE, values)
    own = order_settings.of(config, SERVICE)
    assert set(own) == set(values)
    assert order_settings.applied(SERVICE, own) == config


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"limits.max_order_notional": Decimal(10**9)}, "only be tighter"),
        ({"limits.price_collar": Decimal("0.5")}, "only be tighter"),
        ({"execution.scheduling.lease_seconds": 5.0}, "whole service"),
        ({"paper.participation": Decimal(1)}, "whole service"),
        ({"trading_mode": "live"}, "whole service"),
        ({"database_url": "postgresql://elsewhere/x"}, "whole service"),
        ({"market.source": "replay"}, "whole service"),
        ({"alpaca_base_url": "https://api.alpaca.markets"}, "whole service"),
        ({"limits.max_order_notional": Decimal("NaN")}, "finite"),
        ({"execution.twap.default_num_slices": 0}, "greater than 0"),
        ({"execution.routing.small_order_threshold": Decimal(200_000)}, "must not exceed"),
        ({"limits": {"max_order_notional": 2_000}}, "must be a Limits; config.limits.model_copy"),
        ({"alerts": None}, "must be a Alerts"),
        ({"execution.twap": None}, "execution.twap = None"),
        ({"limits.max_position": "many"}, "integer"),
        ({"account": "my account"}, "pattern"),
        ({"paper.participation": 7}, "less than or equal to 1"),
    ],
)
def test_what_cannot_hold_is_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        order_settings.of(changed(SERVICE, values), SERVICE)
    assert all(key in str(refused.value) for key in values)


@pytest.mark.parametrize("part", [OrderManager, PaperTrader])
@pytest.mark.parametrize("given", [None, {}, "config/config.yaml"])
def test_what_is_no_configuration_is_refused_by_name(part: Any, given: object) -> None:
    with pytest.raises(ConfigError, match=r"a Config is needed, such as Config\.from_env\(\)"):
        part(config=given)


@pytest.mark.parametrize("part", [OrderManager, PaperTrader])
def test_a_copy_with_a_value_that_is_none_is_refused_where_it_is_passed(part: Any) -> None:
    wrong = SERVICE.model_copy(update={"limits": {"max_order_notional": 2_000}})
    with pytest.raises(ConfigError, match=r"limits = .* config\.limits\.model_copy"):
        part(config=wrong)


def test_all_that_cannot_hold_is_named_at_once() -> None:
    wrong = {"limits.max_slices": 50_000, "paper.leverage": Decimal(4), "ibkr_port": 4_001}
    with pytest.raises(ConfigError) as refused:
        order_settings.of(changed(SERVICE, wrong), SERVICE)
    for key, value in wrong.items():
        assert f"{key} = {value}, the service's is " in str(refused.value)


def test_a_service_that_has_become_tighter_wins() -> None:
    own = order_settings.of(changed(SERVICE, {"limits.max_order_quantity": 500}), SERVICE)
    tighter = changed(SERVICE, {"limits.max_order_quantity": 100})
    assert order_settings.applied(tighter, own).limits.max_order_quantity == 100
    assert order_settings.applied(SERVICE, own).limits.max_order_quantity == 500


def test_a_paper_trader_of_another_configuration_is_refused() -> None:
    config = contexts.default().config
    other = changed(config, {"limits.max_order_notional": Decimal(2_000)})
    manager = OrderManager(config=config, paper_trader=PaperTrader(config=other))
    with pytest.raises(
        ConfigError, match=r"PaperTrader and OrderManager .* limits\.max_order_notional"
    ):
        ExecutionRouter(order_manager=manager)


def test_a_monitor_refuses_a_configuration_that_was_never_checked() -> None:
    config = changed(SERVICE, {"execution.monitoring.slippage_alert_threshold": float("inf")})
    with pytest.raises(ValueError, match="slippage_alert_threshold"):
        ExecutionMonitor(config=config)


@pytest.mark.django_db(transaction=True)
def test_the_limit_of_a_passed_config_holds_in_the_router_and_the_executors() -> None:
    heartbeat.beat(Heartbeat.Kind.WORKER)
    config = changed(contexts.default().config, {"limits.max_order_notional": Decimal(2_000)})
    manager = OrderManager(config=config, paper_trader=PaperTrader(config=config))
    router, twap = ExecutionRouter(order_manager=manager), TWAPExecutor(order_manager=manager)
    seen = asyncio.run(router.preview("AAPL", 1_000, "BUY", 150.0))
    routed = asyncio.run(router.route_order("AAPL", 1_000, "BUY", 150.0, wait=False))
    worked = asyncio.run(twap.execute("AAPL", 1_000, "BUY", current_price=150.0, wait=False))
    for reason in (seen["reason"], routed["reason"], worked["reason"]):
        assert reason.startswith("NOTIONAL_EXCEEDS_MAX: max=2000")


@pytest.mark.django_db
def test_the_workers_keep_to_it_for_each_child() -> None:
    order = acceptance.accept(SIGNAL, context_with(limits__max_spread_bps=Decimal(1)))
    part = order.slices.order_by("sequence")[0]
    worker = contexts.default()
    assert worker.own_settings == {}
    slices.claim(part, quote_at(part.due_at), worker, now=part.due_at)
    part.refresh_from_db()
    assert part.reason.startswith("SPREAD_TOO_WIDE: max_bps=1,")


@pytest.mark.django_db
def test_a_child_pays_no_more_than_the_passed_config_allows() -> None:
    orders = [
        acceptance.accept(SIGNAL, contexts.default()),
        acceptance.accept(SIGNAL, context_with(execution__routing__child_tolerance_bps=Decimal(0))),
    ]
    limits = []
    for order in orders:
        part = order.slices.order_by("sequence")[0]
        intent = slices.claim(part, quote_at(part.due_at), contexts.default(), now=part.due_at)
        assert intent is not None
        limits.append(intent.ticket.limit_price)
    assert limits == [Decimal("150.16"), Decimal("150.01")]


@pytest.mark.django_db
def test_an_amendment_by_another_door_keeps_to_it() -> None:
    order = acceptance.accept(SIGNAL, context_with(limits__max_order_quantity=1_200))
    assert order.own_settings == {"limits.max_order_quantity": 1_200}
    with pytest.raises(NotAllowed, match="QUANTITY_EXCEEDS_MAX: max=1200"):
        amend.amend(order.pk, {"quantity": 1_500}, version=1, by="ann", context=contexts.default())
    amend.amend(order.pk, {"quantity": 1_200}, version=1, by="ann", context=contexts.default())
    assert Order.objects.get(pk=order.pk).quantity == 1_200


@pytest.mark.django_db
def test_the_same_reference_under_another_configuration_is_refused_and_named() -> None:
    asked, tighter = SIGNAL | {"client_reference": "once"}, {"limits__max_order_quantity": 5_000}
    first = acceptance.accept(asked, context_with(**tighter))
    assert acceptance.accept(asked, context_with(**tighter)).pk == first.pk
    for other, said in (({}, "is not given"), ({"limits__max_order_quantity": 4_000}, "is 4000")):
        with pytest.raises(
            ReferenceConflict, match=rf"limits\.max_order_quantity was 5000, {said}"
        ):
            acceptance.accept(asked, context_with(**other))
    assert Order.objects.count() == 1
