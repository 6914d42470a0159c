"""Orders that have ended, worked again on the stored tape, at night and by command."""

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from deepstack.config import Config
from deepstack.config_paper import Paper, PaperImpact
from execution.domain.algorithms.registry import ALGOS
from execution.models import Order
from monitoring.models import OrderReplay
from monitoring.replays import replays
from monitoring.replays.replays import TooEarly
from tests.integration.monitoring.rows import (
    NOON,
    NOW,
    after,
    failed,
    filled,
    replay,
    store_tape,
    working,
)

pytestmark = pytest.mark.django_db
D = Decimal
EVENING = after(NOW, hours=6)
NIGHT = after(NOW, hours=14)
WINDOW = {"window_minutes": 30.0}


def order(**changes: Any) -> Order:
    return filled("150.03", **{"quantity": 300, "asked": WINDOW, **changes})


def replayed(found: Order, *, config: Config | None = None) -> dict[str, OrderReplay]:
    rows = replays.replay(
        found, list(ALGOS), moment=EVENING, market=replay(), config=config or Config()
    )
    return {row.algorithm: row for row in rows}


def test_an_order_by_every_algorithm_in_the_window_that_was_asked_for() -> None:
    store_tape("150.00", volume=5_000)
    found = replayed(order())
    assert set(found) == set(ALGOS)
    assert {name for name, row in found.items() if row.own} == {"TWAP"}
    assert {row.problem for row in found.values()} == {""}
    assert {row.end_at - row.start_at for row in found.values()} == {timedelta(minutes=30)}  # type: ignore[operator]
    filled_whole = {name for name, row in found.items() if row.filled_quantity == 300}
    assert filled_whole >= {"MARKET", "TWAP", "VWAP", "POV", "IS"}


def test_the_order_as_it_went_is_measured_on_the_same_basis() -> None:
    store_tape("150.00")
    own = replayed(order(commission="9"))["TWAP"]
    assert own.actual_bps == (300 * D("0.03") + 9) / (300 * 150) * 10_000
    assert replayed(order())["MARKET"].actual_bps is None


