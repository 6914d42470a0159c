"""What an order would become and cost, by Python, command line and HTTP; nothing is stored."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from execution import context as contexts
from execution.broker.order_manager import OrderManager
from execution.domain.algorithms.registry import ALGOS
from execution.entry import acceptance
from execution.entry.preview import preview
from execution.models import Order, OrderEvent
from execution.router import ExecutionRouter
from tests.integration.api.test_api import client_of

pytestmark = pytest.mark.django_db

GOOD: dict[str, Any] = {
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": 10_000,
    "decision_price": 150,
    "average_daily_volume": 20_000_000,
}
# Always to come, and in the middle of the simulated market's UTC day.
NOON = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(12), UTC)


def asked(**changes: Any) -> Any:
    return preview(GOOD | {"start_at": NOON} | changes, contexts.default())


def by_name(seen: Any) -> dict[str, Any]:
    return {each["algorithm"]: each for each in seen["alternatives"]}


def test_every_algorithm_has_a_price_tag_and_nothing_is_stored() -> None:
    seen = asked()
    assert (seen["status"], seen["algorithm"], seen["slices"]) == ("ACCEPTED", "VWAP", 24)
    assert set(by_name(seen)) == set(ALGOS)
    vwap = by_name(seen)["VWAP"]
    assert vwap["cost_bps"] == seen["estimate"]["bps"]
    assert by_name(seen)["MARKET"]["cost_bps"] > 2 * vwap["cost_bps"] > 0
    assert vwap["basis"] == seen["estimate"]["basis"] == "VOLATILITY_ASSUMED"
    assert vwap["finish"] == seen["end_at"]
    assert vwap["deviation_bps"] is None
    assert 0 < vwap["standard_error_bps"] == seen["estimate"]["standard_error_bps"]
    assert vwap["feasible"] is True
    assert not Order.objects.exists()
    assert not OrderEvent.objects.exists()


def test_a_longer_window_is_a_smaller_part_of_the_volume() -> None:
    short, long = (by_name(asked(window_minutes=m))["TWAP"]["participation"] for m in (10, 100))
    assert short == pytest.approx(10 * long, rel=0.05)


def test_what_does_not_fit_under_the_cap_says_by_when_it_would() -> None:
    """A thousandth of 20 million over 24 hours: 14 shares a minute at most."""
    seen = by_name(asked(window_minutes=60, quantity=1_000, max_participation=0.001))["TWAP"]
    assert seen["feasible"] is False
    finish = datetime.fromisoformat(seen["feasible_by"])
    again = asked(
        window_minutes=(finish - NOON).total_seconds() / 60,
        quantity=1_000,
        max_participation=0.001,
    )
    assert by_name(again)["TWAP"]["feasible"] is True


def test_the_price_tags_are_stored_with_the_order_and_agree_with_the_preview() -> None:
    now = datetime.now(UTC)  # prices move on between the two
    context = replace(contexts.default(), now=lambda: now)
    at = {"start_at": NOON, "decision_price": 150}
    seen = preview(GOOD | at, context)
    order = Order.objects.get(pk=acceptance.accept(GOOD | at, context).pk)
    assert order.algorithm == seen["algorithm"]
    assert [each["algorithm"] for each in order.routing["alternatives"]] == list(ALGOS)
    assert by_name(order.routing) == by_name(seen)


def test_price_tags_cost_no_query_of_their_own() -> None:
    with CaptureQueriesContext(connection) as one:
        asked(algorithm="TWAP")
    assert not [each for each in one if "volumeprofile" in each["sql"]]


def test_a_signal_that_would_be_denied_says_why() -> None:
    seen = asked(average_daily_volume=1_000)
    assert seen["status"] == "DENIED"
    assert seen["reason"].startswith("ADV_SHARE_EXCEEDS_MAX")
    assert seen["alternatives"] == []


@pytest.mark.django_db(transaction=True)
def test_the_router_shows_a_preview() -> None:
    router = ExecutionRouter(OrderManager(config=contexts.default().config))
    seen = asyncio.run(router.preview("AAPL", 10_000, "BUY", 150, avg_daily_volume=20_000_000))
    assert seen["algorithm"] == "VWAP"
    assert len(seen["alternatives"]) == len(ALGOS)


def said(*options: str) -> str:
    out = StringIO()
    call_command("preview", "BUY", "10000", "AAPL", "--price", "150", *options, stdout=out)
    return out.getvalue()


def test_the_command_shows_a_table_and_json() -> None:
    text = said("--adv", "20000000", "--max-participation", "0.1")
    assert "BUY 10,000 AAPL would run, algo VWAP" in text
    assert "VWAP *" in text
    assert "n/a" in text
    assert json.loads(said("--json"))["algorithm"] == "VWAP"
    assert "would be denied: ADV_SHARE" in said("--adv", "1000")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--urgency", "SOON"], "--urgency: must be one of"),
        (["--max-participation", "much"], "--max-participation: must be a share from"),
        (["--max-participation", "2"], "--max-participation: must be a share from 0.000001"),
    ],
)
def test_the_command_refuses_wrong_options(options: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        said(*options)


@pytest.mark.parametrize(("role", "code"), [("Viewer", 200), ("Trader", 200), ("", 403)])
def test_the_api_answers_whoever_may_see_orders(role: str, code: int) -> None:
    api = client_of(*([role] if role else []))
    body = GOOD | {"start_at": NOON.isoformat()}
    answer = api.post("/api/v1/orders/preview/", body, format="json")
    assert answer.status_code == code
    if code == 200:
        assert len(answer.json()["alternatives"]) == len(ALGOS)
    assert not Order.objects.exists()


def test_the_schema_describes_what_is_answered() -> None:
    seen = asked(algorithm="TWAP")
    described = client_of("Viewer").get("/api/v1/schema/?format=json").json()
    answer = described["paths"]["/api/v1/orders/preview/"]["post"]["responses"]["200"]
    properties = answer["content"]["application/json"]["schema"]["properties"]
    assert list(properties) == list(seen)
    assert list(properties["estimate"]["properties"]) == list(seen["estimate"])
    assert list(properties["alternatives"]["items"]["properties"]) == list(seen["alternatives"][0])


@pytest.mark.parametrize("body", [GOOD | {"side": "HOLD"}, [GOOD], {}])
def test_the_api_names_what_is_wrong(body: Any) -> None:
    answer = client_of("Trader").post("/api/v1/orders/preview/", body, format="json")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("off_market", "terms", "waits"),
    [
        pytest.param("0.97", {}, True, id="a limit that the market has to come to"),
        pytest.param("1.03", {}, False, id="a limit that the market is through already"),
        pytest.param("1.03", {"aggressive_after": 0.5}, True, id="patient at the bid first"),
    ],
)
def test_a_limit_is_priced_by_where_it_trades(
    off_market: str, terms: dict[str, Any], waits: bool
) -> None:
    quote = contexts.default().market.quote("AAPL", datetime.now(UTC))
    assert quote
    limit = round(quote.ask * Decimal(off_market), 2)
    seen = asked(algorithm="LIMIT", limit_price=limit, decision_price=None, **terms)
    assert (seen["estimate"]["basis"] == "IF_FILLED") is waits
    assert any("if the market comes to it" in text for text in seen["advice"]) is waits
    assert seen["estimate"]["bps"] < 20


def test_with_an_unknown_volume_it_says_that_no_way_is_cheaper() -> None:
    seen = asked(average_daily_volume=None)
    assert any("volume is not known" in text for text in seen["advice"])
    assert not any("volume is not known" in text for text in asked()["advice"])


def test_the_cheapest_way_is_chosen_where_the_configuration_says_so() -> None:
    """The simulated market tells no volatility, and without one no risk can be weighed."""
    here = contexts.default()
    routing = here.config.execution.routing.model_copy(update={"mode": "cost"})
    execution = here.config.execution.model_copy(update={"routing": routing})
    by_cost = replace(here, config=here.config.model_copy(update={"execution": execution}))
    seen = preview(GOOD | {"start_at": NOON}, by_cost)
    assert seen["algorithm"] == "VWAP"
    assert "is above" in seen["chosen_because"]


def test_it_says_that_paper_fills_have_no_impact() -> None:
    assert "without market impact" in asked()["fills"]