def test_impact_moves_what_a_replay_pays() -> None:
    store_tape("150.00", volume=400)
    free, moved = (
        replayed(order(), config=Config(paper=Paper(impact=PaperImpact(coefficient=coefficient))))
        for coefficient in (0, 1)
    )
    for name in ("TWAP", "VWAP", "IS"):
        assert moved[name].arrival_bps > free[name].arrival_bps, name  # type: ignore[operator]
    assert moved["TWAP"].assumes["impact_coefficient"] == 1
    assert moved["TWAP"].assumes["daily_volume"] > 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"symbol": "MSFT"}, "no tape of MSFT from 2026-03-02 10:20:00 ET", id="tape"),
        pytest.param({"arrival_bid": None}, "no quote at its arrival", id="no arrival"),
        pytest.param(
            {"start_at": NOON + timedelta(days=5), "end_at": NOON + timedelta(days=5, minutes=1),
             "finished_at": NOON - timedelta(minutes=10)},
            "the exchange was closed at 2026-03-07 11:00:00 ET", id="a Saturday",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_replayed_says_why(changes: dict[str, Any], problem: str) -> None:
    store_tape("150.00")
    found = replayed(order(**changes))
    for row in found.values():
        assert row.problem.startswith(problem)
        assert (row.shortfall_bps, row.actual_bps, row.filled_quantity) == (None, None, 0)


def test_each_algorithm_has_its_usual_window_where_none_was_asked_for() -> None:
    store_tape("150.00")
    found = replayed(order(asked={"side": "BUY"}))
    minutes = {
        name: (row.end_at - row.start_at) // timedelta(minutes=1) for name, row in found.items()
    }  # type: ignore[operator]
    assert minutes == {"MARKET": 1, "LIMIT": 340, "TWAP": 60, "VWAP": 120, "POV": 120, "IS": 60}


def test_a_touch_that_a_limit_order_joined_binds_no_other_algorithm() -> None:
    store_tape("150.00")
    joined = order(algorithm="LIMIT", limit_price=D("149.90"), asked={"side": "BUY", **WINDOW})
    found = replayed(joined)
    assert (found["LIMIT"].filled_quantity, found["TWAP"].filled_quantity) == (0, 300)
    limited = order(
        algorithm="LIMIT", limit_price=D("149.90"), asked={"limit_price": "149.9", **WINDOW}
    )
    assert replayed(limited)["TWAP"].filled_quantity == 0


def test_nothing_is_replayed_before_its_windows_are_over() -> None:
    store_tape("150.00")
    with pytest.raises(TooEarly, match="2026-03-02 16:00:00 ET"):
        replays.replay(
            order(asked={"side": "BUY"}), ALGOS, moment=NOW, market=replay(), config=Config()
        )
    assert not OrderReplay.objects.exists()


def test_a_night_replays_each_order_of_days_that_are_over_once() -> None:
    market = store_tape("150.00")
    orders = [order().pk, failed("EXPIRED", asked=WINDOW).pk]
    order(finished_at=NOON - timedelta(days=8))
    failed("DENIED")
    working()
    night = {"market": market, "config": Config()}
    assert replays.replay_due(moment=EVENING, **night) == []
    assert sorted(replays.replay_due(moment=NIGHT, **night)) == orders
    assert replays.replay_due(moment=NIGHT, **night) == []
    assert OrderReplay.objects.count() == 2 * len(ALGOS)


def test_a_turn_ends_in_time() -> None:
    market = store_tape("150.00")
    for _ in range(3):
        order()
    watch = iter([0.0, 1.0, 1.6])
    done = replays.replay_due(
        moment=NIGHT, market=market, config=Config(), stopwatch=lambda: next(watch)
    )
    assert len(done) == 2


def test_replaying_again_changes_nothing_but_the_time() -> None:
    store_tape("150.00")
    found = order()
    first = replayed(found)
    again = replayed(found)
    for name, row in again.items():
        assert row.shortfall_bps == first[name].shortfall_bps
    assert OrderReplay.objects.count() == len(ALGOS)


def told(*words: object) -> str:
    out = StringIO()
    call_command("replay", *map(str, words), stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("at_noon")
class TestCommand:
    """On the process's own market, which is simulated."""

    def test_it_says_what_each_way_would_have_cost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("execution.management.console.PIPED_WIDTH", 80)
        found = order()
        text = told(found.pk)
        lines = text.splitlines()
        assert max(len(line) for line in lines) <= 80
        for name in (*ALGOS, "  as it went"):
            assert any(line.startswith(name) for line in lines), name
        assert "Replayed on" in text

    def test_json_has_the_stored_rows(self) -> None:
        found = order()
        told_rows = json.loads(told(found.pk, "--algorithm", "VWAP", "--json"))["replays"]
        [row] = OrderReplay.objects.all()
        assert [each["algorithm"] for each in told_rows] == ["VWAP"]
        assert D(told_rows[0]["shortfall_bps"]) == pytest.approx(row.shortfall_bps, abs=D("0.0001"))

    @pytest.mark.parametrize(
        ("make", "code", "said"),
        [
            (lambda: working(asked=WINDOW), 2, "is WORKING: it can be replayed once it has ended"),
            (lambda: failed("DENIED"), 2, "was denied and never worked"),
            (lambda: order(asked={"window_minutes": 90.0}), 1, "cannot be replayed yet"),
        ],
    )
    def test_what_cannot_be_replayed(self, make: Any, code: int, said: str) -> None:
        with pytest.raises(CommandError, match=said) as refused:
            told(make().pk)
        assert refused.value.returncode == code

    def test_an_unknown_order(self) -> None:
        with pytest.raises(CommandError, match="there is no order 99"):
            told(99)
